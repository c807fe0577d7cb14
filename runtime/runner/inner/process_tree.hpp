// Signals for everything below this process.
//
// The caller is a child subreaper, so whatever loses its parent becomes its
// child, or that of a subreaper below it: a process can leave its group, its
// session and its parents, but not the tree. Never is a number from a list
// trusted: each process is pinned by a pidfd and its place in the tree checked
// before it is signalled.
#pragma once

#include <sys/types.h>

#include <functional>
#include <span>
#include <vector>

namespace greenroom::runner {

/// What is below the process just now, nearest first. Only to be looked at: a
/// number may be another's by the time it is used.
std::vector<pid_t> descendants_of(pid_t top);

/// Signals all descendants, but not the children in `excluded` and what is
/// below them. A process that is forked meanwhile may be missed. Returns how
/// many it has signalled: 0 also where they cannot be looked for.
std::size_t signal_descendants(int signal,
                               std::span<const pid_t> excluded = {});

/// Kills them, after stopping one after another until none is left that could
/// fork. What is missed all the same is killed by another call. Returns as
/// above.
std::size_t stop_and_kill_descendants(std::span<const pid_t> excluded = {});

/// Kills and reaps all descendants and returns when there are none but the
/// children in `excluded` and what is below them. SIGCHLD is blocked, and
/// taken.
void kill_descendants(const std::function<void(pid_t, int status)>& reaped,
                      std::span<const pid_t> excluded = {});

} // namespace greenroom::runner
