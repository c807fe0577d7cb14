#include "runtime/runner/outer/groups.hpp"

#include "runtime/base/fd.hpp"

#include <fcntl.h>
#include <linux/sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <system_error>

namespace greenroom::runner {

namespace {

bool is_v2(const std::string& group) {
  return ::access((group + "/tasks").c_str(), F_OK) != 0;
}

// -1 where this kernel, or whoever confines us, does not have it.
pid_t fork_into(const std::string& group) {
  unique_fd directory{
    ::open(group.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!directory)
    return -1;
  clone_args how{};
  how.flags = CLONE_INTO_CGROUP;
  how.exit_signal = SIGCHLD;
  how.cgroup = static_cast<std::uint64_t>(directory.get());
  return static_cast<pid_t>(::syscall(SYS_clone3, &how, sizeof how));
}

} // namespace

group_child fork_for_groups(const control_group_list& groups) {
  if (auto v2 = std::ranges::find_if(groups, is_v2); v2 != groups.end())
    if (auto pid = fork_into(*v2); pid >= 0)
      return {pid, true};
  return {::fork(), false};
}

void enter_groups(const control_group_list& groups, bool in_v2) {
  for (const auto& group : groups) {
    auto v2 = is_v2(group);
    if (v2 && in_v2)
      continue;
    auto door = group + (v2 ? "/cgroup.procs" : "/tasks");
    unique_fd file{::open(door.c_str(), O_WRONLY | O_CLOEXEC)};
    // 0 is whoever writes it.
    if (!file || ::write(file.get(), "0", 1) < 0)
      throw std::system_error(errno, std::generic_category(),
                              "cannot enter \"" + group + '"');
  }
}

} // namespace greenroom::runner
