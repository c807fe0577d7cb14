#include "runtime/git/session/branch_position.hpp"

#include "runtime/base/fd.hpp"
#include "runtime/base/hex.hpp"
#include "runtime/git/common/refs.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>

namespace greenroom::git {

namespace {

constexpr std::size_t max_ref = 4096;
constexpr std::size_t max_packed = std::size_t{64} << 20;
constexpr int max_links = 5; // as git has it

// A regular file below a directory, with no link on the way.
std::optional<std::string> read_below(int top, const std::string& path,
                                      std::size_t limit) {
  open_how how{};
  how.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  unique_fd fd{static_cast<int>(
    ::syscall(SYS_openat2, top, path.c_str(), &how, sizeof how))};
  struct stat info;
  if (!fd || ::fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode)
      || static_cast<std::size_t>(info.st_size) > limit)
    return std::nullopt;
  std::string text(static_cast<std::size_t>(info.st_size), '\0');
  auto got = ::pread(fd.get(), text.data(), text.size(), 0);
  if (got < 0)
    return std::nullopt;
  text.resize(static_cast<std::size_t>(got));
  return text;
}

std::string_view first_line(std::string_view text) {
  text = text.substr(0, text.find('\n'));
  return text.substr(0, text.find_last_not_of(" \t\r") + 1);
}

// "<id> <name>" lines, sorted or not.
std::optional<std::string> find_packed(int git, std::string_view ref) {
  auto text = read_below(git, "packed-refs", max_packed);
  if (!text)
    return std::nullopt;
  auto wanted = ' ' + std::string{ref} + '\n';
  auto at = text->find(wanted);
  if (at == std::string::npos || at < 40)
    return std::nullopt;
  auto id = std::string_view{*text}.substr(at - 40, 40);
  std::optional<std::string> result;
  if (is_hex(id, sha1_digits) && (at == 40 || (*text)[at - 41] == '\n'))
    result.emplace(id);
  return result;
}

} // namespace

branch_position find_branch(const std::filesystem::path& checkout,
                            std::string_view branch) {
  constexpr std::string_view link = "ref: ";
  unique_fd git{::open((checkout / ".git").c_str(),
                       O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)};
  branch_position result;
  if (!git || name_fault(branch))
    return result;
  auto name = "refs/heads/" + std::string{branch};
  if (auto head = read_below(git.get(), "HEAD", max_ref))
    result.checked_out = first_line(*head) == std::string{link} + name;
  for (int i = 0; i < max_links; ++i) {
    auto text = read_below(git.get(), name, max_ref);
    if (!text) {
      result.commit = find_packed(git.get(), name);
      break;
    }
    auto line = first_line(*text);
    if (is_hex(line, sha1_digits)) {
      result.commit = std::string{line};
      break;
    }
    if (!line.starts_with("ref: refs/"))
      break;
    name = line.substr(link.size());
  }
  return result;
}

} // namespace greenroom::git
