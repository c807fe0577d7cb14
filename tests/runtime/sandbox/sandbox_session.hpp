// A session's files on a host that was checked, with a checkout that borrows
// from a mirror, and what a program in its sandbox says.
#pragma once

#include "runtime/sandbox/host_capabilities.hpp"
#include "runtime/sandbox/run_in_sandbox.hpp"
#include "runtime/sandbox/session_users.hpp"
#include "tests/support/build_paths.hpp"
#include "tests/support/temp_dir.hpp"

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

namespace greenroom::test {

inline const std::filesystem::path runner_binary =
  binary_dir() / "greenroom-runner";

inline config sandbox_settings(const std::filesystem::path& data_dir) {
  config result;
  result.node.data_dir = data_dir.string();
  result.sandbox.network = network_mode::none;
  result.sandbox.memory = std::uint64_t{64} << 20;
  result.sandbox.pids = 64;
  return result;
}

inline void write(const std::filesystem::path& file, const std::string& text) {
  std::filesystem::create_directories(file.parent_path());
  std::ofstream{file} << text;
}

inline std::string content(const std::filesystem::path& file) {
  std::ifstream in{file};
  return {std::istreambuf_iterator<char>{in}, {}};
}

/// One node's data directory with two sessions in it, `mine` and `theirs`.
class sandbox_session {
public:
  sandbox_session() : sandbox_session(sandbox_settings(".")) {}

  explicit sandbox_session(config settings) {
    std::filesystem::create_directories(theirs() / "checkout");
    std::filesystem::create_directories(mine());
    write(mirror() / "objects/ab/cdef", "an object");
    write(data_dir() / "admin.key", "the admin key");
    write(theirs() / "checkout/theirs.txt", "theirs");
    settings.node.data_dir = data_dir().string();
    host = sandbox::check_host(settings, runner_binary);
    own = sandbox::settle(host.users.get(), mine());
    std::filesystem::create_directories(checkout());
    give_checkout();
  }
  ~sandbox_session() {
    sandbox::take_back(host.users.get(),
                       {mine() / "home", mine() / "tmp", checkout(),
                        theirs() / "home", theirs() / "tmp",
                        theirs() / "checkout"});
    sandbox::remove_groups(host.groups.directories(paths().session_id));
  }
  sandbox_session(const sandbox_session&) = delete;
  sandbox_session& operator=(const sandbox_session&) = delete;

  std::filesystem::path data_dir() const {
    return dir_.path();
  }
  std::filesystem::path mine() const {
    return data_dir() / "sessions/mine";
  }
  std::filesystem::path theirs() const {
    return data_dir() / "sessions/theirs";
  }
  std::filesystem::path checkout() const {
    return mine() / "checkout";
  }
  std::filesystem::path mirror() const {
    return data_dir() / "repos/demo.git";
  }
  session_paths paths() const {
    return {"mine-" + dir_.path().filename().string(), mine(), checkout(),
            mirror()};
  }

  /// What a test has written there becomes the session's.
  void give_checkout() const {
    if (own)
      host.users->give({checkout()}, *own);
  }

  /// How a program in the sandbox is started and limited, for tests to change.
  command program(std::vector<std::string> argv) const {
    command result;
    result.argv = std::move(argv);
    result.env = {"PATH=/usr/bin:/bin", "HOME=/home/greenroom", "LC_ALL=C"};
    result.timeout = std::chrono::minutes{5}; // longer than any takes
    return result;
  }
  command_result run(command what) const {
    return run_command(sandbox::run_in_sandbox(host, paths(), std::move(what)));
  }
  command_result shell(const std::string& script) const {
    return run(program({"/bin/bash", "-c", script}));
  }

private:
  temp_dir dir_;

public:
  sandbox::host host;
  std::optional<sandbox::session_user> own; // of `mine`
};

} // namespace greenroom::test
