#include "runtime/git/mirror/lfs_pointers.hpp"

#include "runtime/base/fd.hpp"
#include "runtime/base/throw_errno.hpp"
#include "runtime/git/mirror/git_process.hpp"
#include "runtime/git/mirror/handles.hpp"

#include <fcntl.h>

#include <fstream>
#include <stdexcept>

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

std::string path_of_new(const std::filesystem::path& mirror,
                        const std::string& commit, const std::string& id) {
  server_git look{mirror,
                  {"log", "-m", "--find-object=" + id,
                   "--format=", "--name-only", "-z", "-1", commit, "--not",
                   "--glob=refs/upstream/*", "--"}};
  const auto result = run(look);
  auto path = result.out.substr(0, result.out.find('\0'));
  if (!result.ok() || path.empty())
    return "object " + id;
  return path;
}

} // namespace greenroom::git
