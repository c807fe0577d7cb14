// `git add -A`, and what it takes to have as much of it as can be had.
#include "runtime/base/hex.hpp"
#include "runtime/git/inside/finding.hpp"
#include "runtime/git/inside/staging.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <chrono>

namespace greenroom::git {

namespace fs = std::filesystem;

namespace {

constexpr const char* what_staging_is = "stage the files of the checkout";

bool is_below(const std::string& path, const std::vector<std::string>& places) {
  return std::ranges::any_of(places, [&](const auto& place) {
    return path.starts_with(place)
           && (path.size() == place.size() || path[place.size()] == '/');
  });
}

// Repositories below that are not in the index yet and have no commit, or none
// that git could add since they keep objects by SHA-256. git lists nothing
// beside an unusable one; of the rest of `without` there may be more than a
// command line takes.
std::vector<std::string>
without_commit(const repo& in, const std::vector<std::string>& env,
               const std::vector<std::string>& without,
               const std::vector<std::string>& unusable) {
  std::vector<std::string> result;
  git_call list{{"ls-files", "-o", "--exclude-standard", "-z", "--"}, {}, env};
  auto paths = all_but(unusable);
  list.args.insert(list.args.end(), paths.begin(), paths.end());
  auto others = in.ask(list, what_staging_is);
  for (auto& path : split(others, '\0')) {
    if (!path.ends_with('/'))
      continue;
    path.pop_back();
    if (is_below(path, without))
      continue;
    auto head =
      repo{in.top() / path, {}}.find({{"rev-parse", "-q", "--verify", "HEAD"}});
    if (!head || head->size() != sha1_digits)
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
                                  const std::vector<std::string>& env,
                                  const tree_survey& seen) {
  std::vector<large_file> result;
  if (!seen.large_files)
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

// How the next try is made.
struct attempt {
  stage_mode mode;
  std::vector<std::string> env{};
  std::vector<std::string> without{}; // paths
  std::vector<std::string> raw{};     // of `without`, to be added as they are
};

// What is left out goes by its input: there may be more than a command line
// takes.
command_result add(const repo& in, const attempt& how) {
  git_call call{{"add", "--all", "--ignore-errors", "--pathspec-from-file=-",
                 "--pathspec-file-nul"},
                {},
                how.env};
  if (how.mode != stage_mode::commit)
    call.args.push_back("--sparse");
  for (const auto& pathspec : all_but(how.without))
    call.input += pathspec + '\0';
  return in.run(call);
}

bool is_denied(const std::string& complaint) {
  return complaint.ends_with(": Permission denied");
}

// Another look would not find it either, or not until its user opens it.
bool is_the_users_doing(const std::string& complaint) {
  return is_denied(complaint)
         || complaint.ends_with(": No such file or directory");
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

// The text between two others, in one of git's complaints.
std::optional<std::string> between(const std::vector<std::string>& all,
                                   std::string_view begin,
                                   std::string_view end) {
  for (const auto& complaint : all)
    if (auto from = complaint.find(begin); from != complaint.npos)
      if (auto to = complaint.find(end, from + begin.size());
          to != complaint.npos)
        return complaint.substr(from + begin.size(), to - from - begin.size());
  return std::nullopt;
}

// The file that git cannot bring into the form in which it keeps files.
std::optional<std::string> cannot_convert(const std::vector<std::string>& all) {
  for (std::string_view mark :
       {"CRLF would be replaced by LF in ", "LF would be replaced by CRLF in "})
    for (const auto& complaint : all)
      if (complaint.starts_with(mark))
        return complaint.substr(mark.size());
  if (auto path = between(all, "failed to encode '", "' from "))
    return path;
  for (auto mark : {"BOM is required in '", "BOM is prohibited in '"})
    if (auto path = between(all, mark, "' if encoded as "))
      return path;
  return std::nullopt;
}

bool is_about_a_repository(const std::vector<std::string>& all) {
  return std::ranges::any_of(all, [](const auto& one) {
    return one.starts_with("not a git repository")
           || one.ends_with("not recognized as a git repository");
  });
}

// git looks whether it has changed, and cannot.
std::optional<std::string>
damaged_submodule(const std::vector<std::string>& all) {
  constexpr std::string_view mark = "' failed in submodule ";
  for (const auto& complaint : all)
    if (auto at = complaint.find(mark); at != complaint.npos)
      return complaint.substr(at + mark.size());
  return std::nullopt;
}

void leave_unusable(const repo& in, attempt& next, staged_files& staged) {
  staged.unusable = unusable_repositories(in);
  next.without.insert(next.without.end(), staged.unusable.begin(),
                      staged.unusable.end());
}

// git looks by a filter at what may have changed, and fails where that does.
std::vector<std::string> without_filter(const std::string& name,
                                        std::vector<std::string> env) {
  const auto key = "filter." + name + '.';
  env.insert(env.end(),
             {"GIT_CONFIG_COUNT=3",
              "GIT_CONFIG_VALUE_0=", "GIT_CONFIG_KEY_0=" + key + "clean",
              "GIT_CONFIG_VALUE_1=", "GIT_CONFIG_KEY_1=" + key + "process",
              "GIT_CONFIG_VALUE_2=false",
              "GIT_CONFIG_KEY_2=" + key + "required"});
  return env;
}

// Whoever has a filter may have it so that the contents go nowhere else.
void leave_filtered(const repo& in, const std::string& filter, attempt& next,
                    staged_files& staged) {
  auto is_its = [&](std::string_view value) { return value == filter; };
  for (auto& path :
       files_with_filter(in, is_its, without_filter(filter, next.env))) {
    staged.left_out.push_back('\'' + path + "', whose filter '" + filter
                              + "' fails");
    next.without.push_back(std::move(path));
  }
}

// Changes what stood in the way; false: there is nothing that it knows of.
bool get_around(const repo& in, const std::vector<std::string>& all,
                attempt& next, staged_files& staged) {
  if (auto dir = names_only(all)) {
    auto& left =
      std::ranges::any_of(all, is_denied) ? staged.closed : staged.left_out;
    left.push_back("could not look into '" + *dir + "/'");
    next.without.push_back(std::move(*dir));
    return true;
  }
  if (auto name = between(all, "clean filter '", "' failed")) {
    const auto before = next.without.size();
    leave_filtered(in, *name, next, staged);
    return next.without.size() > before;
  }
  if (auto path = damaged_submodule(all)) {
    next.without.push_back(*path);
    staged.unusable.push_back(std::move(*path));
    return std::ranges::count(staged.unusable, staged.unusable.back()) == 1;
  }
  if (auto path = cannot_convert(all)) {
    staged.unfiltered.push_back('\'' + *path + '\'');
    next.without.push_back(*path);
    next.raw.push_back(std::move(*path));
    return true;
  }
  return false;
}

// As it lies there.
void add_raw(const repo& in, const std::string& path,
             const std::vector<std::string>& env) {
  struct stat info;
  if (::lstat((in.top() / path).c_str(), &info) != 0 || !S_ISREG(info.st_mode))
    return;
  auto id = in.ask({{"hash-object", "-w", "--no-filters", "--", path}, {}, env},
                   what_staging_is);
  in.ask({{"update-index", "--add", "-z", "--index-info"},
          ((info.st_mode & S_IXUSR) != 0 ? "100755 " : "100644 ") + id + '\t'
            + path + '\0',
          env},
         what_staging_is);
}

// Adds again, after opening what can be opened, and without what cannot.
// Answers the last try.
command_result add_what_can_be(const repo& in, attempt next,
                               staged_files& staged) {
  constexpr int max_tries = 40;
  if (next.mode == stage_mode::rescue)
    open_up(in);
  // There may be more to see now.
  for (auto& file : too_large(in, next.env, survey(in.top(), max_file)))
    if (std::ranges::find(next.without, file.path) == next.without.end()) {
      staged.left_out.push_back(file.described());
      next.without.push_back(std::move(file.path));
    }
  for (int i = 0;; ++i) {
    auto result = add(in, next);
    if (i < max_tries && get_around(in, complaints(result), next, staged))
      continue;
    for (const auto& path : next.raw)
      add_raw(in, path, next.env);
    return result;
  }
}

} // namespace

std::vector<std::string>
files_with_filter(const repo& in,
                  const std::function<bool(std::string_view)>& which,
                  const std::vector<std::string>& env) {
  auto list = [&](const char* known) {
    return git_call{
      {"ls-files", known, "-o", "--exclude-standard", "--deduplicate", "-z"},
      {},
      env};
  };
  // Where another filter fails too, git does not tell what has changed.
  auto names = in.find(list("-m"));
  if (!names)
    names = in.ask(list("-c"), what_staging_is);
  auto told =
    split(in.ask({{"check-attr", "-z", "--stdin", "filter"}, *names, env},
                 what_staging_is),
          '\0');
  std::vector<std::string> result;
  for (std::size_t i = 0; i + 2 < told.size(); i += 3) // path, "filter", value
    if (which(told[i + 2]))
      result.push_back(std::move(told[i]));
  return result;
}

staged_files stage_all(const repo& in, stage_mode mode,
                       const std::vector<std::string>& env,
                       std::vector<std::string> without) {
  staged_files staged;
  attempt first{mode, env, std::move(without)};
  const auto seen = survey(in.top(), max_file);
  staged.repositories = seen.repositories;
  for (const auto& file : too_large(in, env, seen)) {
    if (mode == stage_mode::commit)
      throw checkout_fault{"the file " + file.described()
                           + ": make it smaller, or have git ignore it"};
    staged.left_out.push_back(file.described());
    first.without.push_back(file.path);
  }
  auto result = add(in, first);
  if (mode != stage_mode::commit && !result.ok()
      && is_about_a_repository(complaints(result))) {
    leave_unusable(in, first, staged);
    result = add(in, first);
  }
  if (!result.ok()) {
    staged.without_commit =
      without_commit(in, env, first.without, staged.unusable);
    first.without.insert(first.without.end(), staged.without_commit.begin(),
                         staged.without_commit.end());
    if (!staged.without_commit.empty())
      result = add(in, first);
  }
  auto all = complaints(result);
  if (mode != stage_mode::commit && (!result.ok() || has_closed(in, all))) {
    result = add_what_can_be(in, std::move(first), staged);
    all = complaints(result);
  }
  // git says which it adds, but not by names as they are.
  if (staged.repositories)
    if (auto index = take_inventory(in, env))
      staged.embedded = std::move(index->gitlinks);
  auto closed = has_closed(in, all);
  // A sparse checkout has files outside: they are left, to be rescued.
  staged.outside =
    mode == stage_mode::commit
    && result.err.find("outside of your sparse-checkout") != std::string::npos;
  auto passable = !all.empty() && std::ranges::all_of(all, is_about_a_pipe);
  if ((result.ok() || passable || staged.outside) && !closed)
    return staged;
  // Where git goes on after an error it says none that is fatal.
  if (mode == stage_mode::commit
      || result.err.find("fatal: ") != std::string::npos)
    fail(what_staging_is, result);
  std::erase_if(all, is_about_a_pipe);
  for (auto& one : all)
    (is_the_users_doing(one) ? staged.closed : staged.left_out)
      .push_back(std::move(one));
  return staged;
}

} // namespace greenroom::git
