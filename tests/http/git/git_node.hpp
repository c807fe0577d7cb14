// A session's repository behind a real server, with actors that stand in for
// the rest of the node, and git as its client.
#pragma once

#include "http/server/server.hpp"
#include "messages/session.hpp"
#include "runtime/auth/api_keys.hpp"
#include "runtime/base/run_command.hpp"
#include "runtime/config/config.hpp"
#include "tests/support/temp_dir.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <sstream>
#include <string>
#include <vector>

namespace greenroom::test {

namespace fs = std::filesystem;

/// The session's id and token, and its branch, which is checked out.
inline const std::string git_sid = "bbbbbbbbbbbbbbbbbbbb";
inline const std::string git_token = "gr_0123456789abcdef";
inline const std::string git_branch = "work";

struct git_script {
  std::mutex guard;
  // Under guard.
  std::string refuse_with; // a conflict, where it is not empty
  std::vector<branch_pushed> pushes;
  std::vector<git_edge_actor> edges; // of all transfers so far
  std::size_t open = 0;              // transfers that go on
};

struct git_node_options {
  std::function<void(http::options&)> change;
  sandbox_mode mode = sandbox_mode::none;
};

class git_node {
public:
  /// Upstream, mirror and checkout are there: README.md and big.txt on `work`
  /// and `main`, three commits.
  explicit git_node(git_node_options options = {});
  git_node(const git_node&) = delete;
  git_node& operator=(const git_node&) = delete;
  ~git_node();

  std::uint16_t port() const {
    return server_->port();
  }
  /// Of an endpoint for git alone; 0: there is none.
  std::uint16_t git_port() const {
    return server_->git_port();
  }
  /// The path of the repository's URL.
  static std::string path();
  std::string url(const std::string& token = git_token) const;

  fs::path checkout() const;
  /// A directory for clients.
  fs::path home() const {
    return dir_.path() / "home";
  }

  /// The token dies, for all transfers that it opened.
  void kill_token();
  void refuse_transfers(std::string why);
  std::vector<branch_pushed> pushes();
  /// Transfers that an ending of the session would wait for.
  std::size_t open_transfers();

  /// All that the server has logged.
  std::string log() const {
    return log_.str();
  }

private:
  void make_repositories();
  std::shared_ptr<const sandbox::host> make_host(sandbox_mode mode) const;
  void spawn_stand_ins();

  temp_dir dir_;
  caf::actor_system_config config_;
  std::unique_ptr<caf::actor_system> system_;
  std::shared_ptr<git_script> script_ = std::make_shared<git_script>();
  std::vector<caf::actor> actors_;
  caf::actor directory_;
  key_ring ring_{"admin-secret"};
  std::ostringstream log_;
  std::unique_ptr<http::server> server_;
};

/// git as a user calls it; nothing of this machine's configuration counts.
command_result user_git(const fs::path& cwd, std::vector<std::string> args);

/// The same where it must succeed; its output without the last line break.
std::string must_git(const fs::path& cwd, std::vector<std::string> args);

void write_text(const fs::path& path, const std::string& text);
std::string read_text(const fs::path& path);

/// Writes a file and commits it.
void commit_file(const fs::path& repo, const std::string& name,
                 const std::string& text);

} // namespace greenroom::test
