#include "runtime/git/session/warm_tree.hpp"

#include "runtime/base/remove_tree.hpp"
#include "runtime/git/session/checkout_files.hpp"
#include "runtime/git/session/tree_bound.hpp"

#include <string_view>
#include <utility>
#include <vector>

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

bool is_special(const git_tree_entry* entry) {
  return entry != nullptr
         && (git_tree_entry_type(entry) == GIT_OBJECT_COMMIT
             || std::string_view{git_tree_entry_name(entry)}
                  == ".gitattributes");
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

std::uint64_t size_of(git_odb* objects, const git_oid& id) {
  std::size_t size = 0;
  git_object_t type = GIT_OBJECT_INVALID;
  return git_odb_read_header(&size, &type, objects, &id) == 0 ? size : 0;
}

// Two trees beside each other, until more is of no interest. A tree may have
// directories without end in it, and no file: so what is looked at counts, too.
class comparison {
public:
  comparison(git_repository* repo, std::size_t most)
    : repo_(repo), most_(most) {
    check(git_repository_odb(receive(objects_), repo), warm_failure);
  }

  tree_distance run(tree_handle from, tree_handle to) {
    compare(from.get(), to.get());
    while (!pairs_.empty() && !is_enough()) {
      const auto next = pairs_.back();
      pairs_.pop_back();
      compare(tree_at(next.first).get(), tree_at(next.second).get());
    }
    if (steps_ > most_steps())
      found_.files = most_ + 1;
    return found_;
  }

private:
  // Some directories lie on the way to each file.
  std::size_t most_steps() const {
    return 16 * most_ + 1000;
  }

  bool is_enough() const {
    return found_.special || found_.files > most_ || found_.bytes > most_bytes
           || steps_ > most_steps();
  }

  tree_handle tree_at(const git_oid& id) {
    tree_handle tree;
    if (!git_oid_is_zero(&id))
      check(git_tree_lookup(receive(tree), repo_, &id), warm_failure);
    return tree;
  }

  void compare(const git_tree* from, const git_tree* to) {
    const auto count = to == nullptr ? 0 : git_tree_entrycount(to);
    for (std::size_t i = 0; i < count && !is_enough(); ++i) {
      const auto* now = git_tree_entry_byindex(to, i);
      const auto* before = entry_of(from, git_tree_entry_name(now));
      if (before == nullptr || !is_same(before, now))
        take(before, now);
    }
    const auto gone = from == nullptr ? 0 : git_tree_entrycount(from);
    for (std::size_t i = 0; i < gone && !is_enough(); ++i) {
      const auto* before = git_tree_entry_byindex(from, i);
      if (entry_of(to, git_tree_entry_name(before)) == nullptr)
        take(before, nullptr);
    }
  }

  static const git_tree_entry* entry_of(const git_tree* tree,
                                        const char* name) {
    return tree == nullptr ? nullptr : git_tree_entry_byname(tree, name);
  }

  static bool is_same(const git_tree_entry* one, const git_tree_entry* other) {
    return git_tree_entry_filemode(one) == git_tree_entry_filemode(other)
           && git_oid_equal(git_tree_entry_id(one), git_tree_entry_id(other));
  }

  void take(const git_tree_entry* before, const git_tree_entry* now) {
    ++steps_;
    if (is_directory(before) || is_directory(now))
      pairs_.emplace_back(directory(before), directory(now));
    const auto* old_file = is_directory(before) ? nullptr : before;
    const auto* new_file = is_directory(now) ? nullptr : now;
    if (old_file == nullptr && new_file == nullptr)
      return;
    ++found_.files;
    found_.special =
      found_.special || is_special(old_file) || is_special(new_file);
    if (new_file != nullptr)
      found_.bytes += size_of(objects_.get(), *git_tree_entry_id(new_file));
  }

  static bool is_directory(const git_tree_entry* entry) {
    return entry != nullptr && git_tree_entry_type(entry) == GIT_OBJECT_TREE;
  }

  // All zeros where it is none.
  static git_oid directory(const git_tree_entry* entry) {
    return is_directory(entry) ? *git_tree_entry_id(entry) : git_oid{};
  }

  git_repository* repo_;
  std::size_t most_;
  odb_handle objects_;
  std::vector<std::pair<git_oid, git_oid>> pairs_; // yet to be compared
  std::size_t steps_ = 0;
  tree_distance found_;
};

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
  return comparison{repo.get(), most_that_differ(files)}.run(std::move(one),
                                                             std::move(other));
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
