#include "http/git/child_process.hpp"

#include "runtime/base/pidfd.hpp"
#include "runtime/base/pipe.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <fcntl.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <system_error>

namespace greenroom::http::git_http {

namespace {

// Fewer turns of the loop for packs.
constexpr int pipe_size = 256 * 1024;

pipe_ends make_wide_pipe() {
  auto result = make_pipe();
  // Where the system has no more to give the usual size does as well.
  ::fcntl(result.writer.get(), F_SETPIPE_SZ, pipe_size);
  return result;
}

void take(asio::posix::stream_descriptor& into, unique_fd& fd) {
  into.assign(fd.get());
  static_cast<void>(fd.release());
  into.non_blocking(true);
}

} // namespace

child::child(asio::io_context& io, const command& what)
  : in(io), out(io), err(io), watch_(io) {
  auto input = make_wide_pipe();
  auto output = make_wide_pipe();
  auto stderr_capture = make_wide_pipe();
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
