#include "runtime/git/inside/nested_work.hpp"

#include "runtime/git/inside/cloned_work.hpp"
#include "runtime/git/inside/finding.hpp"
#include "runtime/git/inside/lfs.hpp"

#include <algorithm>
#include <set>

namespace greenroom::git {

namespace fs = std::filesystem;

namespace {

constexpr int max_depth = 16; // of repositories in repositories
constexpr const char* too_deep = "it lies in too many others";

// As a part of a name that needs no directory.
std::string one_part(const std::string& path, std::set<std::string>& taken) {
  std::string part;
  for (auto c : path.substr(0, 100))
    part += (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z')
                || (c >= 'A' && c <= 'Z') || c == '_'
              ? c
              : '-';
  if (part.starts_with('-'))
    part.front() = '_';
  auto result = part;
  for (int i = 2; !taken.insert(result).second; ++i)
    result = part + '-' + std::to_string(i);
  return result;
}

struct linked_tree {
  fs::path path;
  std::string detached; // its HEAD, if that is on no branch
};

std::vector<linked_tree> linked(const repo& in, const repo::facts& at) {
  std::error_code none;
  if (!fs::exists(at.common / "worktrees", none))
    return {};
  auto text = in.ask({{"worktree", "list", "--porcelain", "-z"}},
                     "list linked work trees");
  constexpr std::string_view mark = "worktree ";
  constexpr std::string_view head = "HEAD ";
  std::vector<linked_tree> result;
  std::string last;
  for (const auto& line : split(text, '\0'))
    if (line.starts_with(mark))
      result.push_back({line.substr(mark.size()), {}});
    else if (line.starts_with(head))
      last = line.substr(head.size());
    else if (line == "detached" && !result.empty())
      result.back().detached = last;
  auto main = fs::weakly_canonical(in.top());
  std::erase_if(result, [&](const auto& one) {
    return fs::weakly_canonical(one.path) == main;
  });
  return result;
}

std::string enumerated(const std::vector<std::string>& all) {
  constexpr std::size_t max_named = 20; // the rest does not fit a sentence
  std::string text;
  for (std::size_t i = 0; i < std::min(all.size(), max_named); ++i)
    text += (i == 0 ? "" : ", ") + all[i];
  if (all.size() > max_named)
    text += ", and " + std::to_string(all.size() - max_named) + " more";
  return text;
}

// Of a directory that is there. What cannot be looked into may have some.
bool has_files(const fs::path& top) {
  std::error_code error;
  if (!fs::is_directory(fs::symlink_status(top, error)))
    return false;
  for (fs::recursive_directory_iterator each{top, error}, end;
       !error && each != end; each.increment(error))
    if (std::error_code odd; !fs::is_directory(each->symlink_status(odd)))
      return true;
  return static_cast<bool>(error);
}

void append(std::vector<std::string>& to, std::vector<std::string> more) {
  to.insert(to.end(), std::make_move_iterator(more.begin()),
            std::make_move_iterator(more.end()));
}

class gatherer {
public:
  gatherer(named_work& to, const repo& session, const tree_saving& how)
    : to_(to), session_(session), how_(how) {}

  void skip(const repo::facts& at, const fs::path& top) {
    mark_done(top);
    mark_done(at.dir);
  }

  // What is no part of the repository itself: `shown` and `/`, or nothing,
  // stand before the paths.
  void around(const repo& in, const repo::facts& at,
              std::vector<std::string> inside, bool ignored,
              const std::string& shown, int depth) {
    guard("linked work trees", [&] {
      for (const auto& tree : linked(in, at))
        if (mark_done(tree.path))
          guard("the linked work tree " + tree.path.string(),
                [&] { add_linked(tree, depth); });
    });
    beside(in, at, std::move(inside), ignored, shown, depth);
  }

private:
  // Of a work tree: the repositories in it.
  void beside(const repo& in, const repo::facts& at,
              std::vector<std::string> inside, bool ignored,
              const std::string& shown, int depth) {
    guard("repositories below ignored paths", [&] {
      if (!ignored)
        return;
      auto found =
        ignored_repositories(in, max_ignored_depth, max_ignored_directories);
      append(inside, std::move(found.paths));
      if (!found.all)
        add_note(to_, "below ignored paths not all was looked at for "
                      "repositories");
    });
    for (const auto& path : inside)
      if (mark_done(in.top() / path))
        guard("the repository in " + shown + path,
              [&] { add_inside(in.top() / path, shown + path, depth); });
    add_modules(at.dir, shown, depth);
  }

  // One part that fails does not hold the others up.
  template <class F>
  void guard(const std::string& what, F&& part) {
    try {
      part();
    } catch (const std::exception& fault) {
      add_left(to_, what, fault.what());
    }
  }

  bool mark_done(const fs::path& path) {
    std::error_code none;
    auto real = fs::weakly_canonical(path, none);
    return done_.insert(none ? path.lexically_normal() : real).second;
  }

  void add_linked(const linked_tree& tree, int depth) {
    const auto& path = tree.path;
    std::error_code none;
    if (!fs::exists(path / ".git", none)) {
      // Of a repository inside only a work tree can be asked what is its own.
      if (depth == 0 && !tree.detached.empty())
        to_.objects.push_back(
          {"worktrees/" + one_part(path.filename(), taken_) + "/detached",
           tree.detached,
           "HEAD, which was on no branch, of the linked work tree "
             + path.string()});
      add_note(to_, "the linked work tree " + path.string()
                      + " could not be reached, and what was not committed in "
                        "it is not kept");
      return;
    }
    clear_odd_files(path, how_.mode == stage_mode::rescue);
    repo inner{path, {}};
    auto at = inner.look();
    named_work found;
    add_detached(found, inner, at);
    add_put_aside(found, at);
    auto inside = add_tree(found, inner, at);
    auto part = one_part(path.filename(), taken_);
    if (depth > 0) // of a repository inside
      add_found(inner, at, std::move(found), part, path.string());
    else
      add_under(to_, "worktrees/" + part + '/',
                "of the linked work tree " + path.string(), std::move(found));
    beside(inner, at, std::move(inside), true, path.filename().string() + '/',
           depth + 1);
  }

  // Answers the repositories in it.
  std::vector<std::string> add_tree(named_work& to, const repo& in,
                                    const repo::facts& at) const {
    staged_files found;
    if (auto tree = save_tree(in, at, how_, found))
      to.objects.push_back({"tree", *tree, "what was not committed"});
    add_remarks(to, found, how_.mode);
    return std::move(found.embedded);
  }

  void add_inside(const fs::path& top, const std::string& shown, int depth) {
    std::error_code none;
    const auto is_repository = fs::exists(top / ".git", none);
    if (!is_repository && !has_files(top))
      return; // a submodule that is not checked out
    if (depth > max_depth) {
      add_left(to_, "the repository in " + shown, too_deep);
      return;
    }
    auto name = one_part(shown, taken_);
    if (!is_repository) { // where git looks at nothing all the same
      add_only_files(top, name, shown, {}, depth);
      return;
    }
    repo inner{top, {}};
    repo::facts at;
    try {
      clear_odd_files(top, how_.mode == stage_mode::rescue);
      at = inner.look();
    } catch (const std::exception& fault) {
      add_only_files(top, name, shown, fault.what(), depth);
      return;
    }
    mark_done(at.dir);
    std::vector<std::string> deeper;
    try {
      auto own = named_commits(inner, at);
      deeper = add_tree(own, inner, at);
      add_found(inner, at, std::move(own), name, shown);
    } catch (const std::exception& fault) {
      deeper = add_files(top, name, shown, fault.what());
    }
    around(inner, at, std::move(deeper), true, shown + '/', depth + 1);
  }

  void add_found(const repo& inner, const repo::facts& at, named_work own,
                 const std::string& name, const std::string& shown) {
    auto found = unpublished(inner, at, std::move(own));
    std::vector<std::string> ids;
    for (const auto& one : found.own.objects)
      ids.push_back(one.id);
    const auto store = lfs_directory(at, lfs_storage(inner));
    auto contents = save_contents(
      inner, at, lfs_contents_of(inner, store, ids, found.published), how_.by);
    auto work = is_known(found.boundary)
                  ? std::move(found.own)
                  : work_of_clone(inner, std::move(found), shown, how_.by);
    if (contents)
      work.objects.push_back({"lfs", *contents, lfs_contents});
    if (!work.objects.empty())
      work.stores.push_back(at.common / "objects");
    add_under(to_, "nested/" + name + '/', "of the repository in " + shown,
              std::move(work));
  }

  // Then its history is kept anyway, and it can have it.
  bool is_known(const std::vector<std::string>& boundary) const {
    auto commits = commits_behind(session_, boundary);
    return std::ranges::find(commits, "") == commits.end();
  }

  // And the repositories in it.
  void add_only_files(const fs::path& top, const std::string& name,
                      const std::string& shown, const std::string& why,
                      int depth) {
    for (const auto& path : add_files(top, name, shown, why))
      guard("the repository in " + shown + '/' + path,
            [&] { add_inside(top / path, shown + '/' + path, depth + 1); });
  }

  // Of a repository that cannot be used. What a `.git` that leads nowhere had
  // is not there any more. Answers the repositories in it.
  std::vector<std::string> add_files(const fs::path& top,
                                     const std::string& name,
                                     const std::string& shown,
                                     const std::string& why) {
    named_work found;
    staged_files remarks;
    auto tree = save_files(session_, top, {}, how_, remarks);
    found.objects.push_back({"tree", tree, "the files"});
    add_remarks(found, remarks, how_.mode);
    if (git_directory(top).empty())
      add_note(found, "no commits are there");
    else
      add_left(found, "commits", why);
    add_under(to_, "nested/" + name + '/', "of the repository in " + shown,
              std::move(found));
    return std::move(remarks.embedded);
  }

  void add_modules(const fs::path& git_dir, const std::string& shown,
                   int depth) {
    for (const auto& dir : module_directories(git_dir))
      if (mark_done(dir)) {
        auto path =
          shown + dir.lexically_relative(git_dir / "modules").string();
        if (depth > max_depth) {
          add_left(to_, "the submodule " + path, too_deep);
          continue;
        }
        guard("the submodule " + path + ", which is not checked out", [&] {
          auto inner = repo::without_files(dir);
          auto at = inner.look();
          add_found(inner, at, named_commits(inner, at), one_part(path, taken_),
                    path);
          add_modules(dir, path + '/', depth + 1);
        });
      }
  }

  named_work& to_;
  const repo& session_;
  const tree_saving& how_;
  std::set<std::string> taken_; // names
  std::set<fs::path> done_;     // work trees and git directories
};

} // namespace

void add_others(named_work& to, const repo& in, const repo::facts& at,
                const std::vector<std::string>& inside, bool ignored,
                const tree_saving& how) {
  gatherer all{to, in, how};
  all.skip(at, in.top());
  all.around(in, at, inside, ignored, {}, 0);
}

void add_remarks(named_work& to, const staged_files& found, stage_mode mode) {
  if (!found.unfiltered.empty())
    add_note(to, "kept as it is, since git could not convert it: "
                   + enumerated(found.unfiltered));
  auto left = found.left_out;
  append(left, found.closed);
  if (left.empty())
    return;
  add_note(to,
           "what could not be read is not kept elsewhere: " + enumerated(left));
  // A checkpoint is without what its user has closed.
  to.complete =
    to.complete && found.left_out.empty() && mode == stage_mode::look;
}

} // namespace greenroom::git
