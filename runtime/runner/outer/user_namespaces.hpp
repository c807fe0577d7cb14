// A user of the host for one session alone, so that what the kernel counts by
// user (epoll and inotify watches, pipes' pages, pending signals, ...) is
// counted for that session alone, and files and processes of another session
// are another user's.
//
// The sandbox is made in an outer user namespace, in which 0 is the node's user
// and user_inside the session's: so bwrap can reach and mount what belongs to
// either. What runs in it is in an inner one below, that knows no user but the
// session's and in which no other can be made. Both belong to the session's
// user where the node is root; where it is an ordinary user, the outer one
// belongs to the node's, by the leave of /etc/subuid (newuidmap, newgidmap),
// and has a part only of what is counted for its maker as well: inotify,
// fanotify.
#pragma once

#include "runtime/base/fd.hpp"

#include <sys/types.h>

#include <string_view>

namespace greenroom::runner {

/// In the host's numbers.
struct own_user {
  uid_t user = 0;
  gid_t group = 0;
};

/// Reads "UID:GID". Throws std::runtime_error.
own_user parse_own_user(std::string_view text);

struct user_namespaces {
  unique_fd outer;
  unique_fd inner;
};

/// Throws std::runtime_error with a reason.
user_namespaces make_user_namespaces(const own_user& whose);

/// Makes both and runs bwrap in them: argv[0] and its options. The pipes among
/// the standard files can then be opened by their /proc names inside, too.
/// Exit code 1, and a line on stderr, where that cannot be.
[[noreturn]] void run_with_own_user(const own_user& whose,
                                    char** argv) noexcept;

/// Runs a program, found by PATH, as who may do with all files of a range of
/// users what their owners may: for a node that is no root. The node's user is
/// 0 there, the range begins at 1. `range` is "FIRST_UID:FIRST_GID:COUNT". Exit
/// code 1, and a line on stderr, where that cannot be.
[[noreturn]] void run_over_users(std::string_view range, char** argv) noexcept;

} // namespace greenroom::runner
