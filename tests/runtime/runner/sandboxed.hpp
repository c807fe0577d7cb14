// A session whose commands bubblewrap shuts in, with as little as the runner
// needs.
#pragma once

#include "runtime/sandbox/cgroups.hpp"
#include "tests/runtime/runner/session_fixture.hpp"

#include <cstdlib>
#include <string>
#include <vector>

namespace greenroom::test {

inline constexpr const char* runner_inside = "/run/greenroom-runner";

inline bool can_sandbox() {
  static const bool result =
    std::system("bwrap --unshare-all --ro-bind / / true 2>/dev/null") == 0;
  if (!result)
    WARN("bubblewrap cannot make a sandbox here: not tested");
  return result;
}

/// Its checkout is a directory in the sandbox's memory, which is enough here.
inline runner::sandbox_plan plan() {
  runner::sandbox_plan result;
  result.argv = {"bwrap",
                 "--unshare-all",
                 "--unshare-user",
                 "--as-pid-1",
                 "--uid",
                 "1000",
                 "--gid",
                 "1000",
                 "--hostname",
                 "sandbox",
                 "--new-session",
                 "--die-with-parent",
                 "--cap-drop",
                 "ALL",
                 "--clearenv",
                 "--ro-bind",
                 "/usr",
                 "/usr",
                 "--symlink",
                 "usr/bin",
                 "/bin",
                 "--symlink",
                 "usr/lib",
                 "/lib",
                 "--symlink",
                 "usr/lib64",
                 "/lib64",
                 "--proc",
                 "/proc",
                 "--dev",
                 "/dev",
                 "--tmpfs",
                 "/workspace",
                 "--ro-bind",
                 session::binary().string(),
                 runner_inside};
  result.runner = runner_inside;
  result.checkout = "/workspace";
  return result;
}

/// Below the shim is bwrap, below that init.
inline pid_t sandboxed_init(const session& s) {
  auto outside = children_of(s.runner_pid);
  REQUIRE(outside.size() == 1);
  auto inside = children_of(outside[0]);
  REQUIRE(inside.size() == 1);
  return inside[0];
}

/// Real control groups of one session, as far as this machine has them.
class session_groups {
public:
  explicit session_groups(std::uint32_t processes,
                          std::uint64_t memory = std::uint64_t{1} << 30)
    : groups_(sandbox::control_groups::find({memory, processes})),
      directories_(groups_.open(name_)) {}
  session_groups(const session_groups&) = delete;
  session_groups& operator=(const session_groups&) = delete;

  ~session_groups() {
    sandbox::remove_groups(directories_);
  }

  /// False, with a warning, where processes cannot be counted.
  bool usable() const {
    if (!groups_.limits_processes())
      for (const auto& reason : groups_.missing())
        WARN("not tested: " << reason);
    return groups_.limits_processes();
  }

  /// The same for memory.
  bool limits_memory() const {
    if (!groups_.limits_memory())
      for (const auto& reason : groups_.missing())
        WARN("not tested: " << reason);
    return groups_.limits_memory();
  }

  const std::vector<std::string>& directories() const {
    return directories_;
  }

  /// True where the kernel has the process in as many of the groups as there
  /// are.
  bool hold(pid_t pid) const {
    auto path = "/proc/" + std::to_string(pid) + "/cgroup";
    std::istringstream text{read_file(path).value_or("")};
    std::size_t found = 0;
    for (std::string line; std::getline(text, line);)
      if (line.ends_with("/greenroom/" + name_))
        ++found;
    return found == directories_.size();
  }

private:
  const std::string name_ = make_id();
  sandbox::control_groups groups_;
  std::vector<std::string> directories_;
};

} // namespace greenroom::test
