#include "runtime/git/common/merge_tree.hpp"

#include "runtime/base/files.hpp"

#include <stdlib.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>
#include <stdexcept>
#include <string_view>
#include <system_error>

namespace greenroom::git {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t max_conflicts = 1000;
constexpr std::size_t max_attributes = 2000; // files

std::vector<std::string> parts(std::string_view text, char end) {
  std::vector<std::string> result;
  while (!text.empty()) {
    auto at = std::min(text.find(end), text.size());
    result.emplace_back(text.substr(0, at));
    text.remove_prefix(std::min(at + 1, text.size()));
  }
  return result;
}

[[noreturn]] void fail(const std::string& what, const command_result& result) {
  constexpr std::string_view mark = "fatal: ";
  std::string_view text = result.err;
  if (auto at = text.find(mark); at != text.npos)
    text.remove_prefix(at + mark.size());
  throw std::runtime_error("cannot " + what + ": "
                           + std::string{text.substr(0, text.find('\n'))});
}

command_result must(const repository_git& git,
                    const repository_git::call& call) {
  auto result = git.run(call);
  if (!result.ok() || result.truncated)
    fail("merge", result);
  return result;
}

// The target's .gitattributes files, and nothing else, where git looks for
// them.
class attribute_files {
public:
  attribute_files() {
    auto name = (fs::temp_directory_path() / "greenroom-merge-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr)
      throw std::system_error(errno, std::generic_category(),
                              "cannot make a temporary directory");
    top_ = name;
  }
  attribute_files(const attribute_files&) = delete;
  attribute_files& operator=(const attribute_files&) = delete;
  ~attribute_files() {
    std::error_code ignored;
    fs::remove_all(top_, ignored);
  }

  const fs::path& top() const noexcept {
    return top_;
  }

  /// The path of one that is too large to be read; empty: none is.
  std::string fill(const repository_git& git, const std::string& commit) {
    auto listed = must(
      git, {{"diff-tree", "-r", "-z", "--no-renames", std::string{empty_tree},
             commit, "--", ":(glob)**/.gitattributes"}});
    // ":<mode> <mode> <id> <id> A", <path>, and so on
    auto words = parts(listed.out, '\0');
    words.resize(std::min(words.size(), 2 * max_attributes));
    for (std::size_t i = 0; i + 1 < words.size(); i += 2) {
      if (words[i].size() < 96 || words[i].compare(8, 3, "100") != 0)
        continue;
      repository_git::call call{{"cat-file", "blob", words[i].substr(56, 40)}};
      call.max_output = max_attribute_file;
      auto read = git.run(call);
      if (read.truncated)
        return words[i + 1];
      if (!read.ok())
        fail("merge", read);
      write(words[i + 1], read.out);
    }
    return {};
  }

  /// True if a driver may be named that git does not have itself.
  bool names_drivers() const noexcept {
    return names_drivers_;
  }

private:
  // Which git knows, whether a repository has it or not.
  static constexpr std::string_view empty_tree =
    "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

  void write(const fs::path& path, const std::string& text) {
    // Sound trees have no such names, but this is where a file is made.
    for (const auto& part : path)
      if (part == ".." || path.is_absolute())
        return;
    fs::create_directories((top_ / path).parent_path());
    write_file_atomic(top_ / path, text, 0600, false);
    for (auto at = text.find("merge="); at != text.npos;
         at = text.find("merge=", at + 6)) {
      auto value = std::string_view{text}.substr(at + 6);
      value = value.substr(0, value.find_first_of(" \t\r\n"));
      if (value != "union" && value != "text" && value != "binary")
        names_drivers_ = true;
    }
  }

  fs::path top_;
  bool names_drivers_ = false;
};

// The paths of what differs, and what is there in `to`: its mode and id.
std::map<std::string, std::string> changed(const repository_git& git,
                                           const std::string& from,
                                           const std::string& to) {
  auto result =
    must(git, {{"diff-tree", "-r", "-z", "--no-renames", from, to}});
  // ":<mode> <mode> <id> <id> M", <path>, and so on
  auto words = parts(result.out, '\0');
  std::map<std::string, std::string> paths;
  for (std::size_t i = 0; i + 1 < words.size(); i += 2)
    if (words[i].size() > 96)
      paths.emplace(std::move(words[i + 1]),
                    words[i].substr(8, 7) + words[i].substr(56, 40));
  return paths;
}

// Files that each side has changed in its own way, and whose driver is not
// git's own.
void refuse_drivers(const repository_git& git,
                    const attribute_files& attributes, const std::string& base,
                    const std::string& target, const std::string& branch,
                    merge_trial& trial) {
  auto ours = changed(git, base, target);
  std::string both;
  for (const auto& [path, what] : changed(git, base, branch))
    if (auto other = ours.find(path);
        other != ours.end() && other->second != what)
      both += path + '\0';
  if (both.empty())
    return;
  auto told = must(
    git, {{"check-attr", "-z", "--stdin", "merge"}, both, attributes.top()});
  auto words = parts(told.out, '\0'); // path, "merge", value, …
  for (std::size_t i = 2; i < words.size(); i += 3) {
    const auto& value = words[i];
    if (value == "set" || value == "unset" || value == "unspecified"
        || value == "text" || value == "binary" || value == "union")
      continue;
    trial.conflicts.push_back(words[i - 2]);
    if (trial.reason.empty())
      trial.reason = "`" + words[i - 2] + "` is to be merged by the driver \""
                     + value
                     + "\", which the server does not have; merge the target "
                       "in the session";
  }
}

std::set<std::string> contents(const repository_git& git,
                               const std::string& tree) {
  std::set<std::string> result;
  auto listed = must(git, {{"ls-tree", "-r", "-z", tree}});
  for (const auto& entry : parts(listed.out, '\0'))
    if (entry.size() > 53)
      result.insert(entry.substr(12, 40));
  return result;
}

// With several bases a merge that is said to be clean may have lost a file that
// both sides have (git 2.39: two different renames of it).
bool lost_something(const repository_git& git, const std::string& target,
                    const std::string& branch, const std::string& tree) {
  auto ours = contents(git, target);
  auto theirs = contents(git, branch);
  auto merged = contents(git, tree);
  return std::ranges::any_of(ours, [&](const auto& id) {
    return theirs.contains(id) && !merged.contains(id);
  });
}

// What a conflict that leaves no file behind is about, such as a directory
// whose files went to several: git says so in a message only. After the tree
// and an empty word: a number of paths, these, the kind, the sentence, and so
// on.
void explain_conflict(const repository_git& git, const std::string& target,
                      const std::string& branch, const fs::path& attributes,
                      merge_trial& trial) {
  auto result = git.run({{"merge-tree", "--write-tree", "-z", "--name-only",
                          "--messages", target, branch},
                         {},
                         attributes});
  auto words = parts(result.out, '\0');
  std::set<std::string> paths;
  for (std::size_t at = 2; at + 2 < words.size();) {
    auto count = std::strtoul(words[at].c_str(), nullptr, 10);
    auto kind = at + count + 1;
    if (kind + 1 >= words.size())
      break;
    if (words[kind].find("CONFLICT") != std::string::npos
        || words[kind + 1].find("CONFLICT") != std::string::npos) {
      paths.insert(words.begin() + static_cast<std::ptrdiff_t>(at) + 1,
                   words.begin() + static_cast<std::ptrdiff_t>(kind));
    }
    at = kind + 2;
  }
  trial.conflicts.assign(paths.begin(), paths.end());
  if (paths.empty())
    trial.reason = "git cannot merge the two, but does not say why";
}

// Where two cannot both have a path git puts one of them beside it, under a
// name that ends with its side's: the path is what people know.
std::string without_side(std::string path,
                         std::initializer_list<std::string_view> sides) {
  for (auto side : sides)
    if (auto at = path.rfind("~" + std::string{side});
        at != path.npos && at > 0)
      path.resize(at);
  return path;
}

void merge(const repository_git& git, const std::vector<std::string>& bases,
           const std::string& target, const std::string& branch,
           merge_trial& trial) {
  attribute_files attributes;
  if (auto path = attributes.fill(git, target); !path.empty()) {
    trial.reason = "`" + path + "` is larger than "
                   + std::to_string(max_attribute_file >> 20)
                   + " MiB, which is all that is read of a .gitattributes "
                     "file; make it smaller";
    return;
  }
  if (attributes.names_drivers())
    refuse_drivers(git, attributes, bases.front(), target, branch, trial);
  if (!trial.conflicts.empty())
    return;
  auto result = git.run({{"merge-tree", "--write-tree", "-z", "--name-only",
                          "--no-messages", target, branch},
                         {},
                         attributes.top()});
  auto words = parts(result.out, '\0');
  if ((!result.ok() && result.exit_code != 1) || words.empty())
    fail("merge", result);
  if (!result.ok()) {
    std::set<std::string> paths;
    for (auto word = words.begin() + 1; word != words.end(); ++word)
      paths.insert(without_side(*word, {target, branch}));
    paths.erase("");
    trial.conflicts.assign(paths.begin(), paths.end());
    trial.conflicts.resize(std::min(trial.conflicts.size(), max_conflicts));
    if (trial.conflicts.empty())
      explain_conflict(git, target, branch, attributes.top(), trial);
    return;
  }
  trial.tree = words.front();
  if (bases.size() > 1 && lost_something(git, target, branch, trial.tree)) {
    trial.tree.clear();
    trial.reason = "the two have been merged into each other before, and a "
                   "file that both have would be lost; merge the target in "
                   "the session";
  }
}

} // namespace

merge_trial try_merge(const repository_git& git, const std::string& target,
                      const std::string& branch) {
  merge_trial trial;
  auto found = git.run({{"merge-base", "--all", target, branch}});
  if (found.exit_code == 1 && found.out.empty()) {
    trial.kind = merge_kind::unrelated;
    return trial;
  }
  auto bases = parts(found.out, '\n');
  if (!found.ok() || bases.empty())
    fail("compare two commits", found);
  if (bases.front() == branch) {
    trial.kind = merge_kind::up_to_date;
  } else if (bases.front() == target) {
    trial.kind = merge_kind::fast_forward;
  } else {
    trial.kind = merge_kind::merge;
    merge(git, bases, target, branch, trial);
  }
  return trial;
}

} // namespace greenroom::git
