#include "runtime/sandbox/host_capabilities.hpp"

#include "runtime/base/fd.hpp"
#include "runtime/base/files.hpp"
#include "runtime/base/find_program.hpp"
#include "runtime/base/paths.hpp"
#include "runtime/base/remove_tree.hpp"
#include "runtime/runner/protocol/session_files.hpp"
#include "runtime/sandbox/assets.hpp"
#include "runtime/sandbox/etc_copy.hpp"
#include "runtime/sandbox/run_in_sandbox.hpp"
#include "runtime/sandbox/session_users.hpp"

#include <fcntl.h>
#include <fnmatch.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <stdexcept>

namespace greenroom::sandbox {

namespace fs = std::filesystem;

namespace {

// /etc as a whole, and what no session may see of it.
bool holds_accounts(const fs::path& real) {
  if (real == "/etc")
    return true;
  for (auto path = real; path != path.root_path(); path = path.parent_path())
    for (const auto& pattern : never_shown())
      if (::fnmatch(pattern.c_str(), path.c_str(), FNM_PATHNAME) == 0)
        return true;
  return false;
}

void check_listed(const sandbox_config& settings, const fs::path& data_dir) {
  for (const auto& path : settings.read_only) {
    std::error_code none;
    if (!fs::exists(path, none))
      throw std::runtime_error("sandbox.read_only lists \"" + path
                               + "\", which is not there: remove it from the "
                                 "list or create it");
    auto real = fs::canonical(path);
    if (holds_accounts(real))
      throw std::runtime_error("sandbox.read_only lists \"" + path
                               + "\", where this machine's passwords and keys "
                                 "are: remove it from the list; sessions see "
                                 "the rest of /etc without that");
    if (is_below(data_dir, real) || is_below(real, data_dir))
      throw std::runtime_error("sandbox.read_only lists \"" + path
                               + "\", which would show the node's data "
                                 "directory to sessions: list narrower paths");
  }
}

// What is listed below /etc and is not in the copy has to have a place there.
void make_mount_points(const host& on) {
  for (const fs::path listed : on.config.read_only) {
    if (!is_below(listed, "/etc"))
      continue;
    auto place = made_etc(on.files) / listed.lexically_relative("/etc");
    std::error_code none;
    if (fs::is_directory(listed, none)) {
      ensure_dir(place, 0755);
    } else if (!fs::exists(place, none)) {
      ensure_dir(place.parent_path(), 0755);
      write_file_atomic(place, "", 0644, false);
    }
  }
}

void check_nat() {
  if (find_program("slirp4netns").empty())
    throw std::runtime_error("sandbox.network is \"nat\" but there is no "
                             "slirp4netns: install it, or set sandbox.network "
                             "to \"none\" or \"host\"");
  unique_fd tun{::open("/dev/net/tun", O_RDWR | O_CLOEXEC)};
  if (!tun)
    throw std::runtime_error(
      std::string{"sandbox.network is \"nat\" but /dev/net/tun cannot be "
                  "opened ("}
      + std::strerror(errno)
      + "): load the module tun or give the node the device, or set "
        "sandbox.network to \"none\" or \"host\"");
}

bool setting_is(const char* path, const char* value) {
  auto text = read_file(fs::path{path}).value_or("");
  return text.substr(0, text.find('\n')) == value;
}

// What most often keeps bwrap from making a user namespace.
std::string advice() {
  if (setting_is("/proc/sys/user/max_user_namespaces", "0"))
    return "set the sysctl user.max_user_namespaces to 10000";
  if (setting_is("/proc/sys/kernel/unprivileged_userns_clone", "0"))
    return "set the sysctl kernel.unprivileged_userns_clone to 1";
  if (setting_is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1"))
    return "set the sysctl kernel.apparmor_restrict_unprivileged_userns to 0, "
           "or give bwrap an AppArmor profile that allows user namespaces";
  return "let the node make user namespaces and mount /proc in them, which "
         "containers often refuse";
}

// A directory that is gone when the trial is over.
class trial_session {
public:
  explicit trial_session(const host& on)
    : users_(on.users), top_(on.files / "trial") {
    remove();
    ensure_dir(top_);
    auto own = settle(users_.get(), top_);
    ensure_dir(top_ / "checkout");
    if (own)
      users_->give({top_ / "checkout"}, *own);
    ensure_dir(top_ / "mirror/objects");
  }
  trial_session(const trial_session&) = delete;
  trial_session& operator=(const trial_session&) = delete;
  ~trial_session() {
    try {
      remove();
    } catch (const std::exception&) {
      // It is tried again at the next start.
    }
  }

  session_paths where() const {
    return {"trial-" + std::to_string(::getpid()), top_, top_ / "checkout",
            top_ / "mirror"};
  }

private:
  void remove() {
    take_back(users_.get(), {top_ / "home", top_ / "tmp", top_ / "checkout"});
    remove_tree(top_);
  }

  std::shared_ptr<session_users> users_;
  fs::path top_;
};

void try_out(const host& on) {
  trial_session session{on};
  auto where = session.where();
  command program;
  program.argv = {runner_inside, "--version"};
  program.timeout = std::chrono::seconds{20};
  auto result = run_command(run_in_sandbox(on, where, program));
  remove_groups(on.groups.directories(where.session_id));
  if (result.ok())
    return;
  auto said = result.err.substr(0, result.err.find('\n'));
  if (said.empty())
    said = result.timed_out ? "it took too long" : "it gave no reason";
  throw std::runtime_error("sessions cannot be put into a sandbox here (" + said
                           + "): " + advice());
}

// Has the runner make a whole sandbox, its network included. Returns its
// sentences for what does not hold; throws std::runtime_error with its reason
// where it cannot.
std::vector<std::string> try_out_runner(const host& on) {
  trial_session session{on};
  auto where = session.where();
  runner::runner_config config{where.session_id, "trial"};
  config.sandbox = make_plan(on, where);
  write_file_atomic(where.directory / runner::config_file, to_json(config),
                    0600, false);
  command program;
  program.argv = {on.runner.string(), "--try-out", where.directory.string()};
  if (const auto* path = std::getenv("PATH"))
    program.env = {std::string{"PATH="} + path};
  program.timeout = std::chrono::seconds{30};
  auto result = run_command(program);
  remove_groups(on.groups.directories(where.session_id));
  std::vector<std::string> lines;
  std::istringstream text{result.ok() ? result.out : result.err};
  for (std::string line; std::getline(text, line);)
    lines.push_back(line);
  if (!result.ok())
    throw std::runtime_error(lines.empty() ? "it gave no reason"
                                           : lines.front());
  return lines;
}

// slirp4netns shuts itself in as far as it can: an ordinary user's sees the
// node's files.
void try_out_nat(host& on) {
  const std::vector<std::vector<std::string>> ways{
    {"--enable-sandbox", "--enable-seccomp"}, {"--enable-seccomp"}, {}};
  std::string problem;
  for (const auto& options : ways) {
    on.nat_options = options;
    try {
      for (auto& line : try_out_runner(on))
        on.not_in_force.push_back(std::move(line));
      if (options.size() < ways[0].size())
        on.not_in_force.push_back(
          "slirp4netns, which carries the sessions' traffic, does not work "
          "with "
          + ways[0][ways[0].size() - options.size() - 1] + " here (" + problem
          + "), so it is less confined than it could be");
      return;
    } catch (const std::runtime_error& reason) {
      problem = reason.what();
    }
  }
  throw std::runtime_error("sandbox.network is \"nat\" but cannot be had here ("
                           + problem
                           + "): set sandbox.network to \"none\" or \"host\"");
}

// A user for each session where they can be had, else the node's own for all.
void try_out_users(host& on, const fs::path& sessions) {
  std::string why_not;
  on.users = session_users::find(sessions, on.runner, why_not);
  if (on.users) {
    try {
      try_out(on);
      return;
    } catch (const std::runtime_error& problem) {
      why_not = problem.what();
      on.users.reset();
    }
  }
  try_out(on);
  on.not_in_force.push_back(
    "all sessions are the node's user to the kernel (" + why_not
    + "), so what it limits by user, as epoll and inotify, one session can use "
      "up for the others and the node: "
    + (::geteuid() == 0
         ? "run the node where root can make user namespaces"
         : "install uidmap and give the node's user a range (usermod "
           "--add-subuids 200000-265535 --add-subgids 200000-265535 USER)"));
}

// What root's programs may do to the host's files without any capability.
void add_one_user(host& to) {
  if (::geteuid() == 0)
    to.not_in_force.push_back(
      std::string{"the node runs as root, so to the host's files the programs "
                  "of sessions are root without its capabilities"}
      + (has_devices(to.files) ? "" : ", and can change the mode of /dev/null")
      + ": run it as an ordinary user");
}

} // namespace

host check_host(const config& settings, const fs::path& runner) {
  host result;
  result.config = settings.sandbox;
  if (settings.sandbox.mode == sandbox_mode::none) {
    result.not_in_force.push_back(
      "sandbox.mode is \"none\": sessions run as the node's own user, with "
      "all that it may do");
    return result;
  }
  auto data_dir = fs::canonical(settings.node.data_dir);
  result.files = data_dir / "sandbox";
  result.runner = fs::canonical(runner);
  result.bwrap = find_program("bwrap");
  if (result.bwrap.empty())
    throw std::runtime_error("there is no bwrap to put sessions into a "
                             "sandbox: install bubblewrap");
  check_listed(settings.sandbox, data_dir);
  if (settings.sandbox.network == network_mode::nat)
    check_nat();
  ensure_dir(result.files);
  write_made_files(result.files);
  result.etc =
    std::make_shared<etc_copy>("/etc", made_etc(result.files), made_names());
  result.etc->refresh();
  make_mount_points(result);
  result.groups =
    control_groups::find({settings.sandbox.memory, settings.sandbox.pids,
                          settings.sandbox.processors});
  result.not_in_force = result.groups.missing();
  if (settings.sandbox.processors > 0) {
    result.taskset = find_program("taskset");
    if (result.taskset.empty())
      result.not_in_force.push_back("sandbox.processors is not what programs "
                                    "see: install util-linux's taskset");
  }
  try_out_users(result, sessions_dir(data_dir));
  if (!result.users)
    add_one_user(result);
  result.not_in_force.push_back(
    "what sessions hold on disk is measured, and limited some seconds late: "
    "give node.data_dir a file system of its own");
  if (settings.sandbox.network == network_mode::nat)
    try_out_nat(result);
  return result;
}

} // namespace greenroom::sandbox
