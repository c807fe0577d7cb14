// A connection between two nodes after its hello: bytes of a local socket go
// to the peer by TLS, and the peer's to the local socket.
//
//   someone ── local socket ── connection ═ TLS ═ connection ── local socket ──
//   …
//
// Owned by itself while it runs: it ends when both directions have ended, when
// either side breaks, or when nothing was heard of the peer for a time; then it
// tells its owner, once. One event loop, whose thread alone uses it. Memory is
// bounded: by the window in one direction, by one frame in the other.
#pragma once

#include "runtime/base/fd.hpp"
#include "runtime/peer/frame.hpp"

#include <boost/asio/awaitable.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace greenroom::peer {

namespace asio = boost::asio;

using tls_socket = asio::ssl::stream<asio::ip::tcp::socket>;

struct connection_options {
  std::chrono::milliseconds heartbeat{2'000};
  std::chrono::milliseconds timeout{10'000}; // of silence
  std::uint64_t own_window = 0;              // as the hellos say
  std::uint64_t peers_window = 0;
};

/// Lets coroutines of one thread wait for each other. A wait may end without a
/// reason, so what is waited for is looked at again.
class wakeup {
public:
  explicit wakeup(asio::io_context& io);
  asio::awaitable<void> wait();
  void notify();

private:
  asio::steady_timer timer_;
};

class connection : public std::enable_shared_from_this<connection> {
public:
  /// Called with why it ended; empty: both sides were done.
  using listener = std::function<void(const std::string& why)>;

  connection(asio::io_context& io, tls_socket peer, unique_fd local,
             connection_options options, listener ended);

  void start();

  /// Ends it, harmless when done twice.
  void cut(const std::string& why);

  /// Bytes that the peer has not acknowledged.
  std::uint64_t unacknowledged() const noexcept {
    return account_.unacknowledged();
  }

private:
  using clock = std::chrono::steady_clock;

  asio::awaitable<void> run();
  asio::awaitable<void> guard(asio::awaitable<void> part);
  asio::awaitable<void> pass_local();
  asio::awaitable<void> pass_peers();
  asio::awaitable<void> hand_on();
  asio::awaitable<void> beat();
  asio::awaitable<void> listen_for_silence();
  asio::awaitable<void> send(frame_head head, const char* bytes);
  asio::awaitable<void> take_data(frame_head head);
  asio::awaitable<void> skip(std::size_t size);
  void end_if_complete();

  asio::io_context& io_;
  tls_socket peer_;
  asio::generic::stream_protocol::socket local_;
  connection_options options_;
  listener ended_;
  account account_;
  std::string inbox_; // came, and is to be handed on
  clock::time_point heard_ = clock::now();
  bool is_sending_ = false;
  bool over_ = false;
  std::string why_;
  wakeup may_send_;
  wakeup has_room_;
  wakeup arrived_;
  asio::steady_timer beat_timer_;
  asio::steady_timer silence_timer_;
};

} // namespace greenroom::peer
