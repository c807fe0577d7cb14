// A node as its users have it: the program itself, with a data directory and a
// git upstream of its own.
//
// Everything that it and its sessions started is gone when this is. One owner,
// one thread; the clients that it gives may go anywhere.
#pragma once

#include "runtime/base/fd.hpp"
#include "tests/support/http_client.hpp"
#include "tests/support/temp_dir.hpp"

#include <sys/resource.h>
#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace greenroom::test {

struct node_options {
  unsigned max_active_sessions = 50;
  bool sandboxed = true;         // bubblewrap and nat, as it comes
  std::vector<std::string> set;  // more of --set
  json project = json::object(); // more of the project `demo`
  std::vector<std::string> env;  // more of its environment, NAME=VALUE
  rlim_t open_files = 0;         // its limit of descriptors; 0: ours
};

class node_process {
public:
  /// Starts a node with the projects `demo` and `other`, and waits until it
  /// serves. Both have an upstream with the branches main and topic and the
  /// tag v1; main is protected. Throws std::runtime_error, with the node's
  /// log, if it does not come up.
  explicit node_process(node_options options = {});
  node_process(const node_process&) = delete;
  node_process& operator=(const node_process&) = delete;
  ~node_process();

  /// After kill9() or terminate().
  void start();
  /// Without waiting until it serves.
  void launch();
  void await_serving();
  void kill9();
  /// It stands still between the two.
  void pause();
  void resume();
  /// SIGTERM; returns the exit code.
  int terminate();

  std::uint16_t port() const noexcept {
    return port_;
  }
  pid_t pid() const noexcept {
    return pid_;
  }
  const std::string& admin_key() const noexcept {
    return admin_key_;
  }
  http_client admin() const {
    return {port_, admin_key_};
  }
  http_client with_key(std::string key) const {
    return {port_, std::move(key)};
  }

  /// Has the projects and the log's level.
  std::filesystem::path config_file() const {
    return dir_.path() / "greenroom.jsonc";
  }
  std::filesystem::path data_dir() const {
    return dir_.path() / "data";
  }
  /// System calls that the node has wait or fail from now on, as lines of
  /// runtime/base/injected_faults.hpp. Empty: none.
  void inject_faults(const std::string& lines) const;
  std::filesystem::path upstream() const {
    return dir_.path() / "demo.git";
  }

  /// All that the node has logged, over all of its starts.
  std::string log() const;

  /// git in the upstream, which must succeed; without the last line break.
  std::string git(const std::vector<std::string>& args) const;

private:
  std::optional<std::uint16_t> logged_port() const;
  int wait();

  temp_dir dir_;
  std::vector<std::string> arguments_;
  std::vector<std::string> env_;
  rlim_t open_files_ = 0;
  std::string admin_key_;
  std::size_t log_before_ = 0; // of the start at hand
  pid_t pid_ = -1;
  unique_fd process_;
  std::uint16_t port_ = 0;
};

/// Runs git and gives its output without the last line break. Throws
/// std::runtime_error, with what git says, where it fails.
std::string run_git(const std::filesystem::path& cwd,
                    const std::vector<std::string>& args);

} // namespace greenroom::test
