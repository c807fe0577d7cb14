#include "runtime/git/session/checkout.hpp"

#include "messages/errors.hpp"
#include "runtime/base/fd.hpp"
#include "runtime/base/files.hpp"
#include "runtime/base/remove_tree.hpp"
#include "runtime/base/walk_tree.hpp"
#include "runtime/git/mirror/git_process.hpp"
#include "runtime/git/mirror/handles.hpp"
#include "runtime/git/session/branch_position.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace greenroom::git {

namespace fs = std::filesystem;

namespace {

constexpr const char* failure = "cannot make the session's checkout";

void set_up(git_repository* repo, const checkout_spec& spec) {
  config_handle config;
  check(git_repository_config(receive(config), repo), failure);
  auto set = [&](const std::string& key, const std::string& value) {
    check(git_config_set_string(config.get(), key.c_str(), value.c_str()),
          failure);
  };
  // git_remote_create would write the same, but it leaks memory (1.5.1).
  set("remote.origin.url", spec.origin.url);
  set("remote.origin.fetch", "+refs/heads/*:refs/remotes/origin/*");
  if (!spec.origin.proxy.empty()) {
    set("core.gitProxy", spec.origin.proxy);
    // As lfs_settings has it in the home, which pushes to here do not read.
    const auto& proxy = spec.origin.proxy;
    set("lfs.https://greenroom.standalonetransferagent", "greenroom");
    set("lfs.https://greenroom.locksverify", "false");
    set("lfs.customtransfer.greenroom.path",
        proxy.substr(0, proxy.find(" for ")));
    set("lfs.customtransfer.greenroom.args", "lfs");
    set("lfs.customtransfer.greenroom.concurrent", "false");
  }
  // A plain `git push` is enough for a branch that the upstream has not yet.
  set("push.autoSetupRemote", "true");
  // So that a plain `git pull` knows what to pull.
  if (spec.upstream_refs.contains("heads/" + spec.branch)) {
    set("branch." + spec.branch + ".remote", "origin");
    set("branch." + spec.branch + ".merge", "refs/heads/" + spec.branch);
  }
}

// All at once as git itself would pack them: one file however many they are.
void write_upstream_refs(const fs::path& git, const checkout_spec& spec) {
  constexpr std::string_view heads = "heads/";
  std::map<std::string, std::string> named;
  for (const auto& [name, id] : spec.upstream_refs)
    if (name.starts_with(heads))
      named["refs/remotes/origin/" + name.substr(heads.size())] = id;
    else
      named["refs/" + name] = id;
  std::string text;
  for (const auto& [name, id] : named)
    text += id + ' ' + name + '\n';
  if (!text.empty())
    write_file_atomic(git / "packed-refs", text, 0644, false);
  auto head = "refs/remotes/origin/" + spec.origin.default_branch;
  if (!named.contains(head))
    return;
  fs::create_directories(git / "refs/remotes/origin");
  write_file_atomic(git / "refs/remotes/origin/HEAD", "ref: " + head + '\n',
                    0644, false);
}

// What stands in the tree is whatever somebody has pushed, and of any size:
// git writes it, in a process of its own with a bound, not this one. Nobody but
// us has written in this repository yet, so there is nothing for git to run.
constexpr std::uint64_t max_memory = std::uint64_t{2} << 30;
constexpr std::chrono::minutes checkout_timeout{10};

void read_tree(const fs::path& top, std::vector<std::string> args) {
  args.insert(args.begin(), "read-tree");
  server_git call{top / ".git", std::move(args)};
  call.cwd = top;
  call.timeout = checkout_timeout;
  call.max_memory = max_memory;
  auto result = run(call);
  if (result.ok())
    return;
  auto why = reason(result);
  if (why.find("ut of memory") != why.npos)
    throw refused{
      errc::conflict,
      std::string{failure}
        + ": a file of the branch needs more than 2 GiB of memory "
          "to be unpacked; have Git LFS keep it, or make it smaller"};
  throw std::runtime_error{std::string{failure} + ": " + why};
}

void check_out(git_repository* repo, const fs::path& top,
               const checkout_spec& spec) {
  auto ref = "refs/heads/" + spec.branch;
  if (!spec.commit.empty()) {
    auto id = to_oid(spec.commit);
    reference_handle made;
    check(git_reference_create(receive(made), repo, ref.c_str(), &id, 0,
                               "greenroom: create"),
          failure);
  }
  check(git_repository_set_head(repo, ref.c_str()), failure);
  if (!spec.work_tree.empty()) {
    read_tree(top, {"--reset", "-u", spec.work_tree});
    // The index is the branch's, as after `git reset`.
    read_tree(top, {spec.commit.empty() ? "--empty" : "HEAD"});
  } else if (!spec.commit.empty()) {
    read_tree(top, {"--reset", "-u", "HEAD"});
  }
}

// A stash needs its log to be seen, and has older ones only there.
void write_others(git_repository* repo, const checkout_spec& spec) {
  for (const auto& [name, commit] : spec.others) {
    auto id = to_oid(commit);
    auto ref = "refs/" + name;
    check(git_reference_ensure_log(repo, ref.c_str()), failure);
    reference_handle made;
    check(git_reference_create(receive(made), repo, ref.c_str(), &id, 1,
                               "greenroom: restored from a checkpoint"),
          failure);
  }
}

// git compares whole seconds, and reads every file again whose time lies in the
// second in which the index was written: of a new checkout all of them, at each
// `git status` until something writes the index anew. So they are a little
// older than the index. What is changed later has a time of its own then.
constexpr time_t age = 2;

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

void make_older(git_repository* repo, const fs::path& top) {
  index_handle index;
  check(git_repository_index(receive(index), repo), failure);
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

git_index_time note(const timespec& time) {
  return {static_cast<std::int32_t>(time.tv_sec),
          static_cast<std::uint32_t>(time.tv_nsec)};
}

// Notes in the index whose the files are and when they were changed, which
// giving them away has done too.
void note_files(git_repository* repo, const fs::path& top,
                const std::optional<std::uint32_t>& seen_owner) {
  index_handle index;
  check(git_repository_index(receive(index), repo), failure);
  opened_directory opened{top};
  for (std::size_t i = 0; i < git_index_entrycount(index.get()); ++i) {
    auto entry = *git_index_get_byindex(index.get(), i);
    auto [dir, name] = place_of(opened, entry);
    struct stat info;
    if (was_checked_out(entry)
        && ::fstatat(dir, name, &info, AT_SYMLINK_NOFOLLOW) == 0) {
      entry.mtime = note(info.st_mtim);
      entry.ctime = note(info.st_ctim);
    }
    if (seen_owner)
      entry.uid = entry.gid = *seen_owner;
    check(git_index_add(index.get(), &entry), failure);
  }
  // Notes in the index which trees there are. Without that the first commit
  // would write all of them again: inside, where the mirror's objects cannot be
  // touched, none of them counts as there.
  git_oid tree;
  check(git_index_write_tree_to(&tree, index.get(), repo), failure);
  check(git_index_write(index.get()), failure);
}

// Puts thousands of files on disk with a single fsync, as git does in its
// "batch" mode: first all are on their way, then all have arrived, then one
// fsync commits what the file system knows of them.
void sync_below(const fs::path& top) {
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

// One at a time makes or places a checkout: the one whom it was made for may
// have died, and be born again, while its request was still being served.
class place_lock {
public:
  explicit place_lock(const fs::path& checkout)
    : fd_(::open(checkout.parent_path().c_str(),
                 O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    int result = -1;
    do
      result = fd_ ? ::flock(fd_.get(), LOCK_EX) : -1;
    while (fd_ && result != 0 && errno == EINTR);
    if (result != 0)
      throw std::system_error(errno, std::generic_category(),
                              "cannot lock " + checkout.parent_path().string());
  }

private:
  unique_fd fd_;
};

void build(const fs::path& top, const checkout_spec& spec) {
  git_repository_init_options options = GIT_REPOSITORY_INIT_OPTIONS_INIT;
  options.flags = GIT_REPOSITORY_INIT_MKPATH | GIT_REPOSITORY_INIT_NO_REINIT;
  repository_handle repo;
  check(git_repository_init_ext(receive(repo), top.c_str(), &options), failure);
  auto git = top / ".git";
  fs::remove_all(git / "hooks");
  fs::create_directory(git / "hooks");
  write_file_atomic(git / "objects/info/alternates",
                    (spec.paths.mirror / "objects").string() + '\n', 0644,
                    false);
  write_upstream_refs(git, spec);
  set_up(repo.get(), spec);
  check_out(repo.get(), top, spec);
  write_others(repo.get(), spec);
  make_older(repo.get(), top);
  auto note = [&] { note_files(repo.get(), top, spec.seen_owner); };
  if (spec.owner)
    spec.users->give_checkout(top, *spec.owner, note);
  else
    note();
}

} // namespace

fs::path unplaced(const fs::path& checkout) {
  auto result = checkout;
  result += ".partial";
  return result;
}

void make_checkout(const checkout_spec& spec) {
  start_library();
  const auto& target = spec.paths.checkout;
  fs::create_directories(target.parent_path());
  place_lock lock{target};
  if (fs::exists(fs::symlink_status(target))) {
    if (!find_branch(target, spec.branch).checked_out)
      throw refused{errc::conflict,
                    "the session's checkout is there already, and not on "
                    "branch \""
                      + spec.branch + '"'};
    return;
  }
  const auto partial = unplaced(target);
  sandbox::take_back(spec.users.get(), {partial});
  remove_tree(partial);
  try {
    build(partial, spec);
  } catch (...) {
    // What lies there is taken for whole.
    sandbox::take_back(spec.users.get(), {partial});
    std::error_code none;
    fs::remove_all(partial, none);
    throw;
  }
}

void discard_unplaced(const fs::path& checkout) {
  if (!fs::exists(checkout.parent_path()))
    return;
  place_lock lock{checkout};
  remove_tree(unplaced(checkout));
}

void install_checkout(const fs::path& checkout, bool durable) {
  place_lock lock{checkout};
  if (fs::exists(fs::symlink_status(checkout)))
    return;
  const auto partial = unplaced(checkout);
  if (durable)
    sync_below(partial);
  fs::rename(partial, checkout);
  if (durable)
    sync_directory(checkout.parent_path());
}

} // namespace greenroom::git
