#include "runtime/git/inside/open.hpp"

#include "runtime/base/fd.hpp"
#include "runtime/base/files.hpp"

#include <git2/sys/repository.h>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>

namespace greenroom::git {

namespace fs = std::filesystem;

namespace {

// Directories of `.git` that libgit2 looks into. Others (hooks, modules, …)
// are the session's own business.
constexpr std::array<std::string_view, 4> used{"info", "logs", "objects",
                                               "refs"};

// Deeper than any reference or object that fits max_name.
constexpr int max_depth = 128;

// Above any index or list of references; libgit2 reads those whole.
constexpr off_t max_file = off_t{1} << 30;

[[noreturn]] void refuse(const std::string& what) {
  throw checkout_fault{"the session's repository cannot be used: " + what};
}

struct dir_closer {
  void operator()(DIR* dir) const noexcept {
    ::closedir(dir);
  }
};

unique_fd open_directory(int parent, const char* name) {
  return unique_fd{
    ::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
}

// Looks at all that libgit2 may come to read: in `.git` itself (`top`) its
// files and the directories in use, below those everything.
void examine(unique_fd fd, const std::string& shown, int depth) {
  auto top = depth == 0;
  if (depth > max_depth)
    refuse('`' + shown + "` is nested too deeply");
  auto at = fd.get();
  std::unique_ptr<DIR, dir_closer> dir{::fdopendir(at)};
  if (!dir)
    refuse('`' + shown + "` cannot be read");
  static_cast<void>(fd.release()); // it is `dir`'s now
  while (const auto* entry = ::readdir(dir.get())) {
    std::string_view name = entry->d_name;
    // We run no hooks, so they may be whatever is usual.
    if (name == "." || name == ".." || (top && name == "hooks"))
      continue;
    auto path = shown + '/' + std::string{name};
    struct stat info;
    if (::fstatat(at, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0)
      continue; // gone meanwhile
    if (S_ISDIR(info.st_mode)) {
      if (top && std::find(used.begin(), used.end(), name) == used.end())
        continue;
      auto below = open_directory(at, entry->d_name);
      if (!below)
        refuse('`' + path + "` cannot be read");
      examine(std::move(below), path, depth + 1);
    } else if (!S_ISREG(info.st_mode) && !S_ISSOCK(info.st_mode)) {
      refuse('`' + path + "` is neither a file nor a directory");
    } else if (info.st_size > max_file && !path.starts_with(".git/objects/")) {
      refuse('`' + path + "` is too large");
    }
  }
}

void check_layout(const session_place& place) {
  unique_fd top{::open(place.checkout.c_str(),
                       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
  if (!top)
    refuse("the checkout is missing");
  auto git = open_directory(top.get(), ".git");
  if (!git)
    refuse(errno == ENOENT ? "`.git` is missing" : "`.git` is not a directory");
  if (::faccessat(git.get(), "commondir", F_OK, AT_SYMLINK_NOFOLLOW) == 0)
    refuse("`.git/commondir` leads to another repository, remove it");
  examine(std::move(git), ".git", 0);
}

// True if the file is there and names the mirror's objects and nothing else.
bool borrows(const session_place& place) {
  auto text = read_file(place.checkout / ".git/objects/info/alternates");
  if (!text)
    return false;
  text->erase(text->find_last_not_of('\n') + 1);
  if (*text != (place.mirror / "objects").string())
    refuse("`.git/objects/info/alternates` has been changed, it must name "
           "the project's mirror only");
  return true;
}

} // namespace

repository_handle open_session(const session_place& place) {
  start_library();
  check_layout(place);
  auto borrowing = borrows(place);

  // open_bare reads no configuration and looks for no other repository.
  repository_handle repo;
  auto code =
    git_repository_open_bare(receive(repo), (place.checkout / ".git").c_str());
  if (code == GIT_ENOTFOUND)
    refuse("`.git` has no HEAD, objects or refs");
  check(code, "cannot open the session's repository");
  config_handle config;
  check(git_config_new(receive(config)), "cannot make a configuration");
  check(git_repository_set_config(repo.get(), config.get()),
        "cannot replace a configuration");
  check(git_repository_set_workdir(repo.get(), place.checkout.c_str(), 0),
        "cannot open the session's checkout");
  if (!borrowing) {
    odb_handle objects;
    check(git_repository_odb(receive(objects), repo.get()),
          "cannot open the session's objects");
    check(git_odb_add_disk_alternate(objects.get(),
                                     (place.mirror / "objects").c_str()),
          "cannot lend the mirror's objects");
  }
  return repo;
}

} // namespace greenroom::git
