#include "runtime/git/session/checkout_files.hpp"

#include "messages/errors.hpp"
#include "runtime/base/fd.hpp"
#include "runtime/base/files.hpp"
#include "runtime/base/walk_tree.hpp"
#include "runtime/git/mirror/stoppable_git.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <ctime>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <utility>

namespace greenroom::git {

namespace fs = std::filesystem;

namespace {

// What stands in the tree is whatever somebody has pushed, and of any size:
// git writes it, in a process of its own with a bound, not this one. Nobody but
// us has written in this repository yet, so there is nothing for git to run.
constexpr std::uint64_t max_memory = std::uint64_t{2} << 30;
constexpr std::chrono::minutes checkout_timeout{10};

constexpr time_t age = 2; // seconds

bool was_checked_out(const git_index_entry& entry) {
  return entry.mtime.seconds != 0
         && (S_ISREG(entry.mode) || S_ISLNK(entry.mode));
}

struct entry_place {
  int directory;
  const char* name;
};

entry_place place_of(opened_directory& top, const git_index_entry& entry) {
  std::string_view path{entry.path};
  auto slash = path.rfind('/');
  if (slash == path.npos)
    return {top.at({}), entry.path};
  return {top.at(path.substr(0, slash)), entry.path + slash + 1};
}

// What git says of names that it does not take, or the file system does not;
// empty: it failed for another reason.
std::string fault_of_tree(std::string_view words) {
  constexpr std::size_t enough = 300;
  for (std::string_view mark : {"invalid path '", "File name too long"}) {
    auto at = words.find(mark);
    if (at == words.npos)
      continue;
    auto begin = words.rfind('\n', at) + 1; // 0 where there is none
    auto line = words.substr(begin, words.find('\n', at) - begin);
    for (std::string_view kind : {"error: ", "fatal: "})
      if (line.starts_with(kind))
        line.remove_prefix(kind.size());
    if (line.size() <= enough)
      return std::string{line};
    return std::string{line.substr(0, enough / 2)} + "…"
           + std::string{line.substr(line.size() - enough / 2)};
  }
  return {};
}

git_index_time note(const timespec& time) {
  return {static_cast<std::int32_t>(time.tv_sec),
          static_cast<std::uint32_t>(time.tv_nsec)};
}

} // namespace

repository_handle make_repository(const fs::path& top, const fs::path& mirror) {
  git_repository_init_options options = GIT_REPOSITORY_INIT_OPTIONS_INIT;
  options.flags = GIT_REPOSITORY_INIT_MKPATH | GIT_REPOSITORY_INIT_NO_REINIT;
  repository_handle repo;
  check(git_repository_init_ext(receive(repo), top.c_str(), &options),
        checkout_failure);
  auto git = top / ".git";
  fs::remove_all(git / "hooks");
  fs::create_directory(git / "hooks");
  write_file_atomic(git / "objects/info/alternates",
                    (mirror / "objects").string() + '\n', 0644, false);
  return repo;
}

void read_tree(const fs::path& top, std::vector<std::string> args,
               int stop_fd) {
  // Of what is there already git asks only when it was changed, for it may be
  // somebody else's by now.
  args.insert(args.begin(), {"-c", "core.checkStat=minimal", "read-tree"});
  server_git call{top / ".git", std::move(args)};
  call.cwd = top;
  call.timeout = checkout_timeout;
  call.max_memory = max_memory;
  auto result = run_until(call, stop_fd);
  if (!result)
    throw std::runtime_error{"the node stops"};
  if (result->ok())
    return;
  auto why = reason(*result);
  if (why.find("ut of memory") != why.npos)
    throw refused{
      errc::conflict,
      std::string{checkout_failure}
        + ": a file of the branch needs more than 2 GiB of memory "
          "to be unpacked; have Git LFS keep it, or make it smaller"};
  if (auto words = fault_of_tree(result->err); !words.empty())
    throw refused{errc::conflict,
                  std::string{checkout_failure} + ": git here says \"" + words
                    + "\"; begin from a commit without such a file"};
  throw std::runtime_error{std::string{checkout_failure} + ": " + why};
}

void make_older(git_repository* repo, const fs::path& top) {
  index_handle index;
  check(git_repository_index(receive(index), repo), checkout_failure);
  opened_directory opened{top};
  const std::array<timespec, 2> times{timespec{0, UTIME_OMIT},
                                      timespec{::time(nullptr) - age, 0}};
  for (std::size_t i = 0; i < git_index_entrycount(index.get()); ++i) {
    const auto* entry = git_index_get_byindex(index.get(), i);
    if (!was_checked_out(*entry))
      continue;
    auto [dir, name] = place_of(opened, *entry);
    // Of one that cannot be set the note stays true: git reads it again.
    static_cast<void>(
      ::utimensat(dir, name, times.data(), AT_SYMLINK_NOFOLLOW));
  }
}

tree_size note_files(git_repository* repo, const fs::path& top,
                     const std::optional<std::uint32_t>& seen_owner) {
  index_handle index;
  check(git_repository_index(receive(index), repo), checkout_failure);
  opened_directory opened{top};
  tree_size result;
  for (std::size_t i = 0; i < git_index_entrycount(index.get()); ++i) {
    auto entry = *git_index_get_byindex(index.get(), i);
    auto [dir, name] = place_of(opened, entry);
    struct stat info;
    if (was_checked_out(entry)
        && ::fstatat(dir, name, &info, AT_SYMLINK_NOFOLLOW) == 0) {
      entry.mtime = note(info.st_mtim);
      entry.ctime = note(info.st_ctim);
      ++result.files;
      result.bytes += entry.file_size;
    }
    if (seen_owner)
      entry.uid = entry.gid = *seen_owner;
    check(git_index_add(index.get(), &entry), checkout_failure);
  }
  // Notes in the index which trees there are. Without that the first commit
  // would write all of them again: inside, where the mirror's objects cannot be
  // touched, none of them counts as there.
  git_oid tree;
  check(git_index_write_tree_to(&tree, index.get(), repo), checkout_failure);
  check(git_index_write(index.get()), checkout_failure);
  return result;
}

// Puts thousands of files on disk with a single fsync, as git does in its
// "batch" mode: first all are on their way, then all have arrived, then one
// fsync commits what the file system knows of them.
void put_on_disk(const fs::path& top) {
  for (auto flags : {SYNC_FILE_RANGE_WRITE, SYNC_FILE_RANGE_WAIT_BEFORE
                                              | SYNC_FILE_RANGE_WRITE
                                              | SYNC_FILE_RANGE_WAIT_AFTER})
    walk_tree(top, [&](const visited& it) {
      if (it.type != DT_REG)
        return;
      unique_fd fd{
        ::openat(it.directory, it.name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC)};
      if (!fd
          || ::sync_file_range(fd.get(), 0, 0, static_cast<unsigned>(flags))
               != 0)
        throw std::system_error(errno, std::generic_category(),
                                "cannot sync " + std::string{it.name} + " of "
                                  + top.string());
    });
  sync_directory(top);
}

std::vector<fs::path> entries_of(const fs::path& top) {
  std::vector<fs::path> result;
  for (const auto& entry : fs::directory_iterator{top})
    if (entry.path().filename() != ".git")
      result.push_back(entry.path());
  return result;
}

} // namespace greenroom::git
