#include "runtime/git/session/warm_tree.hpp"

#include "runtime/base/remove_tree.hpp"
#include "runtime/git/session/checkout_files.hpp"
#include "runtime/git/session/tree_bound.hpp"

#include <string_view>

namespace greenroom::git {

namespace fs = std::filesystem;

namespace {

constexpr const char* warm_failure = "cannot compare two commits";

// Of more files than an eighth git writes all of them almost as fast.
std::size_t most_that_differ(std::size_t files) {
  return files / 8;
}

// A few files can be of any size: then all of the tree is looked at.
constexpr std::uint64_t most_bytes = std::uint64_t{256} << 20;

bool is_special(const git_diff_file& file) {
  constexpr std::string_view attributes = ".gitattributes";
  if (file.path == nullptr)
    return false;
  std::string_view path{file.path};
  return file.mode == GIT_FILEMODE_COMMIT
         || path.substr(path.rfind('/') + 1) == attributes;
}

tree_handle tree_of(git_repository* repo, const std::string& commit) {
  auto id = to_oid(commit);
  object_handle found;
  check(git_object_lookup(receive(found), repo, &id, GIT_OBJECT_COMMIT),
        warm_failure);
  object_handle tree;
  check(git_object_peel(receive(tree), found.get(), GIT_OBJECT_TREE),
        warm_failure);
  return tree_handle{reinterpret_cast<git_tree*>(tree.release())};
}

struct counting {
  tree_distance found;
  std::size_t most = 0;
  git_odb* objects = nullptr;
};

std::uint64_t size_of(git_odb* objects, const git_oid& id) {
  std::size_t size = 0;
  git_object_t type = GIT_OBJECT_INVALID;
  return git_odb_read_header(&size, &type, objects, &id) == 0 ? size : 0;
}

// Ends the comparison, by a code that nothing else answers, as soon as more is
// of no interest.
constexpr int enough = GIT_EUSER;

int count(const git_diff*, const git_diff_delta* delta, const char*,
          void* payload) {
  auto& to = *static_cast<counting*>(payload);
  ++to.found.files;
  if (is_special(delta->old_file) || is_special(delta->new_file))
    to.found.special = true;
  if (delta->status != GIT_DELTA_DELETED)
    to.found.bytes += size_of(to.objects, delta->new_file.id);
  return to.found.special || to.found.files > to.most
             || to.found.bytes > most_bytes
           ? enough
           : 0;
}

} // namespace

bool is_near(const tree_distance& between, std::size_t files) {
  return !between.special && between.files <= most_that_differ(files)
         && between.bytes <= most_bytes;
}

tree_distance distance(const fs::path& mirror, const std::string& from,
                       const std::string& to, std::size_t files) {
  if (from == to)
    return {};
  auto repo = open_mirror(mirror);
  auto one = tree_of(repo.get(), from);
  auto other = tree_of(repo.get(), to);
  git_diff_options options = GIT_DIFF_OPTIONS_INIT;
  options.flags = GIT_DIFF_INCLUDE_TYPECHANGE;
  handle<git_odb, git_odb_free> objects;
  check(git_repository_odb(receive(objects), repo.get()), warm_failure);
  counting counted{{}, most_that_differ(files), objects.get()};
  options.notify_cb = count;
  options.payload = &counted;
  diff_handle diff;
  auto code = git_diff_tree_to_tree(receive(diff), repo.get(), one.get(),
                                    other.get(), &options);
  if (code != enough)
    check(code, warm_failure);
  return counted.found;
}

warm_tree make_warm_tree(const warm_spec& spec) {
  const auto top = spec.dir / "tree";
  auto repo = make_repository(top, spec.mirror);
  check_tree(top / ".git", spec.commit, spec.limits);
  read_tree(top, {"--reset", "-u", spec.commit}, spec.stop_fd);
  make_older(repo.get(), top);
  if (spec.owner)
    spec.users->give(entries_of(top), *spec.owner);
  auto size = note_files(repo.get(), top, spec.seen_owner);
  repo.reset();
  fs::rename(top / ".git/index", spec.dir / "index");
  remove_tree(top / ".git");
  return {spec.dir, spec.commit, spec.owner, size};
}

void remove_warm_tree(const fs::path& dir,
                      const sandbox::session_users* users) {
  std::error_code none;
  if (!fs::is_directory(fs::symlink_status(dir, none)))
    return;
  auto all = entries_of(dir);
  if (fs::is_directory(fs::symlink_status(dir / "tree", none)))
    all = entries_of(dir / "tree");
  for (auto name : {"home", "tmp"})
    all.push_back(dir / name);
  sandbox::take_back(users, all);
  remove_tree(dir);
}

} // namespace greenroom::git
