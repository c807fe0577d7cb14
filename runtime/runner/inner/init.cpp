#include "runtime/runner/inner/init.hpp"

#include "runtime/base/fd.hpp"
#include "runtime/base/throw_errno.hpp"
#include "runtime/runner/inner/exec_supervisor.hpp"
#include "runtime/runner/inner/process_tree.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <new>
#include <stdexcept>
#include <string_view>

namespace greenroom::runner {

namespace {

struct limit_name {
  std::string_view name;
  int resource;
};

constexpr std::array<limit_name, 10> limit_names{
  {{"as", RLIMIT_AS},
   {"core", RLIMIT_CORE},
   {"cpu", RLIMIT_CPU},
   {"data", RLIMIT_DATA},
   {"fsize", RLIMIT_FSIZE},
   {"memlock", RLIMIT_MEMLOCK},
   {"nofile", RLIMIT_NOFILE},
   {"nproc", RLIMIT_NPROC},
   {"sigpending", RLIMIT_SIGPENDING},
   {"stack", RLIMIT_STACK}}};

// How long nobody may wait for a request while none is there.
constexpr int next_supervisor_after = 10; // milliseconds

waiting_supervisor& share_waiting() {
  static_assert(waiting_supervisor::is_always_lock_free);
  auto* memory =
    ::mmap(nullptr, sizeof(waiting_supervisor), PROT_READ | PROT_WRITE,
           MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED)
    throw_errno("cannot share memory with supervisors");
  return *new (memory) waiting_supervisor{nobody_waits};
}

class init {
public:
  init(unique_fd requests, const char* checkout)
    : requests_(std::move(requests)), checkout_(checkout),
      waiting_(share_waiting()) {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    sigset_t set;
    sigfillset(&set);
    ::sigprocmask(SIG_SETMASK, &set, nullptr);
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    children_.reset(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    taken_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!children_ || !taken_)
      throw_errno("cannot watch processes");
  }

  void run() {
    prepare_supervisor();
    char ready = 1;
    if (::send(requests_.get(), &ready, sizeof ready, MSG_NOSIGNAL) < 0)
      return;
    std::array<pollfd, 3> fds{{{requests_.get(), 0, 0},
                               {taken_.get(), POLLIN, 0},
                               {children_.get(), POLLIN, 0}}};
    for (;;) {
      auto nobody = waiting_.load() == nobody_waits;
      fds[0].events = nobody ? POLLIN : 0;
      auto ready_count =
        ::poll(fds.data(), fds.size(), nobody ? next_supervisor_after : -1);
      if ((fds[0].revents & (POLLHUP | POLLERR)) != 0)
        return;
      if (fds[1].revents != 0)
        note_taken();
      if (fds[2].revents != 0)
        reap();
      auto request_waits = (fds[0].revents & POLLIN) != 0;
      // Without one, because there was no process to be had, whoever waits for
      // it is told.
      if ((ready_count == 0 || request_waits) && !prepare_supervisor()
          && request_waits)
        refuse_request(requests_.get(), errno);
    }
  }

private:
  // False, and errno, where there is no process to be had.
  bool prepare_supervisor() {
    auto nobody = nobody_waits;
    if (!waiting_.compare_exchange_strong(nobody, being_forked))
      return true; // one is done meanwhile
    auto pid = ::fork();
    if (pid == 0) {
      children_.reset();
      run_supervisor({requests_.get(), taken_.get(), &waiting_, checkout_});
    }
    if (pid < 0)
      waiting_ = nobody_waits;
    else
      supervisors_.push_back(forked_ = pid);
    return pid > 0;
  }

  void note_taken() {
    std::uint64_t ignored;
    [[maybe_unused]] auto size = ::read(taken_.get(), &ignored, sizeof ignored);
  }

  void reap() {
    signalfd_siginfo ignored;
    while (::read(children_.get(), &ignored, sizeof ignored) > 0) {
    }
    bool orphans = false;
    int status = 0;
    for (pid_t pid; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
      orphans = orphans || std::erase(supervisors_, pid) == 0 || status != 0;
      auto was = pid;
      waiting_.compare_exchange_strong(was, nobody_waits);
      was = being_forked;
      if (pid == forked_)
        waiting_.compare_exchange_strong(was, nobody_waits);
    }
    // A child that is no supervisor has lost its own, which somebody has
    // killed.
    if (orphans)
      stop_and_kill_descendants(supervisors_);
  }

  unique_fd requests_;
  const char* checkout_;
  unique_fd children_; // readable when a child has ended
  unique_fd taken_;    // readable when the waiting supervisor has a request
  waiting_supervisor& waiting_;
  pid_t forked_ = 0;               // the last supervisor that was made
  std::vector<pid_t> supervisors_; // not reaped yet
};

} // namespace

void limit_resources(const resource_limits& limits) {
  for (const auto& [name, value] : limits) {
    auto found = std::ranges::find(limit_names, name, &limit_name::name);
    if (found == limit_names.end())
      throw std::runtime_error("there is no resource limit \"" + name + '"');
    rlimit limit{value, value};
    if (::setrlimit(static_cast<__rlimit_resource>(found->resource), &limit)
        != 0)
      throw_errno("the resource limit \"" + name + "\" cannot be set");
  }
}

void run_init(int requests, const char* checkout) {
  try {
    // Nothing else may stay open: commands are not to get it, and an end of
    // file that somebody waits for must not be held back here.
    constexpr int place = STDERR_FILENO + 1;
    if (requests != place && ::dup3(requests, place, O_CLOEXEC) < 0)
      throw_errno("cannot keep the socket");
    ::close_range(place + 1, ~0u, 0);
    ::umask(022); // as programs expect it, whatever the node's is
    init{unique_fd{place}, checkout}.run();
    kill_descendants([](pid_t, int) {});
    ::_exit(0);
  } catch (const std::exception& problem) {
    std::fprintf(stderr, "greenroom-runner: %s\n", problem.what());
    ::_exit(1);
  }
}

} // namespace greenroom::runner
