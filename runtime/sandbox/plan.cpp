#include "runtime/sandbox/plan.hpp"

#include "runtime/base/files.hpp"
#include "runtime/base/paths.hpp"
#include "runtime/sandbox/assets.hpp"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <initializer_list>

namespace greenroom::sandbox {

namespace fs = std::filesystem;

namespace {

constexpr const char* etc_inside = "/run/greenroom/etc";

class options {
public:
  explicit options(const fs::path& program) : argv_{program.string()} {}

  void add(std::initializer_list<std::string> words) {
    argv_.insert(argv_.end(), words);
  }
  void read_only(const fs::path& from, const fs::path& to) {
    add({"--ro-bind", from.string(), to.string()});
  }
  void read_only_if_there(const fs::path& path) {
    add({"--ro-bind-try", path.string(), path.string()});
  }
  void writable(const fs::path& from, const fs::path& to) {
    add({"--bind", from.string(), to.string()});
  }
  void memory(const fs::path& at, std::uint64_t size) {
    add({"--perms", "1777", "--size", std::to_string(size), "--tmpfs",
         at.string()});
  }

  std::vector<std::string> take() {
    return std::move(argv_);
  }

private:
  std::vector<std::string> argv_;
};

void add_isolation(options& to, network_mode network) {
  to.add({"--unshare-user", "--disable-userns", "--unshare-ipc",
          "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try"});
  if (network != network_mode::host)
    to.add({"--unshare-net"});
  to.add({"--uid", std::to_string(user_id), "--gid", std::to_string(user_id),
          "--hostname", host_name_inside, "--cap-drop", "ALL", "--new-session",
          "--die-with-parent", "--clearenv"});
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

void add_listed(options& to, const std::vector<std::string>& paths) {
  // Parents first, or they would cover what lies below them.
  std::vector<fs::path> sorted(paths.begin(), paths.end());
  std::sort(sorted.begin(), sorted.end());
  for (const auto& path : sorted)
    to.read_only(path, path);
  // A node that runs as root could read the keys there, and so could its
  // sessions.
  const fs::path keys = "/etc/ssl/private";
  std::error_code none;
  if (std::any_of(sorted.begin(), sorted.end(),
                  [&](const auto& path) { return is_below(keys, path); })
      && fs::is_directory(keys, none))
    to.add({"--tmpfs", keys.string(), "--remount-ro", keys.string()});
}

// Each mount makes the next one slower, so most of /etc is links into a single
// one. What sandbox.read_only lists comes from the host instead.
void add_etc(options& to, const fs::path& made,
             const std::vector<std::string>& listed, network_mode network) {
  const fs::path etc = "/etc";
  std::vector<const char*> from_host{"alternatives", "ld.so.cache"};
  // With the host's network, its names too.
  if (network == network_mode::host)
    from_host.insert(from_host.end(), {"hosts", "resolv.conf"});
  for (auto name : from_host)
    if (!is_listed(etc / name, listed))
      to.read_only_if_there(etc / name);
  to.read_only(made, etc_inside);
  for (const auto& entry : fs::directory_iterator{made}) {
    auto name = entry.path().filename();
    if (!is_listed(etc / name, listed)
        && std::find(from_host.begin(), from_host.end(), name)
             == from_host.end())
      to.add({"--symlink", (fs::path{etc_inside} / name).string(),
              (etc / name).string()});
  }
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

void add_kernel(options& to, const fs::path& files, std::uint64_t memory) {
  to.add({"--proc", "/proc"});
  // These settings are the host's, and root may write them as their owner.
  to.read_only("/proc/sys", "/proc/sys");
  if (::geteuid() == 0)
    cover_proc(to);
  to.add({"--dev", "/dev"});
  if (has_devices(files))
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

} // namespace

std::vector<std::string> bwrap_argv(const host& on, const place& session,
                                    network_mode network,
                                    const std::vector<fs::path>& read_only) {
  auto home = session.directory / "home";
  ensure_dir(home);
  auto half = on.config.memory / 2;

  options result{on.bwrap};
  add_isolation(result, network);
  add_listed(result, on.config.read_only);
  add_top_level(result, on.config.read_only);
  add_etc(result, made_etc(on.files), on.config.read_only, network);
  add_kernel(result, on.files, half);
  // Before what is below /tmp in the directory of a node that is tried out.
  result.memory("/tmp", half);
  result.add({"--symlink", "/tmp", "/var/tmp"});
  result.writable(home, home_inside);
  result.writable(session.checkout, checkout_inside);
  result.read_only(session.mirror, session.mirror);
  result.read_only(on.runner, runner_inside);
  for (const auto& path : read_only)
    result.read_only(path, path);
  result.add({"--remount-ro", "/", "--chdir", checkout_inside});
  return result.take();
}

std::optional<runner::sandbox_plan> make_plan(const host& on,
                                              const place& session) {
  if (on.config.mode == sandbox_mode::none)
    return std::nullopt;
  runner::sandbox_plan result;
  result.argv = bwrap_argv(on, session, on.config.network, {});
  result.argv.push_back("--as-pid-1");
  result.seccomp_file = made_seccomp(on.files).string();
  result.runner = runner_inside;
  result.checkout = checkout_inside;
  result.nat = on.config.network == network_mode::nat;
  result.nat_options = on.nat_options;
  result.cgroups = on.groups.open(session.session_id);
  result.rlimits = {{"core", 0}, {"nofile", open_files()}};
  if (!on.groups.limits_processes() && ::geteuid() != 0)
    result.rlimits["nproc"] = on.config.pids;
  return result;
}

} // namespace greenroom::sandbox
