// Carries what a client of `git upload-pack` sends to git by a pipe, and shows
// its first request to somebody before git has it, who may answer it instead.
//
// A thread of its own, which ends with it. The socket is borrowed, and nobody
// else reads from it; git's answer does not come this way. git writes to the
// socket nothing while it waits for a request, and so the two do not mix.
#pragma once

#include "runtime/base/fd.hpp"

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

namespace greenroom::http::git_http {

class fetch_relay {
public:
  /// Called once at most, on the relay's thread; what it throws is forgotten.
  /// A request of more than `most` bytes is not shown. What it returns is the
  /// client's answer, and git does not get the request then.
  using look =
    std::function<std::optional<std::string>(const std::string& request)>;

  /// Throws std::system_error.
  fetch_relay(int socket, std::size_t most, look first);
  fetch_relay(const fetch_relay&) = delete;
  fetch_relay& operator=(const fetch_relay&) = delete;

  /// Once git has ended: nothing more is read from the socket.
  ~fetch_relay();

  /// Where git reads.
  int reader() const noexcept {
    return reader_.get();
  }

private:
  void run() noexcept;
  void carry();
  bool receive(std::string& to) const;
  bool send(std::string_view text) const;
  bool answer(std::string_view text) const;

  int socket_;
  std::size_t most_;
  look first_;
  unique_fd reader_;
  unique_fd writer_;
  std::thread thread_;
};

} // namespace greenroom::http::git_http
