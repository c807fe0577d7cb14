#include "runtime/runner/outer/start.hpp"

#include "runtime/base/fd.hpp"
#include "runtime/base/files.hpp"
#include "runtime/base/pipe.hpp"
#include "runtime/base/throw_errno.hpp"
#include "runtime/runner/outer/disk_watch.hpp"
#include "runtime/runner/outer/sandbox_handle.hpp"
#include "runtime/runner/outer/shim.hpp"
#include "runtime/runner/protocol/session_files.hpp"
#include "runtime/runner/protocol/session_socket.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace greenroom::runner {

namespace {

constexpr std::string_view ready = "ready";

unique_fd open_dir(int at, const char* path) {
  unique_fd result{::openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!result)
    throw_errno(std::string{"cannot open the directory \""} + path + '"');
  return result;
}

runner_config read_config(int dir) {
  auto text = read_file(dir, config_file);
  if (!text)
    throw std::runtime_error(std::string{"the session directory has no "}
                             + config_file);
  try {
    return parse_runner_config(*text);
  } catch (const std::exception& problem) {
    throw std::runtime_error(std::string{config_file} + ": " + problem.what());
  }
}

// True where another runner listens; else the way is free.
bool somebody_listens(int dir) {
  // A runner that has no time to accept is a runner too.
  if (connect_to_runner(dir) || errno == EAGAIN)
    return true;
  if (errno != ENOENT && errno != ECONNREFUSED)
    throw_errno("cannot look for a runner");
  if (::unlinkat(dir, socket_file, 0) != 0 && errno != ENOENT)
    throw_errno("cannot remove a dead runner's socket");
  return false;
}

unique_fd listen_in(int dir) {
  unique_fd result{
    ::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
  if (!result)
    throw_errno("cannot make a socket");
  auto address = socket_address(dir);
  // The mode has to be right from the first moment.
  auto old_mask = ::umask(0177);
  auto bound =
    ::bind(result.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
  ::umask(old_mask);
  if (bound != 0 || ::listen(result.get(), SOMAXCONN) != 0)
    throw_errno(std::string{"cannot listen on "} + socket_file);
  return result;
}

// Lets go of the caller's terminal, files and working directory.
void redirect_standard_files(int dir) {
  unique_fd null{::open("/dev/null", O_RDWR | O_CLOEXEC)};
  if (!null)
    throw_errno("cannot open /dev/null");
  unique_fd log{
    ::openat(dir, log_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)};
  ::dup2(null.get(), STDIN_FILENO);
  ::dup2(null.get(), STDOUT_FILENO);
  ::dup2(log ? log.get() : null.get(), STDERR_FILENO);
  if (::chdir("/") != 0)
    throw_errno("cannot enter /");
}

[[noreturn]] void be_the_runner(runner_config config, unique_fd dir,
                                unique_fd listener, unique_fd caller) {
  try {
    redirect_standard_files(dir.get());
    shim runner{std::move(config), std::move(dir), std::move(listener)};
    if (::write(caller.get(), ready.data(), ready.size()) < 0)
      throw_errno("cannot answer the caller");
    caller.reset();
    runner.run();
    ::_exit(0);
  } catch (const std::exception& problem) {
    std::fprintf(stderr, "greenroom-runner: %s\n", problem.what());
    if (caller)
      dprintf(caller.get(), "%s", problem.what());
    ::_exit(1);
  }
}

std::string read_all(int fd) {
  std::string result;
  std::array<char, 512> buffer;
  for (;;) {
    auto size = ::read(fd, buffer.data(), buffer.size());
    if (size > 0)
      result.append(buffer.data(), static_cast<std::size_t>(size));
    else if (size == 0 || errno != EINTR)
      return result;
  }
}

} // namespace

std::vector<std::string> try_out(const char* session_dir) {
  auto dir = open_dir(AT_FDCWD, session_dir);
  auto config = read_config(dir.get());
  if (config.sandbox)
    take_disk_limits(config.sandbox->rlimits);
  return sandbox_handle{config, dir.get()}.try_out();
}

void start(const char* session_dir) {
  auto dir = open_dir(AT_FDCWD, session_dir);
  auto config = read_config(dir.get());
  // Of several starters at once one makes the socket and the others find it.
  auto lock = open_dir(dir.get(), ".");
  while (::flock(lock.get(), LOCK_EX) != 0)
    if (errno != EINTR)
      throw_errno("cannot lock the session directory");
  if (somebody_listens(dir.get()))
    return;
  auto listener = listen_in(dir.get());
  auto [answer, answerer] = make_pipe();
  auto pid = ::fork();
  if (pid == 0) {
    // Twice, so that the runner is nobody's child and leads no session, which
    // could get a terminal.
    ::setsid();
    if (::fork() != 0)
      ::_exit(0);
    lock.reset();
    answer.reset();
    be_the_runner(std::move(config), std::move(dir), std::move(listener),
                  std::move(answerer));
  }
  answerer.reset();
  auto text = pid < 0 ? "cannot start a process" : read_all(answer.get());
  if (pid > 0)
    ::waitpid(pid, nullptr, 0);
  if (text == ready)
    return;
  ::unlinkat(dir.get(), socket_file, 0);
  throw std::runtime_error(text.empty() ? "it ended before it was ready"
                                        : text);
}

} // namespace greenroom::runner
