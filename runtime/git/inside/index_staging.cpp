#include "runtime/git/inside/index_staging.hpp"

#include "runtime/base/fd.hpp"
#include "runtime/git/inside/repo.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <vector>

namespace greenroom::git {

namespace fs = std::filesystem;

namespace {

// How many files an error names.
constexpr std::size_t max_named = 5;

class stager {
public:
  stager(git_repository* repo, git_index* index, stage_mode mode)
    : repo_(repo), index_(index), mode_(mode),
      top_(git_repository_workdir(repo)) {}

  bool run() {
    if (mode_ == stage_mode::rescue)
      forget_promises();
    else
      left_out_ = has_promises();
    auto present = intended();
    auto diff = compare();
    for (std::size_t i = 0; i < git_diff_num_deltas(diff.get()); ++i) {
      const auto* delta = git_diff_get_delta(diff.get(), i);
      // Deletions first: a file may have become a directory, or the reverse.
      switch (delta->status) {
        case GIT_DELTA_DELETED:
          remove(delta->old_file.path);
          break;
        case GIT_DELTA_UNREADABLE:
          unreadable_.emplace_back(delta->new_file.path);
          break;
        case GIT_DELTA_CONFLICTED:
          present.emplace_back(delta->old_file.path);
          break;
        default:
          present.emplace_back(delta->new_file.path);
          break;
      }
    }
    for (const auto& path : present)
      if (!path.ends_with('/'))
        add(path);
      else if (mode_ == stage_mode::rescue)
        add_below(path);
      else
        left_out_ = true;
    note_closed_directories();
    complain();
    return !left_out_;
  }

private:
  diff_handle compare() {
    git_diff_options options = GIT_DIFF_OPTIONS_INIT;
    options.flags = GIT_DIFF_INCLUDE_UNTRACKED | GIT_DIFF_RECURSE_UNTRACKED_DIRS
                    | GIT_DIFF_INCLUDE_UNREADABLE | GIT_DIFF_IGNORE_SUBMODULES;
    diff_handle diff;
    try {
      check(git_diff_index_to_workdir(receive(diff), repo_, index_, &options),
            "cannot compare the work tree with the index");
    } catch (const git_failure&) {
      // It gives up at the first file that it cannot read: name them all.
      for (std::size_t i = 0; i < git_index_entrycount(index_); ++i)
        is_readable(git_index_get_byindex(index_, i)->path);
      complain();
      throw;
    }
    return diff;
  }

  // Notes a regular file that cannot be opened. What is no regular file, or
  // is not there, is not to be opened at all.
  bool is_readable(const std::string& path) {
    struct stat info;
    auto full = top_ / path;
    if (::lstat(full.c_str(), &info) != 0) {
      if (errno == ENOENT || errno == ENOTDIR)
        return true;
    } else if (!S_ISREG(info.st_mode)
               || unique_fd{::open(full.c_str(), O_RDONLY | O_NOFOLLOW
                                                   | O_NONBLOCK | O_CLOEXEC)}) {
      return true;
    }
    unreadable_.push_back(path);
    return false;
  }

  // libgit2 passes over directories that it may not look into.
  void note_closed_directories() {
    std::vector<std::string> pending{""};
    while (!pending.empty()) {
      auto directory = std::move(pending.back());
      pending.pop_back();
      auto full = top_ / directory;
      if (::access(full.c_str(), R_OK | X_OK) != 0) {
        if (errno != ENOENT)
          unreadable_.push_back(directory.empty() ? "." : directory);
        continue;
      }
      std::error_code error;
      for (const auto& entry : fs::directory_iterator{full, error}) {
        auto name = entry.path().filename().string();
        if (name == ".git" || entry.is_symlink() || !entry.is_directory())
          continue;
        auto path = directory + name + '/';
        if (!is_ignored(path))
          pending.push_back(std::move(path));
      }
      if (error)
        unreadable_.push_back(directory);
    }
  }

  bool is_ignored(const std::string& path) {
    int ignored = 0;
    check(git_ignore_path_is_ignored(&ignored, repo_, path.c_str()),
          "cannot tell whether " + path + " is ignored");
    return ignored != 0;
  }

  // What `git add --intent-to-add` has noted: no difference where it is empty.
  std::vector<std::string> intended() {
    std::vector<std::string> result;
    for (std::size_t i = 0; i < git_index_entrycount(index_); ++i) {
      const auto* entry = git_index_get_byindex(index_, i);
      if ((entry->flags_extended & GIT_INDEX_ENTRY_INTENT_TO_ADD) != 0)
        result.emplace_back(entry->path);
    }
    return result;
  }

  static bool is_promised(const git_index_entry& entry) {
    return (entry.flags & GIT_INDEX_ENTRY_VALID) != 0
           || (entry.flags_extended & GIT_INDEX_ENTRY_SKIP_WORKTREE) != 0;
  }

  bool has_promises() const {
    for (std::size_t i = 0; i < git_index_entrycount(index_); ++i)
      if (is_promised(*git_index_get_byindex(index_, i)))
        return true;
    return false;
  }

  // A user may have told git not to look at a file, and then written it.
  void forget_promises() {
    for (std::size_t i = 0; i < git_index_entrycount(index_); ++i) {
      const auto* entry = git_index_get_byindex(index_, i);
      struct stat info;
      if (!is_promised(*entry)
          || ::lstat((top_ / entry->path).c_str(), &info) != 0)
        continue;
      std::string path = entry->path;
      auto changed = *entry;
      changed.path = path.c_str();
      changed.flags &= static_cast<std::uint16_t>(~GIT_INDEX_ENTRY_VALID);
      changed.flags_extended &=
        static_cast<std::uint16_t>(~GIT_INDEX_ENTRY_SKIP_WORKTREE);
      check(git_index_add(index_, &changed), "cannot stage " + path);
    }
  }

  void remove(const std::string& path) {
    // libgit2 says "deleted" also for what a directory hides from us.
    if (!is_readable(path))
      return;
    const auto* entry = git_index_get_bypath(index_, path.c_str(), 0);
    if (entry != nullptr
        && (entry->flags_extended & GIT_INDEX_ENTRY_SKIP_WORKTREE) != 0)
      return; // not checked out on purpose
    check(git_index_remove_bypath(index_, path.c_str()),
          "cannot stage the removal of " + path);
  }

  void add(const std::string& path) {
    if (!is_readable(path))
      return;
    struct stat info;
    auto found = ::lstat((top_ / path).c_str(), &info) == 0;
    if (found && S_ISDIR(info.st_mode))
      return; // a submodule: it stays at what the index says
    auto code = found ? git_index_add_bypath(index_, path.c_str())
                      : git_index_remove_bypath(index_, path.c_str());
    check(code, "cannot stage " + path);
  }

  // The files of a repository inside the checkout, as plain files.
  void add_below(const std::string& directory) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator{top_ / directory, error}) {
      auto name = entry.path().filename().string();
      auto path = directory + name;
      auto kind = entry.symlink_status().type();
      if (name == ".git")
        continue;
      if (kind == fs::file_type::directory)
        path += '/';
      if (is_ignored(path))
        continue;
      if (kind == fs::file_type::directory)
        add_below(path);
      else if (kind == fs::file_type::regular || kind == fs::file_type::symlink)
        add(path);
    }
    if (error)
      unreadable_.push_back(directory);
  }

  void complain() const {
    if (unreadable_.empty())
      return;
    std::string names;
    for (std::size_t i = 0; i < std::min(unreadable_.size(), max_named); ++i)
      names += (i == 0 ? "`" : ", `") + unreadable_[i] + '`';
    if (unreadable_.size() > max_named)
      names +=
        " and " + std::to_string(unreadable_.size() - max_named) + " more";
    throw checkout_fault{"these files cannot be read: " + names
                         + "; change their permissions, ignore or "
                           "remove them, then try again"};
  }

  git_repository* repo_;
  git_index* index_;
  stage_mode mode_;
  fs::path top_;
  std::vector<std::string> unreadable_;
  bool left_out_ = false; // what rescue would take
};

} // namespace

bool stage_all(git_repository* repo, git_index* index, stage_mode mode) {
  return stager{repo, index, mode}.run();
}

} // namespace greenroom::git
