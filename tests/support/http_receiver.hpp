// Somebody who is called by HTTP: takes requests, keeps them, and answers as
// the test says.
//
// Owns a thread for each connection; what is open is dropped when this goes.
#pragma once

#include "runtime/base/fd.hpp"

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace greenroom::test {

struct received_request {
  std::string line;                           // "POST /hook HTTP/1.1"
  std::map<std::string, std::string> headers; // names in lower case
  std::string body;
};

class http_receiver {
public:
  /// The bytes of an answer; empty: none, the connection is closed. Called on
  /// any thread.
  using answering = std::function<std::string(const received_request&)>;

  /// Listens on a port of 127.0.0.1.
  explicit http_receiver(answering how);
  http_receiver(const http_receiver&) = delete;
  http_receiver& operator=(const http_receiver&) = delete;
  ~http_receiver();

  std::uint16_t port() const noexcept {
    return port_;
  }
  std::string url(const std::string& path = "/hook") const {
    return "http://127.0.0.1:" + std::to_string(port_) + path;
  }
  /// All that have come whole.
  std::vector<received_request> requests() const;
  int connections() const noexcept {
    return connections_;
  }

  static std::string answer(int status, const std::string& headers = {});
  /// For an answer that never comes: waits until this goes.
  static inline const std::string never = "never";

private:
  void accept_all();
  void serve(const unique_fd& socket);

  answering how_;
  unique_fd listener_;
  unique_fd stop_; // an eventfd
  std::uint16_t port_ = 0;
  std::atomic<int> connections_ = 0;
  mutable std::mutex mutex_;
  std::vector<received_request> requests_;
  std::list<std::thread> threads_; // of the accepting thread until it ended
  std::thread thread_;
};

} // namespace greenroom::test
