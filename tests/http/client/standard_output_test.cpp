// What goes on for long is written without holding up the event loop.
#include "http/client/standard_output.hpp"

#include "runtime/base/fd.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <catch2/catch.hpp>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstddef>
#include <cstdio>
#include <exception>
#include <string>
#include <tuple>

using namespace greenroom;
using namespace greenroom::http::client;
namespace asio = boost::asio;

namespace {

/// Standard output is a pipe that nobody reads for the moment.
class unread_stdout {
public:
  unread_stdout() {
    std::fflush(stdout);
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    reader_.reset(ends[0]);
    const unique_fd writer{ends[1]};
    before_.reset(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
    ::dup2(writer.get(), STDOUT_FILENO);
  }
  unread_stdout(const unread_stdout&) = delete;
  unread_stdout& operator=(const unread_stdout&) = delete;
  ~unread_stdout() {
    ::dup2(before_.get(), STDOUT_FILENO);
  }

  std::size_t held() const {
    int bytes = 0;
    ::ioctl(reader_.get(), FIONREAD, &bytes);
    return static_cast<std::size_t>(bytes);
  }
  void drain() const {
    std::string bytes(held(), ' ');
    std::ignore = ::read(reader_.get(), bytes.data(), bytes.size());
  }

private:
  unique_fd reader_;
  unique_fd before_;
};

asio::awaitable<void> write_noting(standard_output& to, const std::string& all,
                                   std::size_t& written) {
  const auto count = co_await to.write(STDOUT_FILENO, all);
  written = count;
}

} // namespace

TEST_CASE("output that is cancelled says how much of it was written") {
  const std::string all(1'000'000, 'x');
  std::size_t written = 0;
  std::size_t held = 0;
  {
    const unread_stdout nobody;
    asio::io_context io;
    standard_output out{io};
    asio::cancellation_signal stop;
    asio::co_spawn(io, write_noting(out, all, written),
                   asio::bind_cancellation_slot(
                     stop.slot(), [](const std::exception_ptr&) {}));
    io.poll(); // until nobody takes more
    stop.emit(asio::cancellation_type::terminal);
    io.run();
    held = nobody.held();
  }
  CHECK(held > 0);
  CHECK(written == held);
}

TEST_CASE("output that is read late is written whole, and holds up nothing") {
  const std::string all(300'000, 'x');
  std::size_t written = 0;
  auto waits = 0;
  {
    const unread_stdout late;
    asio::io_context io;
    standard_output out{io};
    asio::co_spawn(io, write_noting(out, all, written),
                   [](const std::exception_ptr&) {});
    while (io.poll(), written == 0 && waits < 100) {
      ++waits; // it is our turn meanwhile
      late.drain();
    }
  }
  CHECK(written == all.size());
  CHECK(waits > 1);
}
