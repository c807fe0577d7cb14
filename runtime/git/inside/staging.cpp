#include "runtime/git/inside/staging.hpp"

#include "runtime/base/files.hpp"

#include <stdlib.h>
#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <system_error>

namespace greenroom::git {

namespace fs = std::filesystem;

namespace {

constexpr const char* what_staging_is = "stage the files of the checkout";

bool is_there(const fs::path& path) {
  struct stat info;
  return ::lstat(path.c_str(), &info) == 0;
}

std::string with_zeros(const std::vector<std::string>& paths) {
  std::string result;
  for (const auto& path : paths)
    result += path + '\0';
  return result;
}

// Repositories below that are not in the index yet and have no commit.
std::vector<std::string> without_commit(const repo& in,
                                        const std::vector<std::string>& env) {
  std::vector<std::string> result;
  auto others = in.ask(
    {{"ls-files", "-o", "--exclude-standard", "-z"}, {}, env}, what_staging_is);
  for (auto& path : split(others, '\0')) {
    if (!path.ends_with('/'))
      continue;
    path.pop_back();
    if (!repo{in.top() / path, {}}.find(
          {{"rev-parse", "-q", "--verify", "HEAD"}}))
      result.push_back(std::move(path));
  }
  return result;
}

// What git would work on for longer than anybody waits, such as a file of
// holes.
constexpr off_t max_file = off_t{4} << 30;

struct large_file {
  std::string path;
  off_t size = 0;

  std::string described() const {
    return '\'' + path + "' has " + std::to_string(size >> 30)
           + " GiB, and git keeps no file of more than "
           + std::to_string(max_file >> 30);
  }
};

// Of those that git would add.
std::vector<large_file> too_large(const repo& in,
                                  const std::vector<std::string>& env) {
  command look;
  look.argv = {"find",   ".",
               "-path",  "./.git",
               "-prune", "-o",
               "-type",  "f",
               "-size",  '+' + std::to_string(max_file >> 30) + 'G',
               "-print", "-quit"};
  look.cwd = in.top();
  look.env = {"PATH=/usr/bin:/bin", "LC_ALL=C"};
  look.own_group = false;
  std::vector<large_file> result;
  if (run_command(look).out.empty())
    return result;
  auto changed =
    in.ask({{"ls-files", "-o", "-m", "--exclude-standard", "-z"}, {}, env},
           what_staging_is);
  for (auto& path : split(changed, '\0')) {
    struct stat info;
    if (::lstat((in.top() / path).c_str(), &info) == 0 && S_ISREG(info.st_mode)
        && info.st_size > max_file)
      result.push_back({std::move(path), info.st_size});
  }
  return result;
}

// What is neither file nor link has nothing that could be kept.
bool is_about_a_pipe(const std::string& complaint) {
  return complaint.find("can only add regular files") != complaint.npos;
}

// git tells of an embedded repository when it adds it, so only once.
command_result add(const repo& in, stage_mode mode,
                   const std::vector<std::string>& env,
                   const std::vector<std::string>& without,
                   staged_files& staged) {
  git_call call{{"add", "--all", "--ignore-errors"}, {}, env};
  if (mode != stage_mode::commit)
    call.args.push_back("--sparse");
  call.args.insert(call.args.end(), {"--", ":(top)"});
  for (const auto& path : without)
    call.args.push_back(":(top,exclude,literal)" + path);
  auto result = in.run(call);
  constexpr std::string_view added =
    "warning: adding embedded git repository: ";
  for (const auto& line : split(result.err, '\n'))
    if (line.starts_with(added))
      staged.embedded.push_back(line.substr(added.size()));
  return result;
}

// What git passes over without failing, though there may be something in it.
bool is_closed(const repo& in, const std::string& complaint) {
  if (complaint.starts_with("could not open directory"))
    return true;
  // "PATH: Permission denied"; a filter may say such a thing of its own.
  auto reason = complaint.rfind(": ");
  struct stat info;
  return reason != complaint.npos
         && ::lstat((in.top() / complaint.substr(0, reason)).c_str(), &info)
              != 0
         && (errno == EACCES || errno == EIO);
}

bool has_closed(const repo& in, const std::vector<std::string>& complaints) {
  return std::ranges::any_of(
    complaints, [&](const auto& one) { return is_closed(in, one); });
}

// Lets us read what its user has closed to everybody; it is all ours inside.
void open_up(const repo& in) {
  command what;
  what.argv = {"find",  ".",     "-type", "d",     "!",     "-perm",
               "-u=rx", "-exec", "chmod", "u+rwx", "{}",    ";",
               "-o",    "-type", "f",     "!",     "-perm", "-u=r",
               "-exec", "chmod", "u+r",   "{}",    "+"};
  what.cwd = in.top();
  what.env = {"PATH=/usr/bin:/bin", "LC_ALL=C"};
  what.timeout = std::chrono::seconds{60};
  what.own_group = false;
  run_command(what);
}

// A directory may tell names and nothing else of what is in it. At the first of
// them git gives up.
std::optional<std::string> names_only(const std::vector<std::string>& all) {
  constexpr std::string_view begin = "unable to stat '";
  for (const auto& complaint : all) {
    auto end = complaint.rfind("': ");
    if (!complaint.starts_with(begin) || end == complaint.npos)
      continue;
    auto path = complaint.substr(begin.size(), end - begin.size());
    if (auto dir = fs::path{path}.parent_path(); !dir.empty())
      return dir.string();
  }
  return std::nullopt;
}

// Adds again, after opening what can be opened, and without what cannot.
// Answers the last try.
command_result add_what_can_be(const repo& in, stage_mode mode,
                               const std::vector<std::string>& env,
                               staged_files& staged) {
  constexpr int max_tries = 20;
  if (mode == stage_mode::rescue)
    open_up(in);
  auto without = staged.without_commit;
  for (auto& file : too_large(in, env))
    without.push_back(std::move(file.path));
  for (int i = 0;; ++i) {
    auto result = add(in, mode, env, without, staged);
    auto dir = names_only(complaints(result));
    if (!dir || i == max_tries)
      return result;
    staged.left_out.push_back("could not look into '" + *dir + "/'");
    without.push_back(std::move(*dir));
  }
}

std::vector<std::string> identity(const author& from) {
  auto by = as_git_takes_it(from);
  return {"GIT_AUTHOR_NAME=" + by.name, "GIT_AUTHOR_EMAIL=" + by.email,
          "GIT_COMMITTER_NAME=" + by.name, "GIT_COMMITTER_EMAIL=" + by.email};
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

scratch_index::scratch_index(const repo& in, const repo::facts& at,
                             bool readable) {
  auto name = (fs::temp_directory_path() / "greenroom-index-XXXXXX").string();
  if (::mkdtemp(name.data()) == nullptr)
    throw std::system_error(errno, std::generic_category(),
                            "cannot make a temporary directory");
  dir_ = name;
  if (readable && fs::exists(at.index))
    fs::copy_file(at.index, dir_ / "index");
  else if (!readable
           && in.find({{"rev-parse", "-q", "--verify", "HEAD^{tree}"}}))
    in.ask({{"read-tree", "HEAD"}, {}, env()}, "read the tree of HEAD");
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

staged_files stage_all(const repo& in, stage_mode mode,
                       const std::vector<std::string>& env) {
  staged_files staged;
  std::vector<std::string> without;
  for (const auto& file : too_large(in, env)) {
    if (mode == stage_mode::commit)
      throw checkout_fault{"the file " + file.described()
                           + ": make it smaller, or have git ignore it"};
    staged.left_out.push_back(file.described());
    without.push_back(file.path);
  }
  auto result = add(in, mode, env, without, staged);
  if (!result.ok()) {
    staged.without_commit = without_commit(in, env);
    without.insert(without.end(), staged.without_commit.begin(),
                   staged.without_commit.end());
    if (!staged.without_commit.empty())
      result = add(in, mode, env, without, staged);
  }
  auto all = complaints(result);
  if (mode != stage_mode::commit && (!result.ok() || has_closed(in, all))) {
    result = add_what_can_be(in, mode, env, staged);
    all = complaints(result);
  }
  auto closed = has_closed(in, all);
  // A sparse checkout has files outside: they are left, to be rescued.
  auto outside =
    mode == stage_mode::commit
    && result.err.find("outside of your sparse-checkout") != std::string::npos;
  auto passable = !all.empty() && std::ranges::all_of(all, is_about_a_pipe);
  if ((result.ok() || passable || outside) && !closed)
    return staged;
  // Where git goes on after an error it says none that is fatal.
  if (mode == stage_mode::commit
      || result.err.find("fatal: ") != std::string::npos)
    fail(what_staging_is, result);
  std::erase_if(all, is_about_a_pipe);
  staged.left_out.insert(staged.left_out.end(), all.begin(), all.end());
  return staged;
}

void commit_staged(const repo& in, const author& by,
                   const std::string& message) {
  auto result =
    in.run({{"commit", "-q", "--no-verify", "--no-status", "--cleanup=verbatim",
             "--allow-empty-message", "-F", "-"},
            message.ends_with('\n') ? message : message + '\n',
            identity(by)});
  // There was nothing to commit: git says so, but not as an error.
  if (!result.ok() && (result.exit_code != 1 || !result.err.empty()))
    fail("commit in the session's repository", result);
}

std::string write_commit(const repo& in, const std::string& tree,
                         const std::vector<std::string>& parents,
                         const author& by, const std::string& message) {
  git_call call{{"commit-tree", "--no-gpg-sign"},
                message.ends_with('\n') ? message : message + '\n',
                identity(by)};
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
    return !is_there(in.top() / path); // not checked out on purpose
  });
  if (auto paths = with_zeros(known->overlooked); !paths.empty())
    for (auto flag : {"--no-assume-unchanged", "--no-skip-worktree"})
      in.ask({{"update-index", flag, "-z", "--stdin"}, paths, env},
             "look at files that it was told to overlook");
  auto added = stage_all(in, how.mode, env);
  found.left_out = std::move(added.left_out);
  auto& inside = found.embedded;
  inside = std::move(known->gitlinks);
  for (auto* more : {&added.embedded, &added.without_commit})
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
  return write_commit(in, tree, parents, how.by, how.message);
}

} // namespace greenroom::git
