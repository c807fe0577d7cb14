#include "runtime/git/inside/staging.hpp"

#include "runtime/base/files.hpp"

#include <stdlib.h>
#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <system_error>

namespace greenroom::git {

namespace fs = std::filesystem;

namespace {

bool is_entry(const fs::path& path) {
  struct stat info;
  return ::lstat(path.c_str(), &info) == 0;
}

std::string with_zeros(const std::vector<std::string>& paths) {
  std::string result;
  for (const auto& path : paths)
    result += path + '\0';
  return result;
}

std::vector<std::string> identity(const author& from) {
  auto by = as_git_takes_it(from);
  return {"GIT_AUTHOR_NAME=" + by.name, "GIT_AUTHOR_EMAIL=" + by.email,
          "GIT_COMMITTER_NAME=" + by.name, "GIT_COMMITTER_EMAIL=" + by.email};
}

bool is_nothing_staged(const repo& in) {
  return in
    .run({{"diff", "--cached", "--quiet", "--no-ext-diff", "--no-textconv",
           "--ignore-submodules=none"}})
    .ok();
}

} // namespace

std::optional<inventory> take_inventory(const repo& in,
                                        const std::vector<std::string>& env) {
  auto listed = in.find(
    {{"ls-files", "-s", "-v", "-z"}, {}, env, -1, std::size_t{1} << 30});
  if (!listed)
    return std::nullopt;
  inventory result;
  // "<tag> <mode> <id> <stage>\t<path>"
  for (const auto& entry : split(*listed, '\0')) {
    auto tab = entry.find('\t');
    if (tab == entry.npos || tab < 4)
      continue;
    auto path = entry.substr(tab + 1);
    if (entry[tab - 1] != '0'
        && (result.conflicts.empty() || result.conflicts.back() != path))
      result.conflicts.push_back(path);
    if (entry[0] == 'S' || std::islower(static_cast<unsigned char>(entry[0])))
      result.overlooked.push_back(path);
    if (entry.compare(2, 6, "160000") == 0)
      result.gitlinks.push_back(std::move(path));
  }
  return result;
}

scratch_index::scratch_index() {
  auto name = (fs::temp_directory_path() / "greenroom-index-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr)
    throw std::system_error(errno, std::generic_category(),
                            "cannot make a temporary directory");
  dir_ = name;
}

scratch_index::scratch_index(const repo& in, const repo::facts& at,
                             bool readable)
  : scratch_index() {
  if (readable && fs::exists(at.index)) {
    // By its index's age git tells for which files their times say nothing.
    auto written = fs::last_write_time(at.index);
    fs::copy_file(at.index, dir_ / "index");
    fs::last_write_time(dir_ / "index", written);
  } else if (!readable
             && in.find({{"rev-parse", "-q", "--verify", "HEAD^{tree}"}})) {
    in.ask({{"read-tree", "HEAD"}, {}, env()}, "read the tree of HEAD");
  }
}

scratch_index::~scratch_index() {
  std::error_code ignored;
  fs::remove_all(dir_, ignored);
}

std::vector<std::string> scratch_index::env() const {
  return {"GIT_INDEX_FILE=" + (dir_ / "index").string()};
}

void replace_index(const repo& in, const repo::facts& at) {
  auto aside = at.index;
  aside += ".damaged";
  std::error_code ignored;
  fs::rename(at.index, aside, ignored);
  if (in.find({{"rev-parse", "-q", "--verify", "HEAD^{tree}"}}))
    in.ask({{"read-tree", "HEAD"}}, "read the tree of HEAD");
}

void commit_staged(const repo& in, const author& by,
                   const std::string& message) {
  auto result =
    in.run({{"commit", "-q", "--no-verify", "--no-status", "--cleanup=verbatim",
             "--allow-empty-message", "-F", "-"},
            message.ends_with('\n') ? message : message + '\n',
            identity(by)});
  // There was nothing to commit: git says so, but not as an error, and may
  // warn beside.
  if (!result.ok()
      && (result.exit_code != 1
          || (!result.err.empty() && !is_nothing_staged(in))))
    fail("commit in the session's repository", result);
}

std::string write_commit(const repo& in, const std::string& tree,
                         const std::vector<std::string>& parents,
                         const author& by, const std::string& message,
                         bool timeless) {
  git_call call{{"commit-tree", "--no-gpg-sign"},
                message.ends_with('\n') ? message : message + '\n',
                identity(by)};
  if (timeless)
    call.env.insert(call.env.end(), {"GIT_AUTHOR_DATE=@0 +0000",
                                     "GIT_COMMITTER_DATE=@0 +0000"});
  for (const auto& parent : parents)
    call.args.insert(call.args.end(), {"-p", parent});
  call.args.push_back(tree);
  return in.ask(call, "write a commit");
}

std::optional<std::string> save_tree(const repo& in, const repo::facts& at,
                                     const tree_saving& how,
                                     staged_files& found) {
  auto known = take_inventory(in);
  scratch_index index{in, at, known.has_value()};
  auto env = index.env();
  if (!known)
    known = take_inventory(in, env);
  if (!known)
    throw checkout_fault{"the index of the session's repository cannot be "
                         "read, nor made anew from HEAD"};
  std::erase_if(known->overlooked, [&](const auto& path) {
    return !is_entry(in.top() / path); // not checked out on purpose
  });
  if (auto paths = with_zeros(known->overlooked); !paths.empty())
    for (auto flag : {"--no-assume-unchanged", "--no-skip-worktree"})
      in.ask({{"update-index", flag, "-z", "--stdin"}, paths, env},
             "look at files that it was told to overlook");
  auto added = stage_all(in, how.mode, env);
  found.left_out = std::move(added.left_out);
  found.closed = std::move(added.closed);
  found.unfiltered = std::move(added.unfiltered);
  auto& inside = found.embedded;
  inside = std::move(known->gitlinks);
  for (auto* more : {&added.embedded, &added.without_commit, &added.unusable})
    inside.insert(inside.end(), more->begin(), more->end());

  auto tree = in.ask({{"write-tree"}, {}, env},
                     "write the tree of the session's checkout");
  auto head = in.find({{"rev-parse", "-q", "--verify", "HEAD"}});
  auto before = head ? in.find({{"rev-parse", "-q", "--verify", "HEAD^{tree}"}})
                     : std::optional<std::string>{empty_tree};
  if (before == tree)
    return std::nullopt;
  std::vector<std::string> parents;
  if (head)
    parents.push_back(*head);
  if (auto merging = read_file(at.dir / "MERGE_HEAD"); merging && head)
    for (const auto& parent : split(*merging, '\n'))
      parents.push_back(parent);
  return write_commit(in, tree, parents, how.by, how.message,
                      how.mode == stage_mode::look);
}

namespace {

// A value of the attribute `filter`. What a cipher has in clear belongs to
// nobody else; of Git LFS the contents are as good as the pointers.
bool may_hide_something(std::string_view filter) {
  return filter != "unspecified" && filter != "unset" && filter != "set"
         && filter != "lfs";
}

} // namespace

std::string save_files(const repo& session, const fs::path& top,
                       const std::vector<std::string>& parents,
                       const tree_saving& how, staged_files& found) {
  // A repository without a setting, whose objects are the session's.
  scratch_index index;
  auto git = index.directory() / "git";
  for (const auto* part : {"objects", "refs"})
    fs::create_directories(git / part);
  write_file_atomic(git / "HEAD", "ref: refs/heads/none\n", 0600, false);
  auto common = session.look().common;
  if (std::error_code none; top == session.top()) {
    fs::create_directories(git / "info");
    fs::copy_file(common / "info/exclude", git / "info/exclude", none);
  }
  auto env = index.env();
  env.push_back("GIT_DIR=" + git.string());
  env.push_back("GIT_WORK_TREE=" + top.string());
  env.push_back("GIT_OBJECT_DIRECTORY=" + (common / "objects").string());
  auto in = session.at(top);
  auto filtered = files_with_filter(in, may_hide_something, env);
  auto staged = stage_all(in, how.mode, env, filtered);
  auto tree =
    in.ask({{"write-tree"}, {}, env}, "write the tree of a directory");
  found.left_out = std::move(staged.left_out);
  found.closed = std::move(staged.closed);
  for (const auto& path : filtered)
    found.left_out.push_back('\'' + path + "', whose filter could not be used");
  found.unfiltered = std::move(staged.unfiltered);
  for (auto* more :
       {&staged.embedded, &staged.without_commit, &staged.unusable})
    found.embedded.insert(found.embedded.end(), more->begin(), more->end());
  return write_commit(session, tree, parents, how.by, how.message,
                      how.mode == stage_mode::look);
}

} // namespace greenroom::git
