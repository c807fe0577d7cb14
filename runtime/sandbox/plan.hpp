// What a session's sandbox is made of: bwrap and its options.
//
// A session has its own mount, pid, ipc, uts, user and network namespaces and
// no capability. It can write to its checkout, its home and /tmp, which are on
// disk, and to /dev/shm (at most half of sandbox.memory) and $XDG_RUNTIME_DIR.
// It sees of the host, read-only, what sandbox.read_only lists, a copy of /etc
// (etc_copy.hpp), the processors, its own control groups, some directories of
// /var that belong to programs, and the objects that its checkout borrows from
// the mirror, at the path where the checkout looks for them.
//
// A `host` is made once per node (host_capabilities.hpp) and does not change
// after that; any thread may use it. Paths are absolute.
#pragma once

#include "runtime/base/home_environment.hpp"
#include "runtime/base/session_paths.hpp"
#include "runtime/config/config.hpp"
#include "runtime/runner/protocol/session_files.hpp"
#include "runtime/sandbox/cgroups.hpp"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace greenroom::sandbox {

class etc_copy;
class session_users;

/// By which argv of those with a user of their own is known: its second word.
inline constexpr const char* as_user_option = "--as-user";

/// What all sandboxes of a node have in common.
struct host {
  sandbox_config config;
  std::filesystem::path files;   // data_dir/sandbox, where assets.hpp writes
  std::shared_ptr<etc_copy> etc; // in there; it alone changes
  std::filesystem::path bwrap;   // empty in mode none, like all below
  std::filesystem::path runner;  // greenroom-runner
  std::filesystem::path taskset; // empty: sessions use all processors
  control_groups groups;
  std::shared_ptr<session_users> users; // null: sessions are the node's user
  std::vector<std::string> nat_options; // by which slirp4netns shuts itself in
  // What is configured but does not hold here, a sentence each: for the log
  // and readyz.
  std::vector<std::string> not_in_force;
};

/// Where things are inside.
inline constexpr const char* checkout_inside = "/workspace";
inline constexpr const char* home_inside = home_in_sandbox;
inline constexpr const char* runtime_dir_inside = runtime_dir_in_sandbox;
inline constexpr const char* runner_inside = "/run/greenroom/greenroom-runner";
// greenroom-git by the name under which git calls it for `origin`, and beside
// it the directory with the socket that it dials.
inline constexpr const char* git_connect_inside = "/run/greenroom/git-connect";
inline constexpr const char* origin_inside = "/run/greenroom/origin";
/// Hooks for git that the node runs there: none but pre-receive.
inline constexpr const char* git_hooks_inside = "/run/greenroom/origin/hooks";

/// For runner_config::sandbox; nullopt in mode none. Makes the session's home,
/// its /tmp and its control groups where they are missing; remove_groups
/// (cgroups.hpp) ends the latter. `nproc` among the rlimits, there only where
/// no control group limits processes, must be set inside, where it counts the
/// session's processes and not all of the user's. Throws std::system_error.
std::optional<runner::sandbox_plan> make_plan(const host& on,
                                              const session_paths& session);

/// bwrap and its options up to and without "--", for a program that is not
/// pid 1 and of which nothing is limited yet. Where the session has a user of
/// its own it begins with what makes that, and ends as nobody with the
/// capabilities to be that user: the program that runs then has to begin with
/// runner::become_session_user. `read_only` are more paths of the host that it
/// sees at the same place. Makes the session's home.
std::vector<std::string>
bwrap_argv(const host& on, const session_paths& session, network_mode network,
           const std::vector<std::filesystem::path>& read_only);

} // namespace greenroom::sandbox
