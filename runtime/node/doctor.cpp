#include "runtime/node/doctor.hpp"

#include "http/server/listening.hpp"
#include "runtime/base/run_command.hpp"
#include "runtime/git/common/refs.hpp"
#include "runtime/git/mirror/credentials.hpp"
#include "runtime/git/mirror/git_process.hpp"
#include "runtime/git/mirror/upstream_client.hpp"
#include "runtime/node/certificates.hpp"
#include "runtime/store/connection.hpp"
#include "runtime/store/projects.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/timex.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <optional>

namespace greenroom {

namespace fs = std::filesystem;

namespace {

using enum check_state;

constexpr std::chrono::seconds upstream_timeout{20};

/// The first line that a program prints; empty where there is no such program.
std::string first_line_of(std::vector<std::string> argv) {
  command what;
  what.argv = std::move(argv);
  const auto* path = std::getenv("PATH");
  what.env = {"LC_ALL=C", std::string{"PATH="}
                            + (path != nullptr ? path : "/usr/bin:/bin")};
  what.timeout = std::chrono::seconds{20};
  try {
    auto result = run_command(what);
    return result.ok() ? result.out.substr(0, result.out.find('\n'))
                       : std::string{};
  } catch (const std::exception&) {
    return {};
  }
}

host_check program_check(const char* name, const std::string& program,
                         const char* help) {
  auto version = first_line_of({program, "--version"});
  if (version.empty())
    return {name, fault, program + " is not there, or does not run", help};
  return {name, fine, std::move(version), {}};
}

/// "git version 2.39.5" -> 2, 39.
std::pair<int, int> version_in(std::string_view text) {
  std::pair<int, int> result{0, 0};
  auto at = text.find_first_of("0123456789");
  if (at == text.npos)
    return result;
  const auto* end = text.data() + text.size();
  auto [dot, error] = std::from_chars(text.data() + at, end, result.first);
  if (error == std::errc{} && dot != end)
    std::from_chars(dot + 1, end, result.second);
  return result;
}

host_check git_check() {
  constexpr std::pair oldest{2, 38}; // `git merge-tree --write-tree`
  constexpr auto* help = "install git 2.38 or later";
  auto found = program_check("git", "git", help);
  if (found.state == fine && version_in(found.text) < oldest)
    return {"git", fault, found.text + " is too old to merge with", help};
  return found;
}

/// In a process of its own, which is in none then.
host_check user_namespace_check() {
  auto child = ::fork();
  if (child == 0)
    ::_exit(::unshare(CLONE_NEWUSER) == 0 ? 0 : errno);
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) != child || !WIFEXITED(status))
    return {"user namespaces", warning, "they could not be tried", {}};
  if (auto error = WEXITSTATUS(status); error != 0)
    return {"user namespaces", fault,
            std::string{"the kernel makes none for this user ("}
              + std::strerror(error) + ')',
            "set the sysctls user.max_user_namespaces to 10000 and, where "
            "there are such, kernel.unprivileged_userns_clone to 1 and "
            "kernel.apparmor_restrict_unprivileged_userns to 0; a container "
            "has to be given leave by its host"};
  return {"user namespaces", fine, "can be made", {}};
}

void examine_kernel(std::vector<host_check>& to, const config& settings) {
  to.push_back(git_check());
  if (settings.sandbox.mode == sandbox_mode::none)
    return;
  to.push_back(user_namespace_check());
  to.push_back(program_check("bubblewrap", "bwrap", "install bubblewrap"));
  if (settings.sandbox.network == network_mode::nat)
    to.push_back(program_check("network helper", "slirp4netns",
                               "install slirp4netns, or set sandbox.network "
                               "to \"none\" or \"host\""));
}

fs::path existing_part(fs::path path) {
  std::error_code none;
  while (!fs::exists(path, none) && path.has_relative_path())
    path = path.parent_path();
  return path;
}

/// How long a small write takes to be on disk; nullopt: nothing can be written.
std::optional<std::chrono::microseconds> sync_time(const fs::path& dir) {
  auto name = (dir / ".greenroom-XXXXXX").string();
  unique_fd file{::mkostemp(name.data(), O_CLOEXEC)};
  if (!file)
    return std::nullopt;
  ::unlink(name.c_str());
  std::array<std::chrono::steady_clock::duration, 5> taken{};
  const std::array<char, 4096> block{};
  for (auto& one : taken) {
    auto begin = std::chrono::steady_clock::now();
    if (::write(file.get(), block.data(), block.size()) < 0
        || ::fdatasync(file.get()) != 0)
      return std::nullopt;
    one = std::chrono::steady_clock::now() - begin;
  }
  std::ranges::sort(taken);
  return std::chrono::duration_cast<std::chrono::microseconds>(
    taken[taken.size() / 2]);
}

host_check disk_check(const fs::path& dir) {
  constexpr std::uint64_t little = std::uint64_t{5} << 30;
  constexpr std::chrono::milliseconds slow{50};
  struct statvfs about {};
  if (::statvfs(dir.c_str(), &about) != 0)
    return {"disk", warning, dir.string() + ": " + std::strerror(errno), {}};
  auto free = std::uint64_t{about.f_bavail} * about.f_frsize;
  auto text =
    fmt::format("{:.1f} GiB free at {}", std::ldexp(free, -30), dir.string());
  if (free < little)
    return {"disk", warning, text,
            "make room: a checkout, its home and /tmp of each session lie "
            "there; a full disk begins no session"};
  if (about.f_files != 0 && about.f_favail < about.f_files / 20)
    return {"disk", warning, text + ", but hardly any inodes",
            "make room: every file of every checkout takes one"};
  auto took = sync_time(dir);
  if (!took)
    return {"disk", warning, text + ", but nothing could be synced to it", {}};
  text += fmt::format(", {:.1f} ms to sync a write", took->count() / 1000.0);
  if (*took > slow)
    return {"disk", warning, text,
            "take a faster disk for node.data_dir: every change waits for it"};
  return {"disk", fine, text, {}};
}

host_check descriptor_check(const config& settings) {
  ::rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const auto wanted = http::descriptors_for(
    settings.http.max_connections, settings.cluster.listen.has_value());
  auto text = std::to_string(limit.rlim_max) + " at most";
  if (limit.rlim_max >= wanted)
    return {"descriptors", fine, text, {}};
  return {"descriptors", warning,
          text + ", too few for the "
            + std::to_string(settings.http.max_connections)
            + " connections of http.max_connections",
          "raise the limit to " + std::to_string(wanted)
            + " (LimitNOFILE= in the unit, ulimit -Hn), or lower "
              "http.max_connections"};
}

/// The projects that the node has; of the file alone where there is no store
/// yet. Adds how the store is.
std::vector<project_record> examine_store(std::vector<host_check>& to,
                                          const config& settings,
                                          const fs::path& data_dir) {
  auto result = settings.projects;
  const auto& url = settings.storage.url;
  if (store::is_embedded(url)
      && !fs::exists(store::store_file(url, data_dir))) {
    to.push_back({"store",
                  fine,
                  store::store_file(url, data_dir).string()
                    + " is made at the first start",
                  {}});
    return result;
  }
  try {
    store::connection db{url, data_dir, settings.storage.sync};
    std::vector<store::unread_project> unread;
    for (auto& stored : store::projects(db, &unread))
      if (std::ranges::none_of(
            result, [&](const auto& known) { return known.id == stored.id; }))
        result.push_back(std::move(stored));
    to.push_back({"store", fine, store::store_name(url), {}});
    for (auto& one : unread)
      to.push_back({"store", warning, std::move(one.why),
                    "start the newer program that wrote it; this one does not "
                    "serve the project"});
  } catch (const store::unavailable& e) {
    // libpq says it in several lines.
    auto why = e.detail();
    std::ranges::replace(why, '\n', ' ');
    to.push_back({"store", fault, store::store_name(url) + ": " + why,
                  "see storage.url, and whether the database runs and lets "
                  "this user in"});
  } catch (const std::exception& e) {
    // A database that no node has begun has no tables.
    to.push_back({"store", warning, store::store_name(url) + ": " + e.what(),
                  "the first start makes its tables"});
  }
  return result;
}

command_result look_at_upstream(const fs::path& scratch,
                                const git::credentials& keys,
                                const std::string& url) {
  auto access = keys.to(url);
  git::server_git look{scratch, {"ls-remote", "--quiet", "--", url, "HEAD"}};
  look.env = std::move(access.env);
  look.timeout = upstream_timeout;
  return git::run(look);
}

void examine_upstreams(std::vector<host_check>& to, const config& settings,
                       const std::vector<project_record>& projects) {
  scratch_dir scratch;
  git::credentials keys;
  try {
    keys = {settings.git.credentials, program_beside("greenroom-git"),
            scratch.path() / "known_hosts", settings.git.proxy};
    git::run({scratch.path(), {"init", "--quiet", "--bare"}});
  } catch (const std::exception& e) {
    to.push_back({"upstreams", fault, e.what(), {}});
    return;
  }
  for (const auto& project : projects) {
    auto where = git::without_credentials(project.repo);
    auto name = "upstream of " + project.id;
    auto add_fault = [&](const std::string& why, const char* help) {
      to.push_back({name, fault, where + ": " + why, help});
    };
    constexpr auto* settings_help =
      "see the project's repo, and git.credentials";
    try {
      auto result = look_at_upstream(scratch.path(), keys, project.repo);
      constexpr std::size_t sha256_digits = 64;
      if (result.ok() && result.out.find('\t') == sha256_digits)
        add_fault(git::upstream_client::other_hash, "");
      else if (result.ok())
        to.push_back({name, fine, where, {}});
      else if (auto known = git::fault_of_repository(result.err))
        add_fault(*known, "");
      else
        add_fault(git::reason(result), settings_help);
    } catch (const std::exception& e) {
      add_fault(e.what(), settings_help);
    }
  }
}

host_check clock_check() {
  ::timex about{};
  if (::adjtimex(&about) < 0)
    return {"clock",
            warning,
            std::string{"it cannot be asked: "} + std::strerror(errno),
            {}};
  if ((about.status & STA_UNSYNC) != 0)
    return {"clock", warning, "nothing keeps it right",
            "run a time service (systemd-timesyncd, chrony) here or on the "
            "host: sessions and keys expire by it"};
  return {"clock", fine, "is kept right", {}};
}

const char* name_of(check_state state) {
  switch (state) {
    case fine:
      return "ok";
    case warning:
      return "warning";
    case fault:
      break;
  }
  return "fault";
}

} // namespace

std::vector<host_check> examine_host(const config& settings) {
  auto result = start_checks(settings);
  const auto data_dir = fs::absolute(settings.node.data_dir).lexically_normal();
  examine_kernel(result, settings);
  result.push_back(disk_check(existing_part(data_dir)));
  result.push_back(descriptor_check(settings));
  auto projects = examine_store(result, settings, data_dir);
  examine_upstreams(result, settings, projects);
  examine_certificates(result, settings);
  result.push_back(clock_check());
  return result;
}

std::string to_text(const std::vector<host_check>& checks) {
  std::size_t widest = 0;
  for (auto& one : checks)
    widest = std::max(widest, one.name.size());
  std::string result;
  for (auto& one : checks) {
    result += fmt::format("{:<8} {:<{}}  {}\n", name_of(one.state), one.name,
                          widest, one.text);
    if (!one.help.empty())
      result += fmt::format("{:<8} {:<{}}  -> {}\n", "", "", widest, one.help);
  }
  return result;
}

nlohmann::ordered_json to_json(const std::vector<host_check>& checks) {
  auto list = nlohmann::ordered_json::array();
  for (auto& one : checks) {
    nlohmann::ordered_json item{
      {"name", one.name}, {"status", name_of(one.state)}, {"text", one.text}};
    if (!one.help.empty())
      item["help"] = one.help;
    list.push_back(std::move(item));
  }
  return {{"ok", !has_fault(checks)}, {"checks", std::move(list)}};
}

bool has_fault(const std::vector<host_check>& checks) {
  return std::ranges::any_of(checks,
                             [](auto& one) { return one.state == fault; });
}

} // namespace greenroom
