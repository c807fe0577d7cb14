#include "runtime/git/inside/repo.hpp"

#include "runtime/base/memfd.hpp"
#include "runtime/git/inside/finding.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>

namespace greenroom::git {

namespace fs = std::filesystem;

namespace {

// How many of git's complaints a sentence repeats.
constexpr std::size_t max_complaints = 5;

// The caller's own deadline comes first.
constexpr std::chrono::hours no_deadline{1};

// As git reads a list of directories: quoted, so that a colon is no end.
std::string quoted(const fs::path& path) {
  std::string result = "\"";
  for (auto c : path.string()) {
    if (c == '"' || c == '\\')
      result += '\\';
    result += c;
  }
  return result + '"';
}

// What would run a program in vain, wait for a person, or change more than we
// were asked to. All else is as the session has it.
std::vector<std::string> settings() {
  std::vector<std::string> argv{"git"};
  for (auto setting :
       {"safe.directory=*", "core.hooksPath=/dev/null", "core.fsmonitor=false",
        "core.alternateRefsCommand=true", "core.quotePath=false", "gc.auto=0",
        "maintenance.auto=false", "commit.gpgSign=false",
        "submodule.recurse=false", "advice.addEmbeddedRepo=false",
        "i18n.commitEncoding=UTF-8", "advice.detachedHead=false",
        // It could not go on where a killed git has left its lock.
        "rerere.enabled=false",
        // Larger files go through in pieces, and not for the tightest pack:
        // somebody waits.
        "core.bigFileThreshold=32m", "pack.compression=1"})
    argv.insert(argv.end(), {"-c", setting});
  return argv;
}

bool is_ours(std::string_view entry) {
  return entry.starts_with("GIT_") || entry.starts_with("LC_")
         || entry.starts_with("LANGUAGE=");
}

std::vector<std::string> environment(const fs::path& top,
                                     const std::vector<fs::path>& lent) {
  std::vector<std::string> result;
  for (auto** entry = environ; *entry != nullptr; ++entry)
    if (!is_ours(*entry))
      result.emplace_back(*entry);
  result.insert(result.end(),
                {"LC_ALL=C.UTF-8", "GIT_TERMINAL_PROMPT=0",
                 "GIT_OPTIONAL_LOCKS=0", "GIT_EDITOR=:", "GIT_PAGER=cat",
                 // Objects that the session left out are not fetched for it.
                 "GIT_ALLOW_PROTOCOL=none",
                 // A repository that is none is not looked for further up.
                 "GIT_CEILING_DIRECTORIES=" + top.parent_path().string()});
  std::string stores;
  for (const auto& store : lent)
    stores += (stores.empty() ? "" : ":") + quoted(store);
  if (!stores.empty())
    result.push_back("GIT_ALTERNATE_OBJECT_DIRECTORIES=" + stores);
  return result;
}

} // namespace

repo repo::of(const checkout_paths& paths) {
  clear_odd_files(paths.checkout, false);
  return {paths.checkout, {paths.mirror / "objects"}};
}

repo repo::with(std::vector<fs::path> lent) const {
  lent.insert(lent.end(), lent_.begin(), lent_.end());
  auto result = *this;
  result.lent_ = std::move(lent);
  return result;
}

repo repo::at(fs::path top) const {
  auto result = *this;
  result.top_ = std::move(top);
  return result;
}

repo repo::without_files(const fs::path& git_dir) {
  repo result{git_dir, {}};
  result.env_ = {"GIT_DIR=" + git_dir.string(),
                 "GIT_WORK_TREE=" + git_dir.string()};
  return result;
}

command_result repo::run(const git_call& call) const {
  command what;
  what.argv = settings();
  what.argv.insert(what.argv.end(), call.args.begin(), call.args.end());
  what.cwd = top_;
  what.env = environment(top_, lent_);
  what.env.insert(what.env.end(), env_.begin(), env_.end());
  what.env.insert(what.env.end(), call.env.begin(), call.env.end());
  unique_fd input;
  if (!call.input.empty()) {
    input = memfd(call.input);
    what.stdin_fd = input.get();
  }
  what.stdout_fd = call.stdout_fd;
  what.timeout = no_deadline;
  what.own_group = false; // whoever ends greenroom-git ends it too
  what.max_output = call.max_output;
  return run_command(what);
}

std::string repo::ask(const git_call& call, std::string_view what) const {
  auto result = run(call);
  if (!result.ok() || result.truncated)
    fail(what, result);
  if (result.out.ends_with('\n'))
    result.out.pop_back();
  return std::move(result.out);
}

std::optional<std::string> repo::find(const git_call& call) const {
  auto result = run(call);
  if (!result.ok())
    return std::nullopt;
  if (result.truncated)
    fail(call.args.front(), result);
  if (result.out.ends_with('\n'))
    result.out.pop_back();
  return std::move(result.out);
}

repo::facts repo::look() const {
  auto result =
    run({{"rev-parse", "--show-object-format", "--git-dir", "--git-common-dir",
          "--git-path", "index", "--symbolic-full-name", "HEAD"}});
  auto lines = split(result.out, '\n');
  if (lines.size() < 4)
    fail("use the session's repository", result);
  if (lines[0] != "sha1")
    throw checkout_fault{"the session's repository cannot be used: it keeps "
                         "objects by "
                         + lines[0] + ", and the upstream by sha1"};
  facts found;
  found.dir = top_ / lines[1];
  found.common = top_ / lines[2];
  found.index = top_ / lines[3];
  if (result.ok() && lines.size() == 5) {
    if (lines[4] != "HEAD")
      found.head = lines[4];
  } else {
    // A branch without a commit, or something else is called HEAD too.
    found.head = find({{"symbolic-ref", "-q", "HEAD"}});
    if (!found.head && !find({{"rev-parse", "-q", "--verify", "HEAD"}}))
      fail("read HEAD of the session's repository", result);
  }
  return found;
}

namespace {

// Of a known file git says no more than perror, and goes on without it.
bool is_about_a_file(const std::string& line) {
  return !line.starts_with("warning: ")
         && (line.ends_with(": Permission denied")
             || line.ends_with(": Input/output error"));
}

} // namespace

std::vector<std::string> complaints(const command_result& result) {
  std::vector<std::string> found;
  std::string last;
  for (auto& line : split(result.err, '\n')) {
    auto text = line;
    auto counts = line.starts_with("warning: could not open directory")
                  || is_about_a_file(line);
    for (std::string_view mark : {"error: ", "fatal: ", "warning: "})
      if (line.starts_with(mark)) {
        text = line.substr(mark.size());
        counts = counts || mark != "warning: ";
      }
    if (!text.empty())
      last = text;
    // The first says which file and why, the others that there was one.
    if (counts && text != "adding files failed"
        && text != "updating files failed"
        && !text.starts_with("unable to index file")
        && std::ranges::find(found, text) == found.end())
      found.push_back(std::move(text));
  }
  if (found.empty() && !last.empty())
    found.push_back(std::move(last));
  return found;
}

void fail(std::string_view what, const command_result& result) {
  if (result.ok() && result.truncated)
    throw checkout_fault{"git cannot " + std::string{what}
                         + ": it says more than is taken"};
  std::string words;
  auto all = complaints(result);
  for (std::size_t i = 0; i < std::min(all.size(), max_complaints); ++i)
    words += (i == 0 ? "" : "; ") + all[i];
  if (all.size() > max_complaints)
    words += "; and " + std::to_string(all.size() - max_complaints) + " more";
  if (words.empty())
    words = result.exit_code
              ? "it ended with exit code " + std::to_string(*result.exit_code)
              : "signal " + std::to_string(result.signal) + " ended it";
  throw checkout_fault{"git cannot " + std::string{what} + ": " + words};
}

std::vector<std::string> split(std::string_view text, char end) {
  std::vector<std::string> result;
  while (!text.empty()) {
    auto at = std::min(text.find(end), text.size());
    result.emplace_back(text.substr(0, at));
    text.remove_prefix(std::min(at + 1, text.size()));
  }
  return result;
}

} // namespace greenroom::git
