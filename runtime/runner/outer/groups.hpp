// Control groups of a session: the processes that are started for it go in.
//
// Who goes in by writing itself into cgroup.procs waits until the kernel has
// been through every processor: 5 to 40 ms. There are other doors: one thread,
// for v1, and being born there, for v2.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace greenroom::runner {

/// By the directories; of v2 there is one at most.
using control_group_list = std::vector<std::string>;

struct group_child {
  pid_t pid = 0;      // as fork returns it
  bool in_v2 = false; // it is in the group of v2 already
};

/// fork(2) for a child that calls enter_groups next.
group_child fork_for_groups(const control_group_list& groups);

/// Puts this process in, which has one thread. `in_v2` is what
/// fork_for_groups said. Throws std::system_error.
void enter_groups(const control_group_list& groups, bool in_v2);

} // namespace greenroom::runner
