#include "runtime/runner/inner/exec_supervisor.hpp"

#include "runtime/base/fd.hpp"
#include "runtime/base/memfd.hpp"
#include "runtime/runner/inner/local_port.hpp"
#include "runtime/runner/inner/process_tree.hpp"
#include "runtime/runner/protocol/fd_passing.hpp"
#include "runtime/runner/protocol/spawn_request.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace greenroom::runner {

namespace {

struct start_failure {
  start_step step;
  int error;
};

struct terminal {
  unique_fd master;
  unique_fd slave;
};

// Where the sandbox has a devpts of its own it is one of that. Nothing, and
// errno, where there is none.
std::optional<terminal> open_terminal(std::uint16_t rows, std::uint16_t cols) {
  constexpr int flags = O_RDWR | O_NOCTTY | O_CLOEXEC;
  terminal result;
  result.master.reset(::open("/dev/ptmx", flags));
  int locked = 0;
  if (!result.master || ::ioctl(result.master.get(), TIOCSPTLCK, &locked) != 0)
    return std::nullopt;
  result.slave.reset(::ioctl(result.master.get(), TIOCGPTPEER, flags));
  winsize size{rows, cols, 0, 0};
  if (!result.slave || ::ioctl(result.master.get(), TIOCSWINSZ, &size) != 0)
    return std::nullopt;
  return result;
}

// The kernel gives no program an argument of this size, its NUL included.
constexpr std::size_t longest_argument = 128 * 1024;

// And none more than 6 MiB together, each with a pointer to it: this leaves
// room for arguments.
constexpr std::size_t longest_environment = 5632 << 10;

// Takes out of `env` what no program can be given, as assignments for a shell.
std::string assignments(std::vector<char*>& env) {
  std::size_t total = 0;
  for (auto* entry : env)
    total += entry ? std::strlen(entry) + 1 + sizeof entry : 0;
  std::string result;
  std::erase_if(env, [&](const char* entry) {
    auto size = entry ? std::strlen(entry) + 1 : 0;
    if (size < longest_argument
        && (total <= longest_environment || size < 4096))
      return false;
    total -= size + sizeof entry;
    const auto* value = std::strchr(entry, '=') + 1;
    result.append(entry, value).append(1, '\'');
    for (; *value != '\0'; ++value)
      if (*value == '\'')
        result += "'\\''";
      else
        result += *value;
    result += "'; ";
    return true;
  });
  return result;
}

// Whether a program understands what long_script makes of its script.
bool is_shell(std::string_view program) {
  auto name = program.substr(program.rfind('/') + 1);
  constexpr std::array<std::string_view, 7> shells{"sh",  "bash", "dash", "ash",
                                                   "ksh", "mksh", "zsh"};
  return std::ranges::find(shells, name) != shells.end();
}

// A script that is too long to be an argument, made into one: `-c SCRIPT` of a
// shell becomes `-c '. FILE'`, and it gets the file. Variables that are too
// long for the kernel become the shell's own there.
class long_script {
public:
  /// Changes `argv`, which points into `texts` of its own afterwards, and
  /// `env`. Throws std::system_error.
  long_script(std::vector<char*>& argv, std::vector<char*>& env) {
    if (argv.empty() || !argv[0] || !is_shell(argv[0]))
      return;
    for (std::size_t i = 2; i < argv.size() && argv[i]; ++i) {
      if (std::strcmp(argv[i - 1], "-c") != 0)
        continue;
      auto before = assignments(env);
      if (before.empty() && std::strlen(argv[i]) < longest_argument)
        return;
      // A copy that is not closed on exec.
      file_.reset(::dup(git::memfd(before + argv[i]).get()));
      if (!file_)
        throw std::system_error(errno, std::generic_category(), "dup");
      text_ = ". /proc/self/fd/" + std::to_string(file_.get());
      argv[i] = text_.data();
      return;
    }
  }

private:
  unique_fd file_;
  std::string text_;
};

// As many arguments as the kernel allows to any: a quarter of the stack.
void allow_long_arguments() {
  constexpr rlim_t enough = 32 << 20;
  rlimit limit{};
  ::getrlimit(RLIMIT_STACK, &limit);
  limit.rlim_cur =
    std::min<rlim_t>(std::max(limit.rlim_cur, enough), limit.rlim_max);
  ::setrlimit(RLIMIT_STACK, &limit);
}

class exec_supervisor {
public:
  explicit exec_supervisor(const supervisor_place& place) : place_(place) {}

  void run() {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    sigset_t child_signals;
    sigemptyset(&child_signals);
    sigaddset(&child_signals, SIGCHLD);
    children_.reset(::signalfd(-1, &child_signals, SFD_CLOEXEC | SFD_NONBLOCK));
    place_.waiting->store(::getpid());
    do {
      if (!serve())
        return;
    } while (wait_again());
  }

private:
  // False when there will be no other.
  bool serve() {
    auto request = receive_request(place_.requests);
    if (!request)
      return false;
    place_.waiting->store(nobody_waits);
    control_ = std::move(request->control);
    early_.reset();
    if (request->port.number > 0)
      return connect(request->port);
    auto failure = start(*request);
    if (failure)
      report({supervisor_report::kind::failed, failure->error, failure->step});
    else
      failure = report_started(request->master.get());
    // Only now, so that the next supervisor's fork delays no command.
    std::uint64_t one = 1;
    if (::write(place_.taken, &one, sizeof one) < 0)
      return false;
    // Only the command may hold its ends now: their end of file has to come.
    request.reset();
    if (!failure)
      watch();
    control_.reset();
    return true;
  }

  // False as above. Another supervisor may take the next request meanwhile.
  bool connect(const local_port& port) {
    std::uint64_t one = 1;
    if (::write(place_.taken, &one, sizeof one) < 0)
      return false;
    auto socket = connect_to_local_port(port);
    auto error = errno;
    if (socket)
      report({supervisor_report::kind::connected}, socket.get());
    else
      report({supervisor_report::kind::failed, error, start_step::connect});
    control_.reset();
    return true;
  }

  bool wait_again() {
    auto nobody = nobody_waits;
    return place_.waiting->compare_exchange_strong(nobody, ::getpid());
  }

  std::optional<start_failure> start(spawn_request& what) {
    if (!children_)
      return start_failure{start_step::process, errno};
    unique_fd checkout{
      ::openat(AT_FDCWD, place_.checkout, O_PATH | O_DIRECTORY | O_CLOEXEC)};
    if (!checkout)
      return start_failure{start_step::checkout, errno};
    auto cwd = open_beneath(checkout.get(), what.cwd);
    if (!cwd)
      return start_failure{start_step::cwd, errno};
    if (what.rows > 0) {
      auto made = open_terminal(what.rows, what.cols);
      if (!made)
        return start_failure{start_step::tty, errno};
      what.master = std::move(made->master);
      what.in = std::move(made->slave);
    }
    try {
      long_script script{what.argv, what.env};
      if (!begin())
        return start_failure{start_step::process, errno};
      return spawn(what, cwd.get());
    } catch (const std::system_error& problem) {
      return start_failure{start_step::process, problem.code().value()};
    }
  }

  // From here on the command may have run.
  bool begin() {
    supervisor_order order;
    auto size = ::recv(control_.get(), &order, sizeof order, MSG_DONTWAIT);
    if (size == sizeof order && order.what == supervisor_order::kind::begin)
      return true;
    if (size == sizeof order)
      early_ = order; // an older shim's
    return report({supervisor_report::kind::starting});
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

  // The child shares our memory, and this frame, until it is the command, so it
  // says what failed by leaving it in `error`.
  [[gnu::noinline]] std::optional<start_failure> spawn(spawn_request& what,
                                                       int cwd) {
    volatile int error = 0;
    volatile auto step = start_step::command;
    ::environ = what.env.data(); // execvp looks for PATH there
    auto tty = what.rows > 0;
    auto in = what.in.get();
    auto out = tty ? in : what.out.get();
    auto err = tty ? in : what.err.get();
    auto pid = ::vfork();
    if (pid < 0)
      return start_failure{start_step::process, errno};
    if (pid == 0) {
      ::setsid();
      // Else it is /dev/null already.
      if (in >= 0)
        ::dup2(in, STDIN_FILENO);
      ::dup2(out, STDOUT_FILENO);
      ::dup2(err, STDERR_FILENO);
      // Makes the command's group the terminal's foreground group, too.
      if (tty && ::ioctl(STDIN_FILENO, TIOCSCTTY, 0) != 0) {
        error = errno;
        step = start_step::tty;
        ::_exit(127);
      }
      if (::fchdir(cwd) != 0) {
        error = errno;
        step = start_step::cwd;
        ::_exit(127);
      }
      sigset_t none;
      sigemptyset(&none);
      ::sigprocmask(SIG_SETMASK, &none, nullptr);
      ::execvp(what.argv[0], what.argv.data());
      if (errno == E2BIG) {
        allow_long_arguments();
        ::execvp(what.argv[0], what.argv.data());
      }
      error = errno;
      ::_exit(127);
    }
    ::environ = nullptr; // it goes with the request
    if (error != 0) {
      ::waitpid(pid, nullptr, 0);
      return start_failure{step, error};
    }
    command_ = pid;
    empty_ = false;
    return std::nullopt;
  }

  void watch() {
    std::array<pollfd, 2> fds{
      {{control_.get(), POLLIN, 0}, {children_.get(), POLLIN, 0}}};
    if (auto early = std::exchange(early_, std::nullopt))
      follow(*early);
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
    supervisor_order order;
    auto size = ::recv(control_.get(), &order, sizeof order, MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
      return;
    if (size != sizeof order)
      order = {supervisor_order::kind::kill_all};
    follow(order);
  }

  void follow(const supervisor_order& order) {
    switch (order.what) {
      case supervisor_order::kind::signal_group:
        // Until it is reaped, the group's number is the command's alone.
        if (command_ != 0)
          ::kill(-command_, order.signal);
        break;
      case supervisor_order::kind::signal_all:
        signal_descendants(order.signal);
        break;
      case supervisor_order::kind::kill_all:
        if (stop_and_kill_descendants() > 0)
          report({supervisor_report::kind::killing});
        kill_descendants([this](pid_t pid, int status) { note(pid, status); });
        empty_ = true;
        break;
      case supervisor_order::kind::begin:
        break;
    }
  }

  void note(pid_t pid, int status) {
    if (pid != command_)
      return;
    command_ = 0;
    report({supervisor_report::kind::ended, status});
  }

  // Where the kernel passes no descriptor just now, a command with a terminal
  // cannot be used.
  std::optional<start_failure> report_started(int master) {
    if (report({supervisor_report::kind::started}, master))
      return std::nullopt;
    const start_failure failure{start_step::tty, errno};
    kill_descendants([](pid_t, int) {});
    command_ = 0;
    empty_ = true;
    report({supervisor_report::kind::failed, failure.error, failure.step});
    return failure;
  }

  bool report(const supervisor_report& what, int with = -1) {
    std::span fds{&with, with < 0 ? 0u : 1u};
    return send_with_fds(control_.get(),
                         {reinterpret_cast<const char*>(&what), sizeof what},
                         fds, 0)
           >= 0;
  }

  const supervisor_place& place_;
  unique_fd control_;
  std::optional<supervisor_order> early_; // came before the command ran
  unique_fd children_;                    // readable when a child has ended
  pid_t command_ = 0;                     // 0: not started, or reaped
  bool empty_ = true;                     // no child is left
};

} // namespace

void refuse_request(int requests, int error) noexcept {
  auto request = receive_request(requests, MSG_DONTWAIT);
  if (!request)
    return;
  supervisor_report report{supervisor_report::kind::failed, error,
                           start_step::process};
  ::send(request->control.get(), &report, sizeof report, MSG_NOSIGNAL);
}

void run_supervisor(const supervisor_place& place) noexcept {
  exec_supervisor{place}.run();
  ::_exit(0);
}

} // namespace greenroom::runner
