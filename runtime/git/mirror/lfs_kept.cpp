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

// "<id> blob <size>" of one that is there, "<what was asked> missing" of
// others.
std::optional<std::string> find_object(const mirror& mirror,
                                       const std::vector<std::string>& commits,
                                       const lfs_object& what) {
  const auto blob = " blob " + std::to_string(what.size) + '\n';
  std::string question;
  for (const auto& commit : commits)
    question += commit + ':' + what.oid + '\n';
  auto input = memfd(question);
  server_git look{mirror.path(),
                  {"cat-file", "--batch-check=%(objectname) %(objecttype) "
                               "%(objectsize)"}};
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

// "<sid>", or "<sid>/2" and so on where another node has the first; what comes
// before the names of a session's work.
std::string_view place_of_work(std::string_view name) {
  auto end = std::min(name.find('/'), name.size());
  auto second = std::min(name.find('/', end + 1), name.size());
  auto number = name.substr(end).substr(0, second - end);
  auto is_place = number.size() > 1
                  && number.find_first_not_of("0123456789", 1) == number.npos;
  return name.substr(0, is_place ? second : end);
}

bool is_lfs_of_session(std::string_view name) {
  return name.substr(place_of_work(name).size()) == "/lfs";
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
  auto work = std::string_view{name}.substr(rescue_refs.size());
  mirror.fetch_ref(std::string{rescue_refs} + std::string{place_of_work(work)}
                   + "/lfs");
}

unique_fd kept_contents(const mirror& mirror,
                        const std::vector<std::string>& commits,
                        const lfs_object& what) {
  if (commits.empty())
    return {};
  auto object = find_object(mirror, commits, what);
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
