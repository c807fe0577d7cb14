// A program of ours on an event loop: its three streams, its end, its death.
//
// Owned by whoever uses it, on the loop's thread. It is a process group, which
// is killed where it still runs when this goes; so nothing outlives its owner.
#pragma once

#include "http/base/asio.hpp"
#include "runtime/base/fd.hpp"
#include "runtime/base/run_command.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

namespace greenroom::http::git_http {

class child {
public:
  /// Starts it. Blocks for the millisecond that it takes. Throws
  /// std::system_error.
  child(asio::io_context& io, const command& what);
  child(const child&) = delete;
  child& operator=(const child&) = delete;
  ~child();

  asio::posix::stream_descriptor in;  // close it: that was all
  asio::posix::stream_descriptor out; // its stdout
  asio::posix::stream_descriptor err; // its stderr

  void kill() noexcept;

  /// Waits for its end. Returns the exit code, 128 + n for signal n.
  asio::awaitable<int> ended();

private:
  int reap() noexcept;

  pid_t pid_ = 0; // 0: reaped
  asio::posix::stream_descriptor watch_;
};

} // namespace greenroom::http::git_http
