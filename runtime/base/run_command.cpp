#include "runtime/base/run_command.hpp"

#include "runtime/base/fd.hpp"
#include "runtime/base/pipe.hpp"
#include "runtime/base/processor_time.hpp"
#include "runtime/base/run_until.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>
#include <thread>
#include <utility>

namespace greenroom {

namespace {

using steady = std::chrono::steady_clock;

[[noreturn]] void fail(int error, const std::string& what) {
  throw std::system_error(error, std::generic_category(), what);
}

// Both descriptions of how to start a program have to be destroyed by hand.
class spawn_plan {
public:
  spawn_plan() {
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawnattr_init(&attributes);
  }
  spawn_plan(const spawn_plan&) = delete;
  spawn_plan& operator=(const spawn_plan&) = delete;
  ~spawn_plan() {
    ::posix_spawnattr_destroy(&attributes);
    ::posix_spawn_file_actions_destroy(&actions);
  }

  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
};

// A child and all of its group; killed and reaped where nobody waited for it.
class child {
public:
  child(pid_t pid, bool own_group) noexcept
    : pid_(pid), own_group_(own_group) {}
  child(const child&) = delete;
  child& operator=(const child&) = delete;
  ~child() {
    if (pid_ > 0) {
      kill();
      wait();
    }
  }

  pid_t pid() const noexcept {
    return pid_;
  }

  // The group still is the child's: it is not reaped yet.
  void kill() const noexcept {
    ::kill(own_group_ ? -pid_ : pid_, SIGKILL);
  }

  int wait() noexcept {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR)
      ;
    pid_ = 0;
    return status;
  }

private:
  pid_t pid_;
  bool own_group_;
};

// One of the program's outputs, as far as it has come.
class collector {
public:
  collector(std::string& text, std::size_t limit, bool& truncated)
    : text_(text), limit_(limit), truncated_(truncated) {
    auto ends = make_pipe();
    reader_ = std::move(ends.reader);
    writer_ = std::move(ends.writer);
    // Only our end: programs do not expect a non-blocking stdout.
    if (::fcntl(reader_.get(), F_SETFL, O_NONBLOCK) != 0)
      fail(errno, "cannot set up a pipe");
  }

  int reader() const noexcept {
    return reader_.get();
  }
  int writer() const noexcept {
    return writer_.get();
  }
  void close_writer() noexcept {
    writer_.reset();
  }

  // Takes what is there now. No more at once than a pipe holds: whoever prints
  // faster than that is read must not keep us from looking at the clock, nor,
  // after the program's end, what it left behind.
  void drain() {
    constexpr int pieces = 64;
    std::array<char, 16384> buffer;
    for (int i = 0; reader_ && i < pieces; ++i) {
      auto got = ::read(reader_.get(), buffer.data(), buffer.size());
      if (got > 0) {
        auto size = static_cast<std::size_t>(got);
        auto kept = std::min(size, limit_ - text_.size());
        text_.append(buffer.data(), kept);
        truncated_ = truncated_ || kept < size;
      } else if (got == 0 || (errno != EINTR && errno != EAGAIN)) {
        reader_.reset();
      } else if (errno == EAGAIN) {
        return;
      }
    }
  }

private:
  unique_fd reader_;
  unique_fd writer_;
  std::string& text_;
  std::size_t limit_;
  bool& truncated_;
};

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (const auto& text : texts)
    result.push_back(const_cast<char*>(text.c_str()));
  result.push_back(nullptr);
  return result;
}

int until(steady::time_point deadline) {
  using namespace std::chrono;
  auto left = ceil<milliseconds>(deadline - steady::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000));
}

// Until when a program may run.
class run_deadline {
public:
  run_deadline(const command& what, pid_t pid)
    : timeout_(what.timeout), pid_(pid), at_(steady::now() + what.timeout),
      last_(at_ - what.timeout + std::max(what.timeout, what.longest)),
      look_again_(last_ > at_ ? steady::now() : last_) {}

  /// When is_over is to be asked again.
  steady::time_point next() const {
    return std::min(at_, look_again_);
  }

  bool is_over() {
    constexpr int looks = 10; // within a time-out
    const auto now = steady::now();
    if (now >= next() && look_again_ < last_) {
      look_again_ = now + timeout_ / looks;
      // Where something ends it may become less: that is something, too.
      const auto taken = processor_time(pid_);
      if (std::exchange(taken_, taken) != taken)
        at_ = std::min(now + timeout_, last_);
    }
    return now >= at_;
  }

private:
  std::chrono::milliseconds timeout_;
  pid_t pid_;
  steady::time_point at_;
  steady::time_point last_;
  steady::time_point look_again_;
  std::uint64_t taken_ = 0;
};

// It outlives us where we are killed, and may be one that never writes: what it
// could not have taken before its time-out ends it.
void limit_processor_time(pid_t pid, std::chrono::milliseconds timeout) {
  using namespace std::chrono;
  auto most = static_cast<rlim_t>(ceil<seconds>(timeout).count() + 1)
              * std::max(1U, std::thread::hardware_concurrency());
  rlimit time{most, most};
  ::prlimit(pid, RLIMIT_CPU, &time, nullptr);
}

} // namespace

pid_t start_command(const command& what, int stdout_fd, int stderr_fd) {
  spawn_plan plan;
  auto* actions = &plan.actions;
  if (what.stdin_fd >= 0)
    ::posix_spawn_file_actions_adddup2(actions, what.stdin_fd, STDIN_FILENO);
  else
    ::posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null",
                                       O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(actions, stdout_fd, STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(actions, stderr_fd, STDERR_FILENO);
  ::posix_spawn_file_actions_addclosefrom_np(actions, STDERR_FILENO + 1);
  if (!what.cwd.empty())
    ::posix_spawn_file_actions_addchdir_np(actions, what.cwd.c_str());

  // A group of its own, and signals as a program finds them at a shell.
  sigset_t all;
  sigset_t none;
  ::sigfillset(&all);
  ::sigemptyset(&none);
  ::posix_spawnattr_setpgroup(&plan.attributes, 0);
  ::posix_spawnattr_setsigdefault(&plan.attributes, &all);
  ::posix_spawnattr_setsigmask(&plan.attributes, &none);
  auto flags = POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK;
  if (what.own_group)
    flags |= POSIX_SPAWN_SETPGROUP;
  ::posix_spawnattr_setflags(&plan.attributes, static_cast<short>(flags));
  auto argv = pointers(what.argv);
  auto env = pointers(what.env);
  pid_t pid = 0;
  auto error = ::posix_spawnp(&pid, argv[0], actions, &plan.attributes,
                              argv.data(), env.data());
  if (error != 0)
    fail(error, "cannot run \"" + what.argv[0] + '"');
  return pid;
}

command_result run_command(const command& what) {
  return *run_until(what, -1);
}

std::optional<command_result> run_until(const command& what, int stop_fd) {
  if (what.argv.empty())
    throw std::invalid_argument("a command needs a program to run");
  command_result result;
  collector out{result.out, what.max_output, result.truncated};
  collector err{result.err, what.max_output, result.truncated};
  child program{
    start_command(what, what.stdout_fd >= 0 ? what.stdout_fd : out.writer(),
                  err.writer()),
    what.own_group};
  out.close_writer();
  err.close_writer();
  if (what.max_memory != 0) {
    rlimit most{what.max_memory, what.max_memory};
    // Where it has ended already it has taken little.
    ::prlimit(program.pid(), RLIMIT_DATA, &most, nullptr);
  }
  limit_processor_time(program.pid(), std::max(what.timeout, what.longest));
  run_deadline deadline{what, program.pid()};
  // glibc 2.36 declares pidfd_open for C only.
  unique_fd ended{
    static_cast<int>(::syscall(SYS_pidfd_open, program.pid(), 0))};
  if (!ended)
    fail(errno, "cannot watch \"" + what.argv[0] + '"');

  // The end of the program counts, not that of its output: something that it
  // left behind may hold the pipes for ever.
  for (bool killed = false;;) {
    std::array<pollfd, 4> waits{{{ended.get(), POLLIN, 0},
                                 {out.reader(), POLLIN, 0},
                                 {err.reader(), POLLIN, 0},
                                 {stop_fd, POLLIN, 0}}};
    auto wait = killed ? -1 : until(deadline.next());
    auto ready = ::poll(waits.data(), waits.size(), wait);
    if (ready < 0 && errno != EINTR)
      fail(errno, "cannot wait for \"" + what.argv[0] + '"');
    out.drain();
    err.drain();
    if (ready > 0 && waits[0].revents != 0)
      break;
    if (ready > 0 && waits[3].revents != 0)
      return std::nullopt; // `program` kills it
    if (killed)
      continue;
    result.timed_out = deadline.is_over();
    killed = result.timed_out || (what.end_when_full && result.truncated);
    if (killed)
      program.kill();
  }
  out.drain();
  err.drain();
  auto status = program.wait();
  if (WIFEXITED(status))
    result.exit_code = WEXITSTATUS(status);
  else
    result.signal = WTERMSIG(status);
  return result;
}

} // namespace greenroom
