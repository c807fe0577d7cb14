#include "runtime/sandbox/session_users.hpp"

#include "runtime/base/files.hpp"
#include "runtime/base/find_program.hpp"
#include "runtime/base/remove_tree.hpp"
#include "runtime/base/run_command.hpp"
#include "runtime/base/throw_errno.hpp"
#include "runtime/base/walk_tree.hpp"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <iterator>
#include <sstream>
#include <stdexcept>
#include <unordered_set>
#include <utility>

namespace greenroom::sandbox {

namespace fs = std::filesystem;

namespace {

// Beyond what distributions, systemd and subuid files give to anybody.
constexpr user_range of_root{0x70000000, 0x70000000, 65536};

std::optional<std::uint32_t> number(std::string_view text) {
  std::uint32_t result = 0;
  auto end = text.data() + text.size();
  auto read = std::from_chars(text.data(), end, result);
  if (text.empty() || read.ec != std::errc{} || read.ptr != end)
    return std::nullopt;
  return result;
}

// A container has only some of the host's users.
bool is_mapped(const char* map, std::uint32_t first, std::uint32_t count) {
  std::istringstream lines{read_file(fs::path{map}).value_or("")};
  for (std::uint64_t inside, outside, size; lines >> inside >> outside >> size;)
    if (inside <= first && first + std::uint64_t{count} <= inside + size)
      return true;
  return false;
}

std::string name_of(uid_t user) {
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, 16384> buffer;
  if (::getpwuid_r(user, &entry, buffer.data(), buffer.size(), &found) != 0
      || !found)
    return {};
  return found->pw_name;
}

std::optional<user_range> range_of(uid_t user) {
  auto name = name_of(user);
  auto users =
    granted(read_file(fs::path{"/etc/subuid"}).value_or(""), name, user);
  auto groups =
    granted(read_file(fs::path{"/etc/subgid"}).value_or(""), name, user);
  if (users && groups)
    return user_range{users->first, groups->first,
                      std::min(users->second, groups->second)};
  if (user != 0)
    return std::nullopt;
  return of_root;
}

// Whose it is, unless the node's own; nothing where it is not there.
struct found_owner {
  bool there = false;
  std::optional<session_user> other;
};

found_owner owner_of(const fs::path& path) {
  struct stat info;
  if (::lstat(path.c_str(), &info) != 0)
    return {};
  if (info.st_uid == ::geteuid())
    return {true, std::nullopt};
  return {true, session_user{info.st_uid, info.st_gid}};
}

struct made_directory {
  const char* name;
  mode_t mode;
};
constexpr std::array<made_directory, 2> made_directories{
  {{"home", 0755}, {"tmp", 01777}}};

bool is_there(const fs::path& path) {
  std::error_code none;
  return fs::exists(fs::symlink_status(path, none));
}

fs::path unfinished(const fs::path& path) {
  auto result = path;
  result += ".new";
  return result;
}

void make_unfinished(const fs::path& path, mode_t mode,
                     const furnish_home& furnish) {
  auto made = unfinished(path);
  remove_tree(made);
  ensure_dir(made);
  if (::chmod(made.c_str(), mode) != 0)
    throw_errno("cannot make " + path.string());
  if (furnish && path.filename() == "home")
    furnish(made);
}

void make_directories_of_node(const fs::path& session,
                              const furnish_home& furnish) {
  for (const auto& one : made_directories)
    if (auto path = session / one.name; !is_there(path)) {
      make_unfinished(path, one.mode, furnish);
      fs::rename(unfinished(path), path);
    }
}

void change_owner_here(const fs::path& path, uid_t user, gid_t group,
                       bool deep) {
  auto give = [&](int dir, const char* name) {
    if (::fchownat(dir, name, user, group, AT_SYMLINK_NOFOLLOW) != 0
        && errno != ENOENT)
      throw_errno("cannot give away " + std::string{name} + " of "
                  + path.string());
  };
  give(AT_FDCWD, path.c_str());
  if (deep && fs::is_directory(fs::symlink_status(path)))
    walk_tree(path, [&](const visited& it) { give(it.directory, it.name); });
}

} // namespace

std::optional<std::pair<std::uint32_t, std::uint32_t>>
granted(std::string_view text, std::string_view name, uid_t user) {
  std::optional<std::pair<std::uint32_t, std::uint32_t>> result;
  std::istringstream lines{std::string{text}};
  for (std::string line; std::getline(lines, line);) {
    auto second = line.rfind(':');
    auto first = second == line.npos || second == 0
                   ? line.npos
                   : line.rfind(':', second - 1);
    if (first == line.npos)
      continue;
    std::string_view whole{line};
    auto who = whole.substr(0, first);
    auto from = number(whole.substr(first + 1, second - first - 1));
    auto count = number(whole.substr(second + 1));
    if ((who.empty() || who != name) && who != std::to_string(user))
      continue;
    if (from && count && *count > 0 && (!result || result->second < *count))
      result = {*from, *count};
  }
  return result;
}

std::shared_ptr<session_users>
session_users::find(fs::path sessions, fs::path runner, std::string& why_not) {
  auto user = ::geteuid();
  auto range = range_of(user);
  if (!range) {
    why_not = "its user has no range in /etc/subuid and /etc/subgid";
    return nullptr;
  }
  if (user != 0 && find_program("newuidmap").empty()) {
    why_not = "there is no newuidmap: install uidmap";
    return nullptr;
  }
  if (!is_mapped("/proc/self/uid_map", range->first_user, range->count)
      || !is_mapped("/proc/self/gid_map", range->first_group, range->count)) {
    why_not = "this container has no such users";
    return nullptr;
  }
  range->start = static_cast<std::uint32_t>(
    std::hash<std::string>{}(sessions.string()) % range->count);
  return std::make_shared<session_users>(*range, std::move(sessions),
                                         std::move(runner));
}

session_users::session_users(user_range range, fs::path sessions,
                             fs::path runner)
  : range_(range), sessions_(std::move(sessions)), runner_(std::move(runner)) {}

std::optional<session_user>
session_users::settle(const fs::path& session, const furnish_home& furnish,
                      const std::optional<session_user>& kept) {
  std::lock_guard guard{mutex_};
  auto found = owner_of(session / "home");
  if (!found.there)
    found = owner_of(session / "checkout");
  auto whose = found.there ? found.other : kept ? kept : std::optional{next()};
  if (whose)
    make_directories(session, *whose, furnish);
  else
    make_directories_of_node(session, furnish);
  return whose;
}

// Never there without their owner, who is what tells whose the session is.
void session_users::make_directories(const fs::path& session,
                                     const session_user& whose,
                                     const furnish_home& furnish) const {
  std::vector<fs::path> made;
  for (const auto& one : made_directories)
    if (auto path = session / one.name; !is_there(path)) {
      take_back({unfinished(path)});
      make_unfinished(path, one.mode, furnish);
      made.push_back(std::move(path));
    }
  std::vector<fs::path> given;
  std::ranges::transform(made, std::back_inserter(given), unfinished);
  if (!given.empty())
    give(given, whose);
  for (const auto& path : made)
    fs::rename(unfinished(path), path);
}

session_user session_users::next() {
  if (free_.empty())
    look_for_free();
  if (free_.empty())
    throw std::runtime_error(
      "all " + std::to_string(range_.count)
      + " users for sessions are taken: give the node's user a longer range in "
        "/etc/subuid and /etc/subgid, or drop what ended sessions have kept");
  auto offset = free_.back();
  free_.pop_back();
  return {range_.first_user + offset, range_.first_group + offset};
}

// What is of a user may be under any name in a session's directory.
void session_users::look_for_free() {
  std::unordered_set<uid_t> taken;
  std::error_code none;
  for (const auto& session : fs::directory_iterator{sessions_, none})
    for (const auto& entry : fs::directory_iterator{session.path(), none})
      if (auto owner = owner_of(entry.path()); owner.other)
        taken.insert(owner.other->user);
  for (auto i = range_.count; i-- > 0;) {
    auto offset = static_cast<std::uint32_t>((std::uint64_t{range_.start} + i)
                                             % range_.count);
    if (!taken.contains(range_.first_user + offset))
      free_.push_back(offset);
  }
}

std::vector<std::string> session_users::reaching_all() const {
  return {runner_.string(), "--over-users",
          std::to_string(range_.first_user) + ':'
            + std::to_string(range_.first_group) + ':'
            + std::to_string(range_.count)};
}

void session_users::give(const std::vector<fs::path>& paths,
                         const session_user& whose) const {
  change_owner(paths, whose.user, whose.group, true);
}

void session_users::give_checkout(
  const fs::path& top, const session_user& whose,
  const std::function<void()>& in_between) const {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator{top})
    if (entry.path().filename() != ".git")
      files.push_back(entry.path());
  change_owner(files, whose.user, whose.group, true);
  in_between();
  give_top(top, whose);
}

void session_users::give_top(const fs::path& top,
                             const session_user& whose) const {
  change_owner({top / ".git"}, whose.user, whose.group, true);
  change_owner({top}, whose.user, whose.group, false);
}

void session_users::take_back(const std::vector<fs::path>& paths) const {
  if (::geteuid() == 0)
    return;
  std::vector<fs::path> others;
  std::ranges::copy_if(
    paths, std::back_inserter(others),
    [](const fs::path& path) { return owner_of(path).other.has_value(); });
  change_owner(others, ::geteuid(), ::getegid(), true);
}

// An ordinary user's node by a program that may: in its eyes the node's user is
// 0 and the range begins at 1.
void session_users::change_owner(const std::vector<fs::path>& paths, uid_t user,
                                 gid_t group, bool deep) const {
  constexpr std::size_t at_once = 500;
  if (::geteuid() == 0) {
    for (const auto& path : paths)
      change_owner_here(path, user, group, deep);
    return;
  }
  auto inside = [](auto id, auto own, auto first) {
    return std::to_string(id == own ? 0 : id - first + 1);
  };
  auto owner = inside(user, ::geteuid(), range_.first_user) + ':'
               + inside(group, ::getegid(), range_.first_group);
  for (std::size_t from = 0; from < paths.size(); from += at_once) {
    command what;
    what.argv = reaching_all();
    for (auto word : {"chown", deep ? "-hR" : "-h", "--", owner.c_str()})
      what.argv.emplace_back(word);
    for (auto i = from; i < std::min(from + at_once, paths.size()); ++i)
      what.argv.push_back(paths[i].string());
    what.env = {"LC_ALL=C", "PATH=/usr/local/bin:/usr/bin:/bin"};
    what.timeout = std::chrono::minutes{30};
    auto result = run_command(what);
    if (!result.ok())
      throw std::runtime_error("cannot change the owner of a session's files: "
                               + result.err.substr(0, result.err.find('\n')));
  }
}

std::optional<session_user> settle(session_users* users,
                                   const fs::path& session,
                                   const furnish_home& furnish,
                                   const std::optional<session_user>& kept) {
  if (users)
    return users->settle(session, furnish, kept);
  make_directories_of_node(session, furnish);
  return std::nullopt;
}

void take_back(const session_users* users, const std::vector<fs::path>& paths) {
  if (users)
    users->take_back(paths);
}

} // namespace greenroom::sandbox
