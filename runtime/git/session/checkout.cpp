#include "runtime/git/session/checkout.hpp"

#include "messages/errors.hpp"
#include "runtime/base/failpoint.hpp"
#include "runtime/base/fd.hpp"
#include "runtime/base/files.hpp"
#include "runtime/base/remove_tree.hpp"
#include "runtime/git/mirror/handles.hpp"
#include "runtime/git/session/branch_position.hpp"
#include "runtime/git/session/checkout_files.hpp"
#include "runtime/git/session/tree_bound.hpp"

#include <spdlog/spdlog.h>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <exception>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace greenroom::git {

namespace fs = std::filesystem;

namespace {

void set_up(git_repository* repo, const checkout_spec& spec) {
  config_handle config;
  check(git_repository_config(receive(config), repo), checkout_failure);
  auto set = [&](const std::string& key, const std::string& value) {
    check(git_config_set_string(config.get(), key.c_str(), value.c_str()),
          checkout_failure);
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

// The branch, at its commit.
void write_branch(git_repository* repo, const checkout_spec& spec) {
  auto branch = "refs/heads/" + spec.branch;
  if (!spec.commit.empty()) {
    auto id = to_oid(spec.commit);
    reference_handle made;
    check(git_reference_create(receive(made), repo, branch.c_str(), &id, 0,
                               "greenroom: create"),
          checkout_failure);
  }
  check(git_repository_set_head(repo, branch.c_str()), checkout_failure);
}

void check_out(const fs::path& top, const checkout_spec& spec) {
  const auto git = top / ".git";
  if (!spec.work_tree.empty()) {
    // Of what lay in a session, whose files may have holes, the number only.
    check_tree(git, spec.work_tree, {spec.limits.files, 0});
    read_tree(top, {"--reset", "-u", spec.work_tree});
    // The index is the branch's, as after `git reset`.
    read_tree(top, {spec.commit.empty() ? "--empty" : "HEAD"});
  } else if (spec.warm) { // which was looked at, and is near
    read_tree(top, {"-m", "-u", spec.warm->commit, "HEAD"});
  } else if (!spec.commit.empty()) {
    check_tree(git, "HEAD", spec.limits);
    read_tree(top, {"--reset", "-u", "HEAD"});
  }
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

// True where two commits have the same files.
bool is_same(git_repository* repo, const std::string& one,
             const std::string& other) {
  auto tree_of = [&](const std::string& commit) {
    auto id = to_oid(commit);
    commit_handle found;
    check(git_commit_lookup(receive(found), repo, &id), checkout_failure);
    return *git_commit_tree_id(found.get());
  };
  auto first = tree_of(one);
  auto second = tree_of(other);
  return git_oid_equal(&first, &second) != 0;
}

// Makes the files, and gives them to whom they are to belong to.
tree_size fill(git_repository* repo, const fs::path& top,
               const checkout_spec& spec) {
  check_out(top, spec);
  make_older(repo, top);
  tree_size result;
  auto note = [&] { result = note_files(repo, top, spec.seen_owner); };
  if (spec.owner)
    spec.users->give_checkout(top, *spec.owner, note);
  else
    note();
  return result;
}

// The same of files that were made ahead: where they are those that are wanted,
// and of whom they are to be, there is nothing left to do with them.
tree_size adapt(git_repository* repo, const fs::path& top,
                const checkout_spec& spec) {
  fs::rename(spec.warm->dir / "index", top / ".git/index");
  failpoint("checkout.warm");
  if (!is_same(repo, spec.warm->commit, spec.commit)
      || spec.warm->owner != spec.owner) {
    sandbox::take_back(spec.users.get(), entries_of(top));
    return fill(repo, top, spec);
  }
  if (spec.owner)
    spec.users->give_top(top, *spec.owner);
  return spec.warm->size;
}

tree_size build(const fs::path& top, const checkout_spec& spec) {
  if (spec.warm)
    fs::rename(spec.warm->dir / "tree", top);
  auto repo = make_repository(top, spec.paths.mirror);
  write_upstream_refs(top / ".git", spec);
  set_up(repo.get(), spec);
  write_branch(repo.get(), spec);
  if (!spec.work_tree.empty())
    write_others(top, spec.paths.mirror, spec.others);
  return spec.warm ? adapt(repo.get(), top, spec) : fill(repo.get(), top, spec);
}

// What lies there may be another user's in part, if giving it away was cut
// short.
void clear(const fs::path& partial, const sandbox::session_users* users) {
  sandbox::take_back(users, {partial});
  std::error_code none;
  std::vector<fs::path> parts;
  for (const auto& entry : fs::directory_iterator{partial, none})
    parts.push_back(entry.path());
  sandbox::take_back(users, parts);
  remove_tree(partial);
}

// Whole or not at all: what lies there is taken for whole.
tree_size build_anew(const fs::path& partial, const checkout_spec& spec) {
  clear(partial, spec.users.get());
  try {
    return build(partial, spec);
  } catch (...) {
    try {
      clear(partial, spec.users.get());
    } catch (const std::exception&) {
      // Why it could not be made says more.
    }
    throw;
  }
}

} // namespace

fs::path unplaced(const fs::path& checkout) {
  auto result = checkout;
  result += ".partial";
  return result;
}

tree_size make_checkout(const checkout_spec& spec) {
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
    return {};
  }
  const auto partial = unplaced(target);
  if (spec.warm)
    try {
      return build_anew(partial, spec);
    } catch (const std::exception& e) {
      spdlog::warn("{} is made without the one that was ready: {}",
                   target.string(), e.what());
    }
  auto fresh = spec;
  fresh.warm = nullptr;
  return build_anew(partial, fresh);
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
    put_on_disk(partial);
  fs::rename(partial, checkout);
  if (durable)
    sync_directory(checkout.parent_path());
}

} // namespace greenroom::git
