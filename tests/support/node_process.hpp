// A node as its users have it: the program itself, with a data directory and a
// git upstream of its own.
//
// Where the environment says GREENROOM_TEST_NODES=3 it is three of a cluster,
// of which the first, the home, has the sessions of the configured projects,
// and clients ask the last. What is done to the node, and looked at, is then
// the home. Tests for which that is another question are tagged [one-node].
//
// Everything that it and its sessions started is gone when this is. One owner,
// one thread; the clients that it gives may go anywhere.
#pragma once

#include "tests/support/http_client.hpp"
#include "tests/support/server_process.hpp"
#include "tests/support/temp_dir.hpp"
#include "tests/support/test_cluster.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
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
  void launch() {
    home().launch();
  }
  void await_serving();
  void kill9() {
    home().kill9();
  }
  /// It stands still between the two.
  void pause() {
    home().pause();
  }
  void resume() {
    home().resume();
  }
  /// SIGTERM; returns the exit code.
  int terminate() {
    return home().terminate();
  }

  std::uint16_t port() const noexcept {
    return nodes_.back()->port();
  }
  pid_t pid() const noexcept {
    return home().pid();
  }
  const std::string& admin_key() const noexcept {
    return admin_key_;
  }
  http_client admin() const {
    return {port(), admin_key_};
  }
  http_client with_key(std::string key) const {
    return {port(), std::move(key)};
  }

  /// Has the projects and the log's level.
  std::filesystem::path config_file() const {
    return dir_.path() / "greenroom.jsonc";
  }
  std::filesystem::path data_dir() const {
    return data_dir_of(0);
  }
  /// System calls that the node has wait or fail from now on, as lines of
  /// runtime/base/injected_faults.hpp. Empty: none.
  void inject_faults(const std::string& lines) const;
  std::filesystem::path upstream() const {
    return dir_.path() / "demo.git";
  }

  /// All that the node has logged, over all of its starts; all nodes'.
  std::string log() const {
    return home().log();
  }

  /// git in the upstream, which must succeed; without the last line break.
  std::string git(const std::vector<std::string>& args) const;

private:
  server_process& home() const noexcept {
    return *nodes_.front();
  }
  std::filesystem::path data_dir_of(std::size_t index) const {
    return dir_.path()
           / (index == 0 ? "data" : "data-" + std::to_string(index));
  }
  std::filesystem::path admin_key_file() const {
    return data_dir() / "admin.key";
  }
  std::unique_ptr<server_process> make(std::size_t index,
                                       const node_options& options) const;
  bool reaches_all(const http_client& node) const;
  bool reaches_projects() const;

  temp_dir dir_;
  std::optional<test_cluster> cluster_; // where there are several
  std::vector<std::unique_ptr<server_process>> nodes_;
  std::string admin_key_;
};

/// Runs git and gives its output without the last line break. Throws
/// std::runtime_error, with what git says, where it fails.
std::string run_git(const std::filesystem::path& cwd,
                    const std::vector<std::string>& args);

} // namespace greenroom::test
