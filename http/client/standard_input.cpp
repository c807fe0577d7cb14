#include "http/client/standard_input.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace greenroom::http::client {

namespace {

constexpr std::size_t chunk = 64 * 1024;

int open_input() {
  auto fd = ::open("/proc/self/fd/0", O_RDONLY | O_CLOEXEC);
  return fd >= 0 ? fd : ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
}

} // namespace

standard_input::standard_input(asio::io_context& io) : descriptor_(io) {
  struct stat info {};
  is_terminal_ = ::isatty(STDIN_FILENO) != 0;
  waits_ = ::fstat(STDIN_FILENO, &info) == 0 && !S_ISREG(info.st_mode)
           && !S_ISBLK(info.st_mode);
  if (!waits_)
    return;
  error_code error;
  fd_ = open_input();
  descriptor_.assign(fd_, error);
  if (!error)
    return;
  // Such as /dev/null, which cannot be waited for, nor need be.
  if (fd_ > 0)
    ::close(fd_);
  fd_ = STDIN_FILENO;
  waits_ = false;
}

asio::awaitable<std::string> standard_input::read() {
  std::string bytes(chunk, '\0');
  while (true) {
    if (waits_) {
      error_code error;
      co_await descriptor_.async_wait(
        asio::posix::stream_descriptor::wait_read,
        asio::redirect_error(asio::use_awaitable, error));
    }
    auto got = ::read(fd_, bytes.data(), bytes.size());
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
      continue;
    // A terminal that is gone says so by an error.
    if (got < 0 && !(is_terminal_ && errno == EIO))
      throw std::system_error(errno, std::generic_category(),
                              "cannot read standard input");
    bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    co_return bytes;
  }
}

} // namespace greenroom::http::client
