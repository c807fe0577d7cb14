#include "runtime/git/inside/finding.hpp"

#include "runtime/base/files.hpp"
#include "runtime/base/walk_tree.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <climits>
#include <deque>
#include <system_error>

namespace greenroom::git {

namespace fs = std::filesystem;

namespace {

bool holds_files(const fs::path& path) {
  std::error_code none;
  return fs::is_directory(fs::symlink_status(path, none));
}

bool is_there(const fs::path& path) {
  std::error_code none;
  return fs::exists(fs::symlink_status(path, none));
}

std::vector<fs::path> directories_in(const fs::path& path) {
  std::vector<fs::path> result;
  std::error_code none;
  for (fs::directory_iterator each{path, none}, end; !none && each != end;
       each.increment(none))
    if (std::error_code odd;
        each->symlink_status(odd).type() == fs::file_type::directory)
      result.push_back(each->path());
  return result;
}

std::string below(const fs::path& top, const fs::path& path) {
  return path.lexically_relative(top).string();
}

// A package of npm's, `node_modules/NAME` or `node_modules/@SCOPE/NAME`.
bool is_package(const fs::path& path) {
  auto in = path.parent_path();
  if (in.filename().string().starts_with('@'))
    in = in.parent_path();
  else if (path.filename().string().starts_with('@'))
    return false;
  return in.filename() == "node_modules";
}

struct place {
  fs::path path;
  int depth;
};

void clear_odd_in(const fs::path& directory, const std::string& shown,
                  bool deep, bool remove) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator{directory, error}) {
    auto path = shown + '/' + entry.path().filename().string();
    auto kind = entry.symlink_status(error).type();
    if (kind == fs::file_type::directory && deep)
      clear_odd_in(entry.path(), path, true, remove);
    else if (kind != fs::file_type::fifo && kind != fs::file_type::character
             && kind != fs::file_type::block)
      continue;
    else if (!remove || !fs::remove(entry.path(), error))
      throw checkout_fault{"the session's repository cannot be used: `" + path
                           + "` is neither a file nor a directory"};
  }
}

// Its own is not among them.
std::vector<std::string> repositories_below(const repo& in) {
  command look;
  look.argv = {"find",  ".",    "-mindepth", "2",
               "-name", ".git", "-prune",    "-print0"};
  look.cwd = in.top();
  look.env = {"PATH=/usr/bin:/bin", "LC_ALL=C"};
  look.own_group = false;
  look.max_output = std::size_t{16} << 20;
  std::vector<std::string> result;
  for (const auto& found : split(run_command(look).out, '\0'))
    if (found.size() < PATH_MAX / 2) // deeper nobody gets by a path
      result.push_back(
        fs::path{found}.parent_path().lexically_normal().string());
  return result;
}

// Where a repository below cannot be read git lists nothing at all.
std::string list_ignored(const repo& in) {
  git_call list{{"ls-files", "--others", "--ignored", "--exclude-standard",
                 "--directory", "-z"}};
  if (auto listed = in.find(list))
    return *listed;
  list.args.push_back("--");
  auto paths = all_but(unusable_repositories(in));
  list.args.insert(list.args.end(), paths.begin(), paths.end());
  return in.ask(list, "list what it ignores");
}

} // namespace

tree_survey survey(const fs::path& top, off_t large) {
  tree_survey found{false, false};
  auto look = [&](const visited& one) {
    constexpr std::string_view repository = ".git";
    found.repositories = found.repositories || one.name == repository;
    struct stat info;
    if (one.type == DT_REG && !found.large_files
        && ::fstatat(one.directory, one.name, &info, AT_SYMLINK_NOFOLLOW) == 0)
      found.large_files = info.st_size > large;
  };
  try {
    walk_tree(top, look, ".git");
    return found;
  } catch (const std::system_error&) {
    return {};
  }
}

found_repositories ignored_repositories(const repo& in, int max_depth,
                                        std::size_t max_directories) {
  found_repositories result;
  std::deque<place> left; // the nearest first
  for (auto& path : split(list_ignored(in), '\0'))
    if (path.ends_with('/')) {
      path.pop_back();
      left.push_back({in.top() / path, 0});
    }
  for (std::size_t seen = 0; !left.empty(); ++seen) {
    if (seen == max_directories) {
      result.all = false;
      break;
    }
    auto [path, depth] = std::move(left.front());
    left.pop_front();
    if (is_there(path / ".git")) {
      result.paths.push_back(below(in.top(), path));
      continue;
    }
    if (depth == max_depth || is_package(path))
      continue;
    for (auto& each : directories_in(path))
      left.push_back({std::move(each), depth + 1});
  }
  return result;
}

std::vector<fs::path> module_directories(const fs::path& git_dir) {
  constexpr int depth = 8; // a submodule's name may have slashes
  std::vector<fs::path> result;
  std::deque<place> left{{git_dir / "modules", 0}};
  while (!left.empty()) {
    auto [path, at] = std::move(left.front());
    left.pop_front();
    for (auto& each : directories_in(path))
      if (is_there(each / "HEAD") && holds_files(each / "objects"))
        result.push_back(std::move(each));
      else if (at < depth)
        left.push_back({std::move(each), at + 1});
  }
  return result;
}

std::vector<std::string> all_but(const std::vector<std::string>& without) {
  std::vector<std::string> result{":(top)"};
  for (const auto& path : without)
    result.push_back(":(top,exclude,literal)" + path);
  return result;
}

std::vector<std::string> unusable_repositories(const repo& in) {
  auto result = repositories_below(in);
  std::erase_if(result, [&](const auto& path) {
    return repo{in.top() / path, {}}.find({{"rev-parse", "--git-dir"}});
  });
  return result;
}

fs::path git_directory(const fs::path& top) {
  constexpr std::string_view mark = "gitdir: ";
  auto git = top / ".git";
  std::error_code none;
  if (fs::is_directory(git, none))
    return git;
  if (!fs::is_regular_file(fs::symlink_status(git, none)))
    return {};
  auto text = read_file(git).value_or("");
  if (!text.starts_with(mark))
    return {};
  text = text.substr(mark.size(), text.find('\n') - mark.size());
  auto result = (top / text).lexically_normal();
  return holds_files(result) ? result : fs::path{};
}

void clear_odd_files(const fs::path& top, bool remove) {
  auto git = git_directory(top);
  if (git.empty())
    return;
  clear_odd_in(git, ".git", false, remove);
  clear_odd_in(git / "info", ".git/info", false, remove);
  clear_odd_in(git / "refs", ".git/refs", true, remove);
  // What a rescue reads besides; who only asks need not wait for that look.
  if (remove)
    for (const std::string place : {"logs", "rebase-apply", "rebase-merge"})
      clear_odd_in(git / place, ".git/" + place, true, true);
}

void remove_odd_files(const fs::path& top) {
  clear_odd_files(top, true);
  for (const auto& path : repositories_below({top, {}}))
    try {
      clear_odd_files(top / path, true);
    } catch (const checkout_fault&) {
      // It is named when the repository is looked at.
    }
}

} // namespace greenroom::git
