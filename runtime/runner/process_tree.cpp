#include "runtime/runner/process_tree.hpp"

#include "runtime/base/files.hpp"
#include "runtime/base/pidfd.hpp"

#include <dirent.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

namespace greenroom::runner {

namespace {

struct process {
  pid_t pid;
  pid_t parent;
};

// A file of /proc; empty where its process is gone.
std::string read_proc(const std::string& path) {
  try {
    return read_file(path).value_or("");
  } catch (const std::system_error&) {
    return {}; // ESRCH: it ended while being read
  }
}

void add_children(pid_t parent, std::vector<process>& to) {
  auto tasks = "/proc/" + std::to_string(parent) + "/task";
  std::unique_ptr<DIR, int (*)(DIR*)> dir{::opendir(tasks.c_str()), ::closedir};
  if (!dir)
    return;
  // Each thread has its own children.
  while (const auto* entry = ::readdir(dir.get())) {
    if (entry->d_name[0] == '.')
      continue;
    auto text = read_proc(tasks + '/' + entry->d_name + "/children");
    for (const char* at = text.c_str();;) {
      char* end = nullptr;
      auto pid = std::strtol(at, &end, 10);
      if (end == at)
        break;
      to.push_back({static_cast<pid_t>(pid), parent});
      at = end;
    }
  }
}

pid_t parent_of(pid_t pid) {
  auto text = read_proc("/proc/" + std::to_string(pid) + "/stat");
  // "pid (name) state parent …", and a name may hold anything.
  auto name_end = text.rfind(')');
  if (name_end == std::string::npos || name_end + 4 > text.size())
    return 0;
  return static_cast<pid_t>(
    std::strtol(text.c_str() + name_end + 4, nullptr, 10));
}

} // namespace

void signal_descendants(int signal, std::span<const pid_t> spared) {
  auto self = ::getpid();
  std::vector<process> pending;
  add_children(self, pending);
  std::erase_if(pending, [&](const process& child) {
    return std::ranges::find(spared, child.pid) != spared.end();
  });
  while (!pending.empty()) {
    auto [pid, listed_parent] = pending.back();
    pending.pop_back();
    auto pinned = open_pidfd(pid);
    auto parent = parent_of(pid);
    if (!pinned || (parent != listed_parent && parent != self))
      continue;
    // Its children first: once it is dead they are elsewhere.
    add_children(pid, pending);
    signal_pidfd(pinned, signal);
  }
}

void kill_descendants(const std::function<void(pid_t, int)>& reaped) {
  for (;;) {
    signal_descendants(SIGKILL);
    int status = 0;
    auto pid = ::waitpid(-1, &status, 0);
    if (pid < 0 && errno == ECHILD)
      return;
    for (; pid > 0; pid = ::waitpid(-1, &status, WNOHANG))
      reaped(pid, status);
  }
}

} // namespace greenroom::runner
