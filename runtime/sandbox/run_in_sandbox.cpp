#include "runtime/sandbox/run_in_sandbox.hpp"

#include "runtime/sandbox/assets.hpp"

#include <string>

namespace greenroom::sandbox {

namespace {

// Gives bwrap what it cannot get by name: the filter as a descriptor, and the
// limits, by joining the control groups first: where it can by the file that
// the kernel takes no time for, as in runtime/runner/outer/groups.cpp.
// Arguments: the filter, the groups, --, the rest as it is to be run.
constexpr const char* enter = R"(exec 3<"$1" || exit 125
shift
while [ "$1" != -- ]; do
  door=$1/tasks
  [ -e "$door" ] || door=$1/cgroup.procs
  echo 0 >"$door" || exit 125
  shift
done
shift
ulimit -c 0
umask 022
echo 500 2>/dev/null >/proc/self/oom_score_adj || :
exec "$@")";

} // namespace

command run_in_sandbox(const host& on, const session_paths& session,
                       command what,
                       const std::vector<std::filesystem::path>& read_only) {
  if (on.config.mode == sandbox_mode::none) {
    what.cwd =
      what.cwd.empty() ? session.checkout : session.checkout / what.cwd;
    return what;
  }
  std::vector<std::string> argv{"/bin/sh", "-c", enter, "sh",
                                made_seccomp(on.files).string()};
  auto add = [&](const std::vector<std::string>& words) {
    argv.insert(argv.end(), words.begin(), words.end());
  };
  add(on.groups.open(session.session_id));
  add({"--"});
  auto enclosed = bwrap_argv(on, session, network_mode::none, read_only);
  add(enclosed);
  for (const auto& entry : what.env) {
    auto equals = entry.find('=');
    add({"--setenv", entry.substr(0, equals), entry.substr(equals + 1)});
  }
  std::filesystem::path cwd = checkout_inside;
  if (!what.cwd.empty())
    cwd /= what.cwd;
  auto own_user = enclosed[1] == as_user_option;
  if (!own_user && !what.cwd.empty())
    add({"--chdir", cwd.string()});
  add({"--seccomp", "3", "--"});
  if (own_user)
    add({runner_inside, "--become", cwd.string()});
  add(what.argv);
  what.argv = std::move(argv);
  what.env.clear();
  what.cwd = "/";
  return what;
}

} // namespace greenroom::sandbox
