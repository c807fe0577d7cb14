#include "runtime/exec/orphans.hpp"

#include "runtime/base/files.hpp"
#include "runtime/base/pidfd.hpp"

#include <dirent.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

namespace greenroom {

namespace {

// Enough for any chain of processes that fork while they are being killed; a
// fork bomb is the sandbox's business.
constexpr int max_rounds = 100;

// How long is waited for killed processes to end. The kernel ends none that
// waits for a disk, and other sessions wait for this.
constexpr std::chrono::seconds longest_wait{10};

void await_end(const unique_fd& process,
               std::chrono::steady_clock::time_point deadline) {
  auto left = std::chrono::ceil<std::chrono::milliseconds>(
    deadline - std::chrono::steady_clock::now());
  pollfd ended{process.get(), POLLIN, 0};
  ::poll(&ended, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
}

bool has_marker(const std::string& proc_dir,
                std::span<const std::string> session_ids) {
  struct stat info;
  if (::stat(proc_dir.c_str(), &info) != 0 || info.st_uid != ::geteuid())
    return false;
  std::string environment;
  try {
    environment = read_file(proc_dir + "/environ").value_or("");
  } catch (const std::system_error&) {
    return false; // gone, or not ours to look into
  }
  // Variables end with NUL; one before the first makes them all alike.
  environment.insert(0, 1, '\0');
  constexpr std::string_view name{"\0GREENROOM_SESSION_ID=", 22};
  for (auto at = environment.find(name); at != std::string::npos;
       at = environment.find(name, at + 1)) {
    auto id = environment.c_str() + at + name.size();
    if (std::ranges::find(session_ids, id) != session_ids.end())
      return true;
  }
  return false;
}

std::vector<unique_fd> find_marked(std::span<const std::string> session_ids) {
  std::unique_ptr<DIR, int (*)(DIR*)> dir{::opendir("/proc"), ::closedir};
  if (!dir)
    throw std::system_error(errno, std::generic_category(),
                            "cannot read \"/proc\"");
  std::vector<unique_fd> result;
  while (const auto* entry = ::readdir(dir.get())) {
    auto pid = static_cast<pid_t>(std::strtol(entry->d_name, nullptr, 10));
    if (pid <= 0 || pid == ::getpid())
      continue;
    // Pinned before it is looked at: what is killed is what was seen.
    auto process = open_pidfd(pid);
    if (!process && errno != ESRCH && errno != EINVAL)
      throw std::system_error(errno, std::generic_category(),
                              "cannot watch a process");
    if (process && has_marker("/proc/" + std::to_string(pid), session_ids))
      result.push_back(std::move(process));
  }
  return result;
}

} // namespace

std::size_t kill_orphans(std::span<const std::string> session_ids) {
  std::size_t count = 0;
  const auto deadline = std::chrono::steady_clock::now() + longest_wait;
  for (int round = 0; round < max_rounds; ++round) {
    auto found = find_marked(session_ids);
    if (found.empty())
      break;
    for (const auto& process : found)
      if (signal_pidfd(process, SIGKILL))
        ++count;
    for (const auto& process : found)
      await_end(process, deadline);
    if (std::chrono::steady_clock::now() >= deadline)
      break;
  }
  return count;
}

} // namespace greenroom
