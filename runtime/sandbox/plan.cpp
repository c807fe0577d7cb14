#include "runtime/sandbox/plan.hpp"

#include "runtime/base/files.hpp"
#include "runtime/base/paths.hpp"
#include "runtime/sandbox/assets.hpp"
#include "runtime/sandbox/etc_copy.hpp"
#include "runtime/sandbox/processors.hpp"
#include "runtime/sandbox/session_users.hpp"

#include <glob.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <initializer_list>
#include <iterator>
#include <set>

namespace greenroom::sandbox {

namespace fs = std::filesystem;

namespace {

// For sockets and the like.
constexpr std::uint64_t runtime_dir_size = std::uint64_t{64} << 20;
constexpr std::uint64_t shared_run_size = std::uint64_t{1} << 20;

class options {
public:
  void add(std::initializer_list<std::string> words) {
    argv_.insert(argv_.end(), words);
  }
  /// From now on all directories that mounts need are open to everybody. bwrap
  /// makes some for its own user only.
  void open_parents() {
    opens_parents_ = true;
  }
  void read_only(const fs::path& from, const fs::path& to) {
    make_parents(to);
    add({"--ro-bind", from.string(), to.string()});
  }
  void read_only_if_there(const fs::path& path) {
    read_only_if_there(path, path);
  }
  void read_only_if_there(const fs::path& from, const fs::path& to) {
    make_parents(to);
    add({"--ro-bind-try", from.string(), to.string()});
  }
  void writable(const fs::path& from, const fs::path& to) {
    make_parents(to);
    add({"--bind", from.string(), to.string()});
  }
  void link(const fs::path& to, const fs::path& at) {
    make_parents(at);
    add({"--symlink", to.string(), at.string()});
  }
  void memory(const fs::path& at, std::uint64_t size,
              const char* mode = "1777") {
    make_parents(at);
    add({"--perms", mode, "--size", std::to_string(size), "--tmpfs",
         at.string()});
  }

  std::vector<std::string> take() {
    return std::move(argv_);
  }

private:
  void make_parents(const fs::path& of) {
    if (!opens_parents_)
      return;
    auto parent = of.parent_path();
    if (parent == parent.root_path() || !made_.insert(parent).second)
      return;
    make_parents(parent);
    add({"--perms", "0755", "--dir", parent.string()});
  }

  std::vector<std::string> argv_;
  bool opens_parents_ = false;
  std::set<fs::path> made_;
};

// Who runs it: the node's user under another number, or the session's own, for
// whom the namespaces are made before.
void add_user(options& to, const host& on,
              const std::optional<session_user>& own) {
  if (own) {
    to.open_parents();
    to.add({on.runner.string(), as_user_option,
            std::to_string(own->user) + ':' + std::to_string(own->group),
            on.bwrap.string(), "--cap-drop", "ALL"});
    for (auto capability : {"CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP"})
      to.add({"--cap-add", capability});
    return;
  }
  auto id = std::to_string(user_id);
  to.add({on.bwrap.string(), "--unshare-user", "--disable-userns", "--uid", id,
          "--gid", id, "--cap-drop", "ALL"});
}

void add_isolation(options& to, network_mode network) {
  to.add({"--unshare-ipc", "--unshare-pid", "--unshare-uts",
          "--unshare-cgroup-try"});
  if (network != network_mode::host)
    to.add({"--unshare-net"});
  to.add({"--hostname", host_name_inside, "--new-session", "--die-with-parent",
          "--clearenv"});
}

// In memory that bwrap has made for the node's user a session's own one makes
// its directory itself.
void add_runtime_dir(options& to, bool own_user) {
  const fs::path place = runtime_dir_inside;
  if (own_user)
    to.memory(place.parent_path(), runtime_dir_size);
  else
    to.memory(place, runtime_dir_size, "0700");
}

std::vector<fs::path> matches(const std::string& pattern) {
  ::glob_t found{};
  std::vector<fs::path> result;
  if (::glob(pattern.c_str(), 0, nullptr, &found) == 0)
    result.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
  ::globfree(&found);
  return result;
}

bool is_listed(const fs::path& path, const std::vector<std::string>& listed) {
  return std::any_of(listed.begin(), listed.end(),
                     [&](const auto& one) { return is_below(path, one); });
}

// /bin and its like are links into /usr on most systems of today.
void add_top_level(options& to, const std::vector<std::string>& listed) {
  for (const fs::path path : {"/bin", "/sbin", "/lib", "/lib32", "/lib64"}) {
    if (is_listed(path, listed))
      continue;
    std::error_code none;
    auto kind = fs::symlink_status(path, none).type();
    if (kind == fs::file_type::symlink)
      to.add({"--symlink", fs::read_symlink(path).string(), path.string()});
    else if (kind == fs::file_type::directory)
      to.read_only(path, path);
  }
}

// What a directory that is listed holds and no session may see.
void cover_secrets(options& to, const fs::path& listed) {
  std::error_code none;
  auto real = fs::canonical(listed, none);
  for (const auto& pattern : never_shown())
    for (const auto& secret : matches(pattern)) {
      if (!is_below(secret, real))
        continue;
      auto at = listed / secret.lexically_relative(real);
      if (fs::is_directory(secret, none))
        to.add({"--tmpfs", at.string(), "--remount-ro", at.string()});
      else
        to.read_only("/dev/null", at);
    }
}

// Parents first, or they would cover what lies below them.
std::vector<fs::path> in_order(const std::vector<std::string>& paths) {
  std::vector<fs::path> result(paths.begin(), paths.end());
  std::ranges::sort(result);
  return result;
}

void add_listed(options& to, const fs::path& path) {
  to.read_only(path, path);
  cover_secrets(to, path);
}

// The files of its own that some programs keep beside those in /usr and /etc,
// made when they were installed.
void add_state(options& to, const std::vector<std::string>& listed) {
  std::error_code none;
  for (const fs::path path :
       {"/var/cache/fontconfig", "/var/cache/man", "/var/cache/postgresql",
        "/var/lib/apt", "/var/lib/aspell", "/var/lib/dictionaries-common",
        "/var/lib/dpkg", "/var/lib/gems", "/var/lib/ghc",
        "/var/lib/ghostscript", "/var/lib/ispell", "/var/lib/sgml-base",
        "/var/lib/texmf", "/var/lib/xml-core"})
    if (!is_listed(path, listed) && fs::is_directory(path, none))
      to.read_only_if_there(path);
}

// What of /var everybody may write, unless something is listed there.
void add_links(options& to, const std::vector<std::string>& listed) {
  struct link {
    const char* at;
    const char* target;
  };
  for (const auto& [at, target] : {link{"/var/lib/php/sessions", "/tmp"},
                                   {"/var/lock", "/run/lock"},
                                   {"/var/run", "/run"},
                                   {"/var/tmp", "/tmp"}})
    if (!is_listed(at, listed)
        && std::ranges::none_of(
          listed, [at = at](const auto& one) { return is_below(one, at); }))
      to.link(target, at);
}

// With the host's network, its names too.
void add_etc(options& to, const host& on, network_mode network) {
  const fs::path etc = "/etc";
  to.read_only(made_etc(on.files), etc);
  if (on.etc)
    for (const auto& whole : on.etc->shown_whole())
      to.read_only_if_there(etc / whole);
  if (network == network_mode::host)
    for (const fs::path path : {"/etc/hosts", "/etc/resolv.conf"})
      to.read_only_if_there(path);
}

// Of the machine its processors, of control groups the session's own.
void add_machine(options& to, const control_groups& groups,
                 const std::string& session_id) {
  to.read_only_if_there("/sys/devices/system");
  for (const auto& view : groups.views(session_id))
    to.read_only_if_there(view.from, view.at);
}

// Which of the node's the session uses; empty: all.
std::string processors_of(const host& on, const std::string& session_id) {
  if (on.taskset.empty())
    return {};
  return processors_for(session_id, on.config.processors, own_processors());
}

// What a node that is root could read there without any capability, its
// sessions could too: it is covered by a file that cannot be opened.
void cover_proc(options& to) {
  for (auto name : {"keys", "kpagecgroup", "kpagecount", "kpageflags"}) {
    auto path = fs::path{"/proc"} / name;
    std::error_code none;
    if (fs::exists(path, none))
      to.read_only("/dev/null", path);
  }
}

void add_kernel(options& to, const fs::path& files, std::uint64_t memory,
                bool own_user) {
  to.add({"--proc", "/proc"});
  // These settings are the host's, and root may write them as their owner.
  to.read_only("/proc/sys", "/proc/sys");
  // What is root's is not another user's.
  if (::geteuid() == 0 && !own_user)
    cover_proc(to);
  to.add({"--dev", "/dev"});
  if (has_devices(files) && !own_user)
    for (auto name : device_names)
      to.add({"--dev-bind", (made_devices(files) / name).string(),
              (fs::path{"/dev"} / name).string()});
  to.memory("/dev/shm", memory);
  to.add({"--remount-ro", "/dev"});
}

std::uint64_t open_files() {
  constexpr rlim_t wanted = 65536;
  rlimit now{};
  ::getrlimit(RLIMIT_NOFILE, &now);
  return std::min(wanted, now.rlim_max);
}

// One that is there already, of a sandbox that runs, is the same.
void add_hooks(const fs::path& origin) {
  ensure_dir(origin, 0755);
  ensure_dir(origin / "hooks", 0755);
  std::error_code there;
  fs::create_symlink(git_connect_inside, origin / "hooks/pre-receive", there);
}

// The session can rename directories in what it can write, and so lead astray
// what the next sandbox mounts there: unless the topmost of them is a mount.
void hold_in_place(options& to, const std::vector<fs::path>& mounted) {
  std::set<fs::path> held;
  for (const fs::path top : {"/tmp", home_inside, checkout_inside})
    for (const auto& path : mounted)
      if (auto below = path.lexically_relative(top);
          !below.empty() && *below.begin() != ".." && below.has_parent_path())
        held.insert(top / *below.begin());
  for (const auto& path : held)
    to.memory(path, std::uint64_t{1} << 20, "0755");
}

} // namespace

std::vector<std::string> bwrap_argv(const host& on,
                                    const session_paths& session,
                                    network_mode network,
                                    const std::vector<fs::path>& read_only) {
  auto own = settle(on.users.get(), session.directory);
  auto listed = in_order(on.config.read_only);
  auto is_temporary = [](const fs::path& path) {
    return is_below(path, "/tmp");
  };
  std::vector<fs::path> later{session.mirror};
  later.insert(later.end(), read_only.begin(), read_only.end());
  std::ranges::copy_if(listed, std::back_inserter(later), is_temporary);

  options result;
  add_user(result, on, own);
  add_isolation(result, network);
  // Below it the host's, where that is listed.
  add_etc(result, on, network);
  for (const auto& path : listed)
    if (!is_temporary(path))
      add_listed(result, path);
  add_top_level(result, on.config.read_only);
  add_state(result, on.config.read_only);
  add_machine(result, on.groups, session.session_id);
  if (auto list = processors_of(on, session.session_id); !list.empty())
    result.read_only(made_processors(on.files, list), online_processors);
  add_kernel(result, on.files, on.config.memory / 2, own.has_value());
  add_runtime_dir(result, own.has_value());
  // Where programs of all users keep locks and sockets.
  for (const auto* shared : {"/run/lock", "/run/screen"})
    result.memory(shared, shared_run_size);
  result.writable(session.directory / "tmp", "/tmp");
  add_links(result, on.config.read_only);
  result.writable(session.directory / "home", home_inside);
  result.writable(session.checkout, checkout_inside);
  hold_in_place(result, later);
  for (const auto& path : listed)
    if (is_temporary(path))
      add_listed(result, path);
  result.read_only(session.mirror, session.mirror);
  result.read_only(on.runner, runner_inside);
  auto origin = session.directory / "origin";
  add_hooks(origin);
  result.read_only(origin, origin_inside);
  result.read_only_if_there(on.runner.parent_path() / "greenroom-git",
                            git_connect_inside);
  for (const auto& path : read_only)
    result.read_only(path, path);
  result.add({"--remount-ro", "/"});
  // The node's user may have no way into what the session has closed.
  if (!own)
    result.add({"--chdir", checkout_inside});
  return result.take();
}

std::optional<runner::sandbox_plan> make_plan(const host& on,
                                              const session_paths& session) {
  if (on.config.mode == sandbox_mode::none)
    return std::nullopt;
  if (on.etc)
    on.etc->refresh();
  runner::sandbox_plan result;
  result.argv = bwrap_argv(on, session, on.config.network, {});
  result.argv.push_back("--as-pid-1");
  if (auto list = processors_of(on, session.session_id); !list.empty())
    result.argv.insert(result.argv.begin(),
                       {on.taskset.string(), "--cpu-list", list});
  result.seccomp_file = made_seccomp(on.files).string();
  result.runner = runner_inside;
  result.checkout = checkout_inside;
  result.nat = on.config.network == network_mode::nat;
  result.nat_options = on.nat_options;
  result.host_network = on.config.network == network_mode::host;
  result.cgroups = on.groups.open(session.session_id);
  result.rlimits = {{"core", 0},
                    {"nofile", open_files()},
                    {"disk_tmp", on.config.tmp},
                    {"disk_all", on.config.disk},
                    {"disk_files", on.config.files}};
  // The kernel counts nothing of root's.
  if (!on.groups.limits_processes() && (on.users || ::geteuid() != 0))
    result.rlimits["nproc"] = on.config.pids;
  return result;
}

} // namespace greenroom::sandbox
