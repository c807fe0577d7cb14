// A connection's bytes, plain or by TLS.
//
// Belongs to one event loop and is used by its thread only. Each wait for the
// other side has a deadline, which check_deadlines() enforces: the owner calls
// it now and then (deadlines are late by that much). A peer that went away, or
// is late, is `lost` to whoever waits.
#pragma once

#include "http/base/asio.hpp"
#include "runtime/base/fd.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/buffer.hpp>

#include <array>
#include <chrono>
#include <memory>

namespace greenroom::http::wire {

class byte_stream {
public:
  using clock = std::chrono::steady_clock;
  using timeout = std::chrono::milliseconds;

  /// Up to four buffers that are written as one. A class because GCC 12 fails
  /// on arrays that are made inside of a co_await.
  struct pieces {
    template <class... Buffers>
    pieces(const Buffers&... all) : buffers{asio::const_buffer(all)...} {}
    /// Leaves out the first `size` bytes.
    void remove_prefix(std::size_t size) noexcept;
    bool empty() const noexcept;
    std::array<asio::const_buffer, 4> buffers;
  };

  static constexpr clock::time_point never = clock::time_point::max();

  byte_stream() = default;
  byte_stream(const byte_stream&) = delete;
  byte_stream& operator=(const byte_stream&) = delete;
  virtual ~byte_stream() = default;

  /// The next bytes; 0: the peer has sent all it will. Throws lost.
  asio::awaitable<std::size_t> read(asio::mutable_buffer into,
                                    clock::time_point until);

  /// All of `bytes`. The time is for each step that the peer makes, not for all
  /// of them. Throws lost.
  asio::awaitable<void> write(pieces bytes, timeout each);

  /// How much of `bytes` is taken without waiting; write() is for the rest, and
  /// meets the errors. Saves a turn of the event loop.
  virtual std::size_t write_now(const pieces& bytes) noexcept;

  /// Waits until something can be read, or the end. False after stop_waiting,
  /// a deadline or an error.
  asio::awaitable<bool> wait_readable(clock::time_point until = never);
  virtual void stop_waiting() noexcept = 0;

  /// Whether the peer has ended the connection, or broken it; only meaningful
  /// while nothing is there to be read.
  virtual bool peer_gone() noexcept = 0;

  /// Whether neither bytes nor their end are there to be read; as far as can be
  /// told.
  virtual bool is_quiet() noexcept {
    return !peer_gone();
  }

  /// Whether the connection is broken. A peer that has only ended what it sends
  /// may still read: it breaks the connection by what it is sent, or where it
  /// is gone and sent nothing, after a minute.
  virtual bool broken() noexcept = 0;

  /// The peer sees the end of what we send, and can still send.
  virtual void shutdown_send() noexcept = 0;

  /// Ends everything that waits for the peer. Harmless when done twice.
  virtual void close() noexcept = 0;
  virtual bool is_open() const noexcept = 0;

  /// Closes where the peer is late.
  void check_deadlines(clock::time_point now) noexcept;

protected:
  virtual asio::awaitable<std::size_t> do_read(asio::mutable_buffer into,
                                               error_code& error) = 0;
  virtual asio::awaitable<void> do_write(const pieces& bytes, timeout each,
                                         error_code& error) = 0;
  virtual asio::awaitable<void> do_wait(error_code& error) = 0;

  /// The peer has taken something.
  void extend_write(timeout each) noexcept {
    write_until_ = clock::now() + each;
  }

private:
  clock::time_point read_until_ = never;
  clock::time_point write_until_ = never;
  bool late_ = false;
};

/// A connected socket: TCP or Unix. Throws std::system_error.
std::unique_ptr<byte_stream> plain_stream(asio::io_context& io,
                                          unique_fd socket);

} // namespace greenroom::http::wire
