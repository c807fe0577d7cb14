#include "http/client/standard_output.hpp"

#include "http/client/printing.hpp"
#include "runtime/base/fd.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>

namespace greenroom::http::client {

namespace {

// A file of its own position would be overwritten from its beginning.
bool may_be_opened_again(int fd) {
  struct stat info {};
  return ::isatty(fd) == 1
         || (::fstat(fd, &info) == 0 && S_ISFIFO(info.st_mode));
}

void open_again(asio::posix::stream_descriptor& to, int fd) {
  if (!may_be_opened_again(fd))
    return;
  auto path = "/proc/self/fd/" + std::to_string(fd);
  unique_fd again{
    ::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)};
  if (!again)
    return;
  error_code error;
  to.assign(again.get(), error);
  if (!error)
    again.release();
}

} // namespace

standard_output::standard_output(asio::io_context& io) : out_(io), error_(io) {
  open_again(out_, STDOUT_FILENO);
  open_again(error_, STDERR_FILENO);
}

asio::awaitable<std::size_t> standard_output::write(int fd,
                                                    std::string_view bytes) {
  const auto all = bytes.size();
  auto& to = fd == STDERR_FILENO ? error_ : out_;
  while (to.is_open() && !bytes.empty()) {
    auto wrote = ::write(to.native_handle(), bytes.data(), bytes.size());
    if (wrote >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(wrote));
      continue;
    }
    if (errno == EINTR)
      continue;
    if (errno != EAGAIN)
      break; // what is wrong is told below
    error_code error;
    co_await to.async_wait(asio::posix::stream_descriptor::wait_write,
                           asio::redirect_error(asio::use_awaitable, error));
    if (error)
      co_return all - bytes.size();
  }
  write_all(fd, bytes);
  co_return all;
}

} // namespace greenroom::http::client
