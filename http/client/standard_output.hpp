// What goes on for long is written by this: where nobody reads it for the
// moment, all else goes on, so that a signal still ends us or what runs for us.
//
// A terminal or pipe is opened once more, since what waits for it makes it
// non-blocking for all who share it. A file is just written. For the event
// loop's thread.
#pragma once

#include "http/base/asio.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <cstddef>
#include <string_view>

namespace greenroom::http::client {

class standard_output {
public:
  explicit standard_output(asio::io_context& io);

  /// All of it on standard output, or standard error; one at a time. How much
  /// that is: less where it is cancelled meanwhile. Throws as write_all does.
  asio::awaitable<std::size_t> write(int fd, std::string_view bytes);

private:
  asio::posix::stream_descriptor out_; // closed: it is not waited for
  asio::posix::stream_descriptor error_;
};

} // namespace greenroom::http::client
