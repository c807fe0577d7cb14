// Our standard input, read as it comes.
//
// A terminal or pipe is opened once more, since what waits for it makes it
// non-blocking for all who share it: the shell that we came from, and our own
// output. A file is just read. For the event loop's thread.
#pragma once

#include "http/base/asio.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <string>

namespace greenroom::http::client {

class standard_input {
public:
  explicit standard_input(asio::io_context& io);

  /// What is there, at most 64 KiB; empty at the end. Throws std::system_error
  /// where it cannot be read, such as a directory.
  asio::awaitable<std::string> read();

private:
  asio::posix::stream_descriptor descriptor_;
  int fd_ = 0;
  bool waits_ = false;
  bool is_terminal_ = false;
};

} // namespace greenroom::http::client
