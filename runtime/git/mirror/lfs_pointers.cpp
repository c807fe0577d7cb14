#include "runtime/git/mirror/lfs_pointers.hpp"

#include "messages/errors.hpp"
#include "runtime/base/fd.hpp"
#include "runtime/base/throw_errno.hpp"
#include "runtime/git/mirror/git_process.hpp"
#include "runtime/git/mirror/handles.hpp"

#include <fcntl.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <stdexcept>
#include <string_view>
#include <utility>
#include <vector>

namespace greenroom::git {

namespace {

// Larger files are no pointers to git-lfs either.
constexpr const char* small_files =
  "--filter=combine:blob:limit=1025+object:type=blob";

// Their ids, line by line, on disk: as many as a push can bring. What else is
// here, as of checkpoints, the upstream need not have.
unique_fd list_small_files(const std::filesystem::path& mirror,
                           const std::string& commit) {
  unique_fd list{::open(mirror.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)};
  if (!list)
    throw_errno("cannot make a file in " + mirror.string());
  server_git call{mirror,
                  {"rev-list", "--objects", "--no-object-names", small_files,
                   "--filter-provided-objects", commit, "--not",
                   "--glob=refs/upstream/*"}};
  call.stdout_fd = list.get();
  auto result = run(call);
  if (!result.ok())
    throw std::runtime_error("cannot look for files of Git LFS: "
                             + reason(result));
  return list;
}

// Where a commit, or its parent, has a file.
struct place {
  std::string commit;
  std::string path;
};

constexpr std::size_t max_places = 100;
constexpr std::chrono::seconds look_timeout{30};
constexpr int max_lookalikes = 20;
// As of merges, which read them too.
constexpr std::size_t max_attribute_file = std::size_t{1} << 20;

// Of a "log --raw -z": "<commit>", "\n:<modes> <ids> A", "<path>", and so on.
std::vector<place> read_places(std::string_view log) {
  std::vector<place> result;
  std::string commit;
  auto is_path = false;
  while (!log.empty()) {
    auto word = log.substr(0, log.find('\0'));
    log.remove_prefix(std::min(word.size() + 1, log.size()));
    if (std::exchange(is_path, false))
      result.push_back({commit, std::string{word}});
    else if (word.starts_with('\n') || word.starts_with(':'))
      is_path = true;
    else
      commit = word;
  }
  return result;
}

// Which libgit2 would read whole.
bool is_large(git_repository* repo, const git_tree* top,
              const std::string& path) {
  handle<git_tree_entry, git_tree_entry_free> file;
  if (git_tree_entry_bypath(receive(file), top, path.c_str()) != 0)
    return false;
  odb_handle objects;
  check(git_repository_odb(receive(objects), repo), "cannot read objects");
  std::size_t size = 0;
  git_object_t type = GIT_OBJECT_INVALID;
  return git_odb_read_header(&size, &type, objects.get(),
                             git_tree_entry_id(file.get()))
           != 0
         || size > max_attribute_file;
}

bool is_kept_at(git_repository* repo, const place& at) {
  constexpr const char* file = ".gitattributes";
  git_attr_options how = GIT_ATTR_OPTIONS_INIT;
  how.flags = GIT_ATTR_CHECK_INDEX_ONLY | GIT_ATTR_CHECK_NO_SYSTEM
              | GIT_ATTR_CHECK_INCLUDE_COMMIT;
  how.attr_commit_id = to_oid(at.commit);
  commit_handle commit;
  tree_handle top;
  check(git_commit_lookup(receive(commit), repo, &how.attr_commit_id),
        "cannot read a commit");
  check(git_commit_tree(receive(top), commit.get()), "cannot read a tree");
  auto too_large = is_large(repo, top.get(), file);
  for (auto i = at.path.find('/'); i != at.path.npos;
       i = at.path.find('/', i + 1))
    too_large =
      too_large || is_large(repo, top.get(), at.path.substr(0, i + 1) + file);
  const char* filter = nullptr;
  return too_large
         || git_attr_get_ext(&filter, repo, &how, at.path.c_str(), "filter")
              != 0
         || (git_attr_value(filter) == GIT_ATTR_VALUE_STRING
             && std::string_view{filter} == "lfs");
}

} // namespace

void visit_new_pointers(
  const std::filesystem::path& mirror, const std::string& commit,
  const std::function<void(const std::string& id, const lfs_object&)>& visit) {
  const auto list = list_small_files(mirror, commit);
  std::ifstream lines{"/proc/self/fd/" + std::to_string(list.get())};
  auto repo = open_mirror(mirror);
  for (std::string id; std::getline(lines, id);) {
    auto object = to_oid(id);
    handle<git_blob, git_blob_free> file;
    check(git_blob_lookup(receive(file), repo.get(), &object),
          "cannot look for files of Git LFS");
    const auto size = git_blob_rawsize(file.get());
    if (auto found = read_pointer(
          {static_cast<const char*>(git_blob_rawcontent(file.get())),
           static_cast<std::size_t>(size)}))
      visit(id, *found);
  }
  if (!lines.eof())
    throw std::runtime_error("cannot read a list of files");
}

void bring_contents(
  const std::filesystem::path& mirror, const std::string& commit,
  const std::function<void(const lfs_object&)>& bring,
  const std::function<void(const std::string& path, const lfs_object&,
                           const refused& why)>& give_up) {
  int lookalikes = 0;
  visit_new_pointers(
    mirror, commit, [&](const std::string& id, const lfs_object& what) {
      try {
        bring(what);
      } catch (const refused& why) {
        const auto found = standing_of_new(mirror, commit, id);
        if (found.is_kept)
          give_up(found.path, what, why);
        if (++lookalikes > max_lookalikes)
          throw refused{errc::conflict,
                        "more than " + std::to_string(max_lookalikes)
                          + " new files look like those of Git LFS, but no "
                            ".gitattributes file names them: push them with "
                            "git a few commits at a time"};
      }
    });
}

// The attributes of the tip count, too: they may have come after the file.
lfs_standing standing_of_new(const std::filesystem::path& mirror,
                             const std::string& commit, const std::string& id) {
  server_git look{mirror,
                  {"log", "-m", "--find-object=" + id, "--format=%H", "--raw",
                   "--no-renames", "-z", commit, "--not",
                   "--glob=refs/upstream/*", "--"}};
  look.timeout = look_timeout;
  const auto result = run(look);
  const auto places = read_places(result.out);
  lfs_standing found;
  found.path = places.empty() ? "object " + id : places.front().path;
  if (!result.ok() || places.empty() || places.size() > max_places)
    return found;
  auto repo = open_mirror(mirror);
  for (const auto& at : places)
    if (is_kept_at(repo.get(), at)
        || is_kept_at(repo.get(), {commit, at.path})) {
      found.path = at.path;
      return found;
    }
  found.is_kept = false;
  return found;
}

} // namespace greenroom::git
