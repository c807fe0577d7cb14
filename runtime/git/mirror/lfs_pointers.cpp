#include "runtime/git/mirror/lfs_pointers.hpp"

#include "runtime/base/memfd.hpp"
#include "runtime/git/mirror/git_process.hpp"
#include "runtime/git/mirror/handles.hpp"

#include <charconv>
#include <sstream>
#include <stdexcept>

namespace greenroom::git {

namespace {

constexpr std::size_t id_size = 40;       // hex digits
constexpr std::size_t max_pointer = 1024; // bytes, as git-lfs takes them
constexpr std::size_t max_list = std::size_t{1} << 30;

std::string ask(server_git call) {
  call.max_output = max_list;
  auto result = run(call);
  if (!result.ok() || result.truncated)
    throw std::runtime_error("cannot look for files of Git LFS: "
                             + reason(result));
  return std::move(result.out);
}

std::string_view line_after(std::string_view text, std::string_view mark) {
  auto at = text.find(mark);
  if (at == text.npos)
    return {};
  text.remove_prefix(at + mark.size());
  return text.substr(0, text.find('\n'));
}

} // namespace

std::optional<lfs_object> read_pointer(std::string_view file) {
  if (!file.starts_with("version https://git-lfs.github.com/spec/v1\n"))
    return std::nullopt;
  lfs_object result{std::string{line_after(file, "\noid sha256:")}, 0};
  auto size = line_after(file, "\nsize ");
  auto read =
    std::from_chars(size.data(), size.data() + size.size(), result.size);
  if (!is_lfs_oid(result.oid) || read.ec != std::errc{})
    return std::nullopt;
  return result;
}

std::vector<std::pair<std::string, lfs_object>>
new_pointers(const std::filesystem::path& mirror, const std::string& commit) {
  // What else is here, as of checkpoints, the upstream need not have.
  auto asked = memfd(ask({mirror,
                          {"rev-list", "--objects", "--no-object-names", commit,
                           "--not", "--glob=refs/upstream/*"}}));
  server_git look{
    mirror,
    {"cat-file", "--batch-check=%(objectname) %(objecttype) %(objectsize)"}};
  look.stdin_fd = asked.get();
  std::vector<std::pair<std::string, lfs_object>> result;
  auto repo = open_mirror(mirror);
  std::istringstream told{ask(std::move(look))};
  for (std::string line; std::getline(told, line);) {
    constexpr std::string_view blob = " blob ";
    std::size_t size = 0;
    if (line.size() < id_size || line.compare(id_size, blob.size(), blob) != 0)
      continue;
    std::from_chars(line.data() + id_size + blob.size(),
                    line.data() + line.size(), size);
    if (size > max_pointer)
      continue;
    auto id = to_oid(line.substr(0, id_size));
    handle<git_blob, git_blob_free> file;
    check(git_blob_lookup(receive(file), repo.get(), &id),
          "cannot look for files of Git LFS");
    if (auto found = read_pointer(
          {static_cast<const char*>(git_blob_rawcontent(file.get())), size}))
      result.emplace_back(line.substr(0, id_size), std::move(*found));
  }
  return result;
}

std::string path_of_new(const std::filesystem::path& mirror,
                        const std::string& commit, const std::string& id) {
  server_git look{mirror,
                  {"log", "--find-object=" + id, "--format=", "--name-only",
                   "-z", "-1", commit, "--not", "--glob=refs/upstream/*",
                   "--"}};
  const auto result = run(look);
  auto path = result.out.substr(0, result.out.find('\0'));
  if (!result.ok() || path.empty())
    return "object " + id; // as one that a merge has brought
  return path;
}

} // namespace greenroom::git
