// A node for a benchmark: the program itself, with a fresh data directory, a
// git upstream and two projects of it, `demo` and `crowd`, of each of which
// 10,000 sessions may be active.
//
// Everything that it and its sessions started is gone when this is. For one
// main thread. Throws std::runtime_error with the node's log if it does not
// come up.
#pragma once

#include "bench/support/child.hpp"
#include "bench/support/http.hpp"
#include "bench/support/repository.hpp"
#include "tests/support/temp_dir.hpp"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace greenroom::bench {

struct node_options {
  std::string log_level = "info";
  unsigned http_threads = 2;
  std::string sandbox = "none"; // or "bubblewrap"
  repository_size upstream{};
  bool previews = false;
  std::vector<std::string> more{}; // settings, as for --set
};

struct made_session {
  std::string id;
  std::string path; // of its resource
  std::string branch;
  std::string clone_url; // with the token
};

class node {
public:
  explicit node(const node_options& options = {});
  node(const node&) = delete;
  node& operator=(const node&) = delete;
  ~node();

  /// Ends it in order; start() begins it again, with the same data and port.
  void stop();
  /// Returns once it serves.
  void start();
  /// Ends it as a power cut would, but for its sessions' runners.
  void kill();

  /// Makes a session on a branch of its own, from `main`.
  made_session make_session();

  /// Runs a command in a session and waits until it has succeeded.
  void exec(const made_session& in, const std::string& shell_command);

  /// The `data` of an answer that must have one of the statuses 200 to 202.
  /// Null is no body.
  nlohmann::json ask(std::string_view method, std::string_view path,
                     const nlohmann::json& body);

  std::string request(std::string_view method, std::string_view path,
                      std::string_view body = {}) const {
    return request_text(method, path, key_, body);
  }

  std::uint16_t port() const noexcept {
    return port_;
  }
  /// Where previews are served; 0: they are not.
  std::uint16_t preview_port() const noexcept {
    return preview_port_;
  }
  /// The administrator's.
  const std::string& key() const noexcept {
    return key_;
  }
  pid_t pid() const noexcept {
    return process_->pid();
  }
  /// Whatever lies here goes with the node.
  const std::filesystem::path& dir() const noexcept {
    return dir_.path();
  }
  std::filesystem::path data_dir() const {
    return dir_.path() / "data";
  }
  std::filesystem::path upstream() const {
    return dir_.path() / "demo.git";
  }

private:
  void await_serving();
  std::string log() const;

  test::temp_dir dir_;
  std::uint16_t port_ = 0;
  std::uint16_t preview_port_ = 0;
  std::string key_;
  std::vector<std::string> argv_;
  std::unique_ptr<child> process_;
};

} // namespace greenroom::bench
