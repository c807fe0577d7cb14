// HTTP as far as benchmarks need it: a connection to this machine that is kept,
// and the text of requests.
//
// Blocking, with a deadline of half a minute on each read. Throws
// std::system_error, std::runtime_error.
#pragma once

#include "runtime/base/fd.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace greenroom::bench {

/// A port that is free now. Servers are told it, and not asked for theirs, so
/// that they can be measured with a silent log.
std::uint16_t free_port();

unique_fd connect_to(std::uint16_t port);

void send_all(const unique_fd& socket, std::string_view bytes);

/// A request's bytes. Without a body it has no type and no length.
std::string request_text(std::string_view method, std::string_view path,
                         std::string_view key, std::string_view body = {});

struct answer {
  int status = 0;
  std::string body;
};

/// Cuts answers with a Content-Length out of what a connection brings.
class answer_reader {
public:
  /// True once a whole answer is there; what follows it is kept for the next.
  bool feed(std::string_view bytes);
  answer take();

private:
  std::string text_;
  std::size_t head_ = 0;  // bytes, 0: not whole yet
  std::size_t whole_ = 0; // head and body
};

class connection {
public:
  explicit connection(std::uint16_t port) : socket_(connect_to(port)) {}

  void send(std::string_view request) {
    send_all(socket_, request);
  }
  answer receive();

  answer ask(std::string_view request) {
    send(request);
    return receive();
  }

private:
  unique_fd socket_;
  answer_reader reader_;
};

} // namespace greenroom::bench
