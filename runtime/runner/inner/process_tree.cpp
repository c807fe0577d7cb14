#include "runtime/runner/inner/process_tree.hpp"

#include "runtime/base/files.hpp"
#include "runtime/base/pidfd.hpp"

#include <dirent.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
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

void add_pids(const std::string& text, pid_t parent, std::vector<process>& to) {
  for (const char* at = text.c_str();;) {
    char* end = nullptr;
    auto pid = std::strtol(at, &end, 10);
    if (end == at)
      break;
    to.push_back({static_cast<pid_t>(pid), parent});
    at = end;
  }
}

void add_children(pid_t parent, std::vector<process>& to) {
  auto tasks = "/proc/" + std::to_string(parent) + "/task";
  std::unique_ptr<DIR, int (*)(DIR*)> dir{::opendir(tasks.c_str()), ::closedir};
  if (!dir)
    return;
  // Each thread has its own children.
  while (const auto* entry = ::readdir(dir.get()))
    if (entry->d_name[0] != '.')
      add_pids(read_proc(tasks + '/' + entry->d_name + "/children"), parent,
               to);
}

struct process_status {
  char state = 0; // as in /proc; 0: there is no such process
  pid_t parent = 0;
};

process_status status_of(pid_t pid) {
  auto text = read_proc("/proc/" + std::to_string(pid) + "/stat");
  // "pid (name) state parent …", and a name may hold anything.
  auto name_end = text.rfind(')');
  if (name_end == std::string::npos || name_end + 4 > text.size())
    return {};
  return {text[name_end + 2], static_cast<pid_t>(std::strtol(
                                text.c_str() + name_end + 4, nullptr, 10))};
}

bool contains(std::span<const pid_t> pids, pid_t pid) {
  return std::ranges::find(pids, pid) != pids.end();
}

// Whether the process, which is pinned, is in the tree. A parent that is still
// the parent after it was looked at was the same process all the time.
bool is_below(pid_t pid, pid_t top, std::span<const pid_t> excluded) {
  auto parent = status_of(pid).parent;
  while (!contains(excluded, pid)) {
    if (parent == top)
      return true;
    if (parent <= 1)
      return false;
    auto above = status_of(parent).parent;
    if (status_of(pid).parent != parent)
      return false; // it moves just now
    pid = std::exchange(parent, above);
  }
  return false;
}

// Calls visit(pid, pidfd, state) once for each process in the tree, parents
// first, but after their children were listed: once one is dead they are
// elsewhere.
template <class Visit>
void visit_descendants(std::span<const pid_t> excluded, Visit visit) {
  auto self = ::getpid();
  std::vector<process> pending;
  std::set<pid_t> seen{excluded.begin(), excluded.end()};
  add_children(self, pending);
  while (!pending.empty()) {
    auto [pid, listed_parent] = pending.back();
    pending.pop_back();
    auto pinned = open_pidfd(pid);
    auto now = status_of(pid);
    if (!pinned || now.state == 0
        || (now.parent != listed_parent && !is_below(pid, self, excluded))
        || !seen.insert(pid).second)
      continue;
    add_children(pid, pending);
    visit(pid, pinned, now.state);
  }
}

// Each look finds what was forked before all its parents were stopped, and a
// process with a stop before it forks no more. Only a bomb that is unlimited
// and faster than this is not caught up with.
void stop_descendants(std::span<const pid_t> excluded) {
  constexpr int most_looks = 100;
  constexpr std::string_view cannot_run = "TtZX";
  std::set<pid_t> told;
  for (int looks = 0; looks < most_looks; ++looks) {
    bool found = false;
    visit_descendants(excluded,
                      [&](pid_t pid, const unique_fd& pinned, char state) {
                        if (cannot_run.find(state) != std::string_view::npos)
                          return;
                        signal_pidfd(pinned, SIGSTOP);
                        found = told.insert(pid).second || found;
                      });
    if (!found)
      return;
  }
}

// Whoever has lost its parent is a child too. False where that cannot be read.
bool has_only(std::span<const pid_t> excluded) {
  if (excluded.empty())
    return false; // the kernel says when there are none
  std::vector<process> children;
  try {
    auto text = read_file("/proc/thread-self/children");
    if (!text)
      return false;
    add_pids(*text, ::getpid(), children);
  } catch (const std::system_error&) {
    return false;
  }
  return std::ranges::all_of(children, [&](const process& child) {
    return contains(excluded, child.pid);
  });
}

// False where no child has ended for as long.
bool await_end() {
  constexpr timespec timeout{0, 10'000'000};
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGCHLD);
  return ::sigtimedwait(&ends, nullptr, &timeout) > 0;
}

} // namespace

std::vector<pid_t> descendants_of(pid_t top) {
  std::vector<process> found;
  add_children(top, found);
  std::set<pid_t> seen;
  std::vector<pid_t> result;
  for (std::size_t i = 0; i < found.size(); ++i)
    if (auto pid = found[i].pid; seen.insert(pid).second) {
      result.push_back(pid);
      add_children(pid, found);
    }
  return result;
}

std::size_t signal_descendants(int signal, std::span<const pid_t> excluded) {
  std::size_t signalled = 0;
  visit_descendants(excluded, [&](pid_t, const unique_fd& pinned, char) {
    signal_pidfd(pinned, signal);
    ++signalled;
  });
  return signalled;
}

std::size_t stop_and_kill_descendants(std::span<const pid_t> excluded) {
  stop_descendants(excluded);
  return signal_descendants(SIGKILL, excluded);
}

void kill_descendants(const std::function<void(pid_t, int)>& reaped,
                      std::span<const pid_t> excluded) {
  for (;;) {
    stop_and_kill_descendants(excluded);
    do {
      int status = 0;
      pid_t pid;
      while ((pid = ::waitpid(-1, &status, WNOHANG)) > 0)
        reaped(pid, status);
      if ((pid < 0 && errno == ECHILD) || has_only(excluded))
        return;
    } while (await_end());
  }
}

} // namespace greenroom::runner
