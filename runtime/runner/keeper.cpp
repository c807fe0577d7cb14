#include "runtime/runner/keeper.hpp"

#include "runtime/base/fd.hpp"
#include "runtime/runner/process_tree.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <optional>

namespace greenroom::runner {

namespace {

struct start_failure {
  start_step step;
  int error;
};

class keeper {
public:
  explicit keeper(const keeper_job& job) : job_(job) {}

  void run() {
    close_what_is_not_ours();
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    sigset_t child_signals;
    sigemptyset(&child_signals);
    sigaddset(&child_signals, SIGCHLD);
    children_.reset(::signalfd(-1, &child_signals, SFD_CLOEXEC | SFD_NONBLOCK));
    if (auto failure = start()) {
      report({keeper_report::kind::failed, failure->error, failure->step});
      return;
    }
    report({keeper_report::kind::started});
    // Only the command may hold its pipes now: their end of file has to come.
    ::close(job_.out);
    ::close(job_.err);
    ::close(job_.session_dir);
    watch();
  }

private:
  // The shim has other execs' descriptors open, and an end of file that a
  // keeper waits for must not be held back by another keeper.
  void close_what_is_not_ours() {
    std::array ours{job_.orders, job_.out, job_.err, job_.session_dir};
    std::ranges::sort(ours);
    auto next = 3u;
    for (auto fd : ours) {
      auto kept = static_cast<unsigned>(fd);
      if (kept > next)
        ::close_range(next, kept - 1, 0);
      next = kept + 1;
    }
    ::close_range(next, ~0u, 0);
  }

  std::optional<start_failure> start() {
    if (!children_)
      return start_failure{start_step::process, errno};
    unique_fd checkout{::openat(job_.session_dir, job_.checkout,
                                O_PATH | O_DIRECTORY | O_CLOEXEC)};
    if (!checkout)
      return start_failure{start_step::checkout, errno};
    auto cwd = open_beneath(checkout.get(), job_.cwd);
    if (!cwd)
      return start_failure{start_step::cwd, errno};
    return spawn(cwd.get());
  }

  static unique_fd open_beneath(int dir, const char* path) {
    open_how how{};
    how.flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
    how.resolve = RESOLVE_BENEATH;
    // The kernel asks for another try when something was renamed meanwhile.
    for (int tries = 0;; ++tries) {
      unique_fd result{static_cast<int>(
        ::syscall(SYS_openat2, dir, *path ? path : ".", &how, sizeof how))};
      if (result || errno != EAGAIN || tries == 16)
        return result;
    }
  }

  // The child shares our memory until it is the command, so it says what
  // failed by leaving it in `failure`.
  std::optional<start_failure> spawn(int cwd) {
    volatile int error = 0;
    volatile auto step = start_step::command;
    ::environ = job_.env; // execvp looks for PATH there
    auto pid = ::vfork();
    if (pid < 0)
      return start_failure{start_step::process, errno};
    if (pid == 0) {
      ::setsid();
      ::dup2(job_.out, STDOUT_FILENO);
      ::dup2(job_.err, STDERR_FILENO);
      if (::fchdir(cwd) != 0) {
        error = errno;
        step = start_step::cwd;
        ::_exit(127);
      }
      sigset_t none;
      sigemptyset(&none);
      ::sigprocmask(SIG_SETMASK, &none, nullptr);
      ::execvp(job_.argv[0], job_.argv);
      error = errno;
      ::_exit(127);
    }
    if (error != 0) {
      ::waitpid(pid, nullptr, 0);
      return start_failure{step, error};
    }
    command_ = pid;
    return std::nullopt;
  }

  void watch() {
    std::array<pollfd, 2> fds{
      {{job_.orders, POLLIN, 0}, {children_.get(), POLLIN, 0}}};
    while (!empty_) {
      ::poll(fds.data(), fds.size(), -1);
      if (fds[1].revents != 0)
        reap();
      if (fds[0].revents != 0 && !empty_)
        obey();
    }
  }

  void reap() {
    signalfd_siginfo ignored;
    while (::read(children_.get(), &ignored, sizeof ignored) > 0) {
    }
    int status = 0;
    auto pid = ::waitpid(-1, &status, WNOHANG);
    for (; pid > 0; pid = ::waitpid(-1, &status, WNOHANG))
      note(pid, status);
    empty_ = pid < 0 && errno == ECHILD;
  }

  void obey() {
    keeper_order order;
    auto size = ::recv(job_.orders, &order, sizeof order, MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
      return;
    if (size != sizeof order)
      order = {keeper_order::kind::kill_all};
    switch (order.what) {
      case keeper_order::kind::signal_group:
        // Until it is reaped, the group's number is the command's alone.
        if (command_ != 0)
          ::kill(-command_, order.signal);
        break;
      case keeper_order::kind::signal_all:
        signal_descendants(order.signal);
        break;
      case keeper_order::kind::kill_all:
        kill_descendants([this](pid_t pid, int status) { note(pid, status); });
        empty_ = true;
        break;
    }
  }

  void note(pid_t pid, int status) {
    if (pid != command_)
      return;
    command_ = 0;
    report({keeper_report::kind::ended, status});
  }

  void report(const keeper_report& what) {
    ::send(job_.orders, &what, sizeof what, MSG_NOSIGNAL);
  }

  const keeper_job& job_;
  unique_fd children_; // readable when a child has ended
  pid_t command_ = 0;  // 0: not started, or reaped
  bool empty_ = false; // no child is left
};

} // namespace

void run_keeper(const keeper_job& job) noexcept {
  keeper{job}.run();
  ::_exit(0);
}

} // namespace greenroom::runner
