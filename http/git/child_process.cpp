#include "http/git/child_process.hpp"

#include "runtime/base/pidfd.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <fcntl.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <system_error>

namespace greenroom::http::git_http {

namespace {

// Fewer turns of the loop for packs.
constexpr int pipe_size = 256 * 1024;

struct pipe_ends {
  unique_fd reader;
  unique_fd writer;

  pipe_ends() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0)
      throw std::system_error(errno, std::generic_category(),
                              "cannot make a pipe");
    reader.reset(ends[0]);
    writer.reset(ends[1]);
    // Where the system has no more to give the usual size does as well.
    ::fcntl(writer.get(), F_SETPIPE_SZ, pipe_size);
  }
};

void take(asio::posix::stream_descriptor& into, unique_fd& fd) {
  into.assign(fd.get());
  static_cast<void>(fd.release());
  into.non_blocking(true);
}

} // namespace

child::child(asio::io_context& io, const command& what)
  : in(io), out(io), err(io), watch_(io) {
  pipe_ends input;
  pipe_ends output;
  pipe_ends stderr_capture;
  auto started = what;
  started.stdin_fd = input.reader.get();
  take(in, input.writer);
  take(out, output.reader);
  take(err, stderr_capture.reader);
  pid_ =
    start_command(started, output.writer.get(), stderr_capture.writer.get());
  auto process = open_pidfd(pid_);
  if (!process) {
    auto error = errno;
    kill();
    reap();
    throw std::system_error(error, std::generic_category(),
                            "cannot watch \"" + what.argv[0] + '"');
  }
  watch_.assign(process.release());
}

child::~child() {
  if (pid_ == 0)
    return;
  kill();
  reap();
}

void child::kill() noexcept {
  // The group still is the child's: it is not reaped yet.
  if (pid_ != 0)
    ::kill(-pid_, SIGKILL);
}

int child::reap() noexcept {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR)
    ;
  pid_ = 0;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

asio::awaitable<int> child::ended() {
  error_code error;
  co_await watch_.async_wait(asio::posix::stream_descriptor::wait_read,
                             asio::redirect_error(asio::use_awaitable, error));
  co_return reap();
}

} // namespace greenroom::http::git_http
