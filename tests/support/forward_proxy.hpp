// The kind of proxy by which programs of closed networks reach the world: it
// takes requests for any host, and tunnels (CONNECT), keeps what was asked, and
// leads all of it to one server on 127.0.0.1.
//
// Names that lead nowhere are reached by it, and only by it. Owns a thread for
// each connection; what is open is dropped when this goes.
#pragma once

#include "runtime/base/fd.hpp"

#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace greenroom::test {

class forward_proxy {
public:
  explicit forward_proxy(std::uint16_t server);
  forward_proxy(const forward_proxy&) = delete;
  forward_proxy& operator=(const forward_proxy&) = delete;
  ~forward_proxy();

  std::string url() const {
    return "http://127.0.0.1:" + std::to_string(port_);
  }
  /// The first line of every request: "GET http://host/path HTTP/1.1",
  /// "CONNECT host:443 HTTP/1.1".
  std::vector<std::string> requests() const;
  /// How many of them begin so.
  std::size_t count(const std::string& beginning) const;

private:
  void accept_all();
  void serve(const unique_fd& client);

  const std::uint16_t server_;
  unique_fd listener_;
  unique_fd stop_; // an eventfd
  std::uint16_t port_ = 0;
  mutable std::mutex mutex_;
  std::vector<std::string> requests_;
  std::list<std::thread> threads_; // of the accepting thread until it ended
  std::thread thread_;
};

} // namespace greenroom::test
