#include "runtime/git/mirror/lfs_kept.hpp"

#include "runtime/base/memfd.hpp"
#include "runtime/base/throw_errno.hpp"
#include "runtime/git/mirror/git_process.hpp"
#include "runtime/git/mirror/rescue_push.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <string_view>

namespace greenroom::git {

namespace {

// "<id> blob" of one that is there, "<what was asked> missing" of others.
std::optional<std::string> find_object(const mirror& mirror,
                                       const std::vector<std::string>& commits,
                                       const std::string& oid) {
  constexpr std::string_view blob = " blob\n";
  std::string question;
  for (const auto& commit : commits)
    question += commit + ':' + oid + '\n';
  auto input = memfd(question);
  server_git look{mirror.path(),
                  {"cat-file", "--batch-check=%(objectname) %(objecttype)"}};
  look.stdin_fd = input.get();
  look.max_output = std::size_t{64} << 20;
  auto result = run(look);
  if (!result.ok())
    throw std::runtime_error("cannot look for contents of Git LFS: "
                             + reason(result));
  auto end = result.out.find(blob);
  if (end == std::string::npos)
    return std::nullopt;
  auto begin = result.out.rfind('\n', end) + 1;
  return result.out.substr(begin, end - begin);
}

// "<sid>/lfs", or "<sid>/2/lfs" beside another node's.
bool is_lfs_of_session(std::string_view name) {
  auto rest = name.substr(std::min(name.find('/'), name.size()));
  return rest == "/lfs" || rest == "/2/lfs";
}

} // namespace

std::vector<std::string> rescued_lfs(const mirror& mirror) {
  std::vector<std::string> result;
  for (std::string_view space :
       {rescue_refs,
        std::string_view{"refs/greenroom/asked/greenroom/rescue/"}})
    for (auto& [name, commit] : mirror.refs_below(space))
      if (is_lfs_of_session(name.substr(space.size())))
        result.push_back(commit);
  return result;
}

void fetch_rescued_lfs(const mirror& mirror, const std::string& name) {
  auto end = name.find('/', rescue_refs.size());
  if (end == name.npos)
    return;
  auto space = name.substr(0, end);
  mirror.fetch_ref(space + "/lfs");
  if (name.compare(end, 3, "/2/") == 0)
    mirror.fetch_ref(space + "/2/lfs");
}

unique_fd kept_contents(const mirror& mirror,
                        const std::vector<std::string>& commits,
                        const std::string& oid) {
  if (commits.empty())
    return {};
  auto object = find_object(mirror, commits, oid);
  if (!object)
    return {};
  auto top = mirror.path();
  unique_fd file{::open(top.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600)};
  if (!file)
    throw_errno("cannot make a file in " + top.string());
  server_git call{top, {"cat-file", "blob", *object}};
  call.stdout_fd = file.get();
  auto result = run(call);
  if (!result.ok() || ::lseek(file.get(), 0, SEEK_SET) != 0)
    throw std::runtime_error("cannot read contents of Git LFS: "
                             + reason(result));
  return file;
}

} // namespace greenroom::git
