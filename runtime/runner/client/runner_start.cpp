#include "runtime/runner/client/runner_client.hpp"

#include "runtime/base/pidfd.hpp"
#include "runtime/base/pipe.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <system_error>
#include <utility>

namespace greenroom {

namespace fs = std::filesystem;

namespace {

[[noreturn]] void fail(int error, const std::string& what) {
  throw std::system_error(error, std::generic_category(), what);
}

// Default actions and an empty mask, whatever the thread that starts it has;
// standard output closed to it, standard error a pipe.
class spawn_options {
public:
  explicit spawn_options(int stderr_fd) {
    ::posix_spawnattr_init(&attributes);
    ::posix_spawn_file_actions_init(&actions);
    sigset_t set;
    sigemptyset(&set);
    ::posix_spawnattr_setsigmask(&attributes, &set);
    sigfillset(&set);
    ::posix_spawnattr_setsigdefault(&attributes, &set);
    ::posix_spawnattr_setflags(&attributes,
                               POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    for (auto fd : {STDIN_FILENO, STDOUT_FILENO})
      ::posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_RDWR, 0);
    ::posix_spawn_file_actions_adddup2(&actions, stderr_fd, STDERR_FILENO);
  }

  spawn_options(const spawn_options&) = delete;
  spawn_options& operator=(const spawn_options&) = delete;

  ~spawn_options() {
    ::posix_spawn_file_actions_destroy(&actions);
    ::posix_spawnattr_destroy(&attributes);
  }

  posix_spawnattr_t attributes;
  posix_spawn_file_actions_t actions;
};

std::string first_line(int fd) {
  std::array<char, 1024> buffer;
  auto size = ::read(fd, buffer.data(), buffer.size());
  std::string result{buffer.data(),
                     static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
  return result.substr(0, result.find('\n'));
}

} // namespace

runner_start::runner_start(const fs::path& binary, const fs::path& session_dir,
                           std::string_view session_id) {
  auto ends = make_pipe();
  stderr_ = std::move(ends.reader);
  const auto their_end = std::move(ends.writer);
  ::fcntl(stderr_.get(), F_SETFL, O_NONBLOCK);
  std::string program = binary.string();
  std::string dir = session_dir.string();
  std::string option = "--session-dir";
  std::string marker = "GREENROOM_SESSION_ID=" + std::string{session_id};
  const char* inherited = std::getenv("PATH");
  std::string path = std::string{"PATH="} + (inherited ? inherited : "");
  std::array argv{program.data(), option.data(), dir.data(),
                  static_cast<char*>(nullptr)};
  std::array env{marker.data(), path.data(), static_cast<char*>(nullptr)};
  spawn_options options{their_end.get()};
  auto error = ::posix_spawn(&pid_, program.c_str(), &options.actions,
                             &options.attributes, argv.data(), env.data());
  if (error != 0)
    fail(error, "cannot start \"" + program + '"');
  // Our child, and not reaped: the number is still its own.
  starter_ = open_pidfd(pid_);
  if (!starter_) {
    error = errno;
    ::waitpid(std::exchange(pid_, 0), nullptr, 0);
    fail(error, "cannot watch \"" + program + '"');
  }
}

runner_start::runner_start(runner_start&& other) noexcept
  : pid_(std::exchange(other.pid_, 0)), starter_(std::move(other.starter_)),
    stderr_(std::move(other.stderr_)) {}

runner_start::~runner_start() {
  if (pid_ == 0)
    return;
  // One that hangs would hold up whoever waits for it.
  signal_pidfd(starter_, SIGKILL);
  finish();
}

std::optional<std::string> runner_start::finish() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = 0;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
    return std::nullopt;
  auto text = first_line(stderr_.get());
  if (!text.empty())
    return text;
  return "greenroom-runner ended with status " + std::to_string(status);
}

} // namespace greenroom
