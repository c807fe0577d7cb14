// A node for a benchmark: the program itself, with a fresh data directory, a
// git upstream and the project `demo`.
//
// Everything that it and its sessions started is gone when this is. For one
// main thread. Throws std::runtime_error with the node's log if it does not
// come up.
#pragma once

#include "bench/support/child.hpp"
#include "bench/support/http.hpp"
#include "tests/support/temp_dir.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace greenroom::bench {

struct node_options {
  std::string log_level = "info";
  unsigned http_threads = 2;
};

class node {
public:
  explicit node(const node_options& options = {});
  node(const node&) = delete;
  node& operator=(const node&) = delete;
  ~node();

  /// Makes a session and gives the path of its resource.
  std::string make_session();

  std::string request(std::string_view method, std::string_view path,
                      std::string_view body = {}) const {
    return request_text(method, path, key_, body);
  }

  std::uint16_t port() const noexcept {
    return port_;
  }
  pid_t pid() const noexcept {
    return process_->pid();
  }

private:
  void make_upstream() const;
  void await_serving();
  std::string log() const;

  test::temp_dir dir_;
  std::uint16_t port_ = 0;
  std::string key_;
  std::unique_ptr<child> process_;
};

} // namespace greenroom::bench
