#include "runtime/peer/connection.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <sys/socket.h>

#include <algorithm>
#include <stdexcept>
#include <utility>
#include <vector>

namespace greenroom::peer {

namespace {

using boost::system::error_code;

/// Of the local socket, read at once.
constexpr std::size_t piece = 64 * 1024;

/// What a burst needed is not kept.
constexpr std::size_t keep_capacity = 256 * 1024;

asio::generic::stream_protocol protocol_of(const unique_fd& socket) {
  int family = AF_UNIX;
  socklen_t size = sizeof family;
  ::getsockopt(socket.get(), SOL_SOCKET, SO_DOMAIN, &family, &size);
  return {family, 0};
}

[[noreturn]] void fail(const char* what, const error_code& error) {
  throw std::runtime_error(std::string{what} + ": " + error.message());
}

} // namespace

wakeup::wakeup(asio::io_context& io)
  : timer_(io, asio::steady_timer::time_point::max()) {}

asio::awaitable<void> wakeup::wait() {
  error_code ignored;
  co_await timer_.async_wait(
    asio::redirect_error(asio::use_awaitable, ignored));
}

void wakeup::notify() {
  timer_.cancel();
}

connection::connection(asio::io_context& io, tls_socket peer, unique_fd local,
                       connection_options options, listener ended)
  : io_(io), peer_(std::move(peer)),
    local_(io, protocol_of(local), local.get()), options_(options),
    ended_(std::move(ended)),
    account_(options.own_window, options.peers_window), may_send_(io),
    has_room_(io), arrived_(io), beat_timer_(io), silence_timer_(io) {
  static_cast<void>(local.release());
}

void connection::start() {
  asio::co_spawn(
    io_, [self = shared_from_this()] { return self->run(); }, asio::detached);
}

void connection::cut(const std::string& why) {
  if (std::exchange(over_, true))
    return;
  why_ = why;
  error_code ignored;
  peer_.next_layer().close(ignored);
  local_.close(ignored);
  may_send_.notify();
  has_room_.notify();
  arrived_.notify();
  beat_timer_.cancel();
  silence_timer_.cancel();
}

asio::awaitable<void> connection::run() {
  using namespace asio::experimental::awaitable_operators;
  co_await (guard(pass_local()) && guard(pass_peers()) && guard(hand_on())
            && guard(beat()) && guard(listen_for_silence()));
  ended_(why_);
}

// A part that fails ends them all.
asio::awaitable<void> connection::guard(asio::awaitable<void> part) {
  try {
    co_await std::move(part);
  } catch (const std::exception& e) {
    cut(e.what());
  }
}

// One frame at a time.
asio::awaitable<void> connection::send(frame_head head, const char* bytes) {
  while (is_sending_ && !over_)
    co_await may_send_.wait();
  if (over_)
    co_return;
  is_sending_ = true;
  auto encoded = encode(head);
  std::array<asio::const_buffer, 2> both{asio::buffer(encoded),
                                         asio::buffer(bytes, head.length)};
  error_code error;
  co_await asio::async_write(peer_, both,
                             asio::redirect_error(asio::use_awaitable, error));
  is_sending_ = false;
  may_send_.notify();
  if (error)
    fail("sending failed", error);
}

// Local bytes to the peer, as many as it has room for.
asio::awaitable<void> connection::pass_local() {
  std::vector<char> buffer(piece);
  while (!over_) {
    auto most = std::min<std::uint64_t>(account_.room(), buffer.size());
    if (most == 0) {
      co_await has_room_.wait();
      continue;
    }
    error_code error;
    auto size = co_await local_.async_read_some(
      asio::buffer(buffer.data(), most),
      asio::redirect_error(asio::use_awaitable, error));
    if (error == asio::error::eof)
      break;
    if (error)
      fail("the local side broke", error);
    frame_head head{static_cast<std::uint32_t>(size), frame_kind::data,
                    account_.send(size)};
    co_await send(head, buffer.data());
  }
  frame_head last{0, frame_kind::end, account_.send_end()};
  co_await send(last, nullptr);
  end_if_complete();
}

asio::awaitable<void> connection::pass_peers() {
  std::array<char, frame_head_size> bytes;
  while (!over_) {
    error_code error;
    co_await asio::async_read(peer_, asio::buffer(bytes),
                              asio::redirect_error(asio::use_awaitable, error));
    if (error)
      fail("the connection broke", error);
    auto head = decode_head(bytes);
    if (head.length > max_frame)
      throw std::runtime_error("the peer sent a frame that is too long");
    if (head.kind == frame_kind::data) {
      co_await take_data(head);
    } else if (head.kind == frame_kind::beat) {
      account_.acknowledged(head.number);
      has_room_.notify();
    } else if (head.kind == frame_kind::end) {
      account_.received_end(head.number);
      arrived_.notify();
    }
    if (head.kind != frame_kind::data)
      co_await skip(head.length);
    heard_ = clock::now();
    end_if_complete();
  }
}

asio::awaitable<void> connection::take_data(frame_head head) {
  account_.received(head.number, head.length);
  auto start = inbox_.size();
  // hand_on() may take what is there while this is read.
  std::string bytes(head.length, '\0');
  error_code error;
  co_await asio::async_read(peer_, asio::buffer(bytes),
                            asio::redirect_error(asio::use_awaitable, error));
  if (error)
    fail("the connection broke", error);
  if (start == 0 && inbox_.empty())
    inbox_ = std::move(bytes);
  else
    inbox_ += bytes;
  arrived_.notify();
}

asio::awaitable<void> connection::skip(std::size_t size) {
  std::string bytes(size, '\0');
  error_code error;
  if (size != 0)
    co_await asio::async_read(peer_, asio::buffer(bytes),
                              asio::redirect_error(asio::use_awaitable, error));
  if (error)
    fail("the connection broke", error);
}

// The peer's bytes to the local socket, as it takes them.
asio::awaitable<void> connection::hand_on() {
  std::string bytes;
  while (!over_) {
    if (inbox_.empty() && account_.has_ended())
      break;
    if (inbox_.empty()) {
      co_await arrived_.wait();
      continue;
    }
    bytes.swap(inbox_);
    error_code error;
    co_await asio::async_write(
      local_, asio::buffer(bytes),
      asio::redirect_error(asio::use_awaitable, error));
    if (error)
      fail("the local side broke", error);
    account_.handed_on(bytes.size());
    bytes.clear();
    if (bytes.capacity() > keep_capacity)
      bytes.shrink_to_fit();
    if (account_.is_beat_due())
      beat_timer_.cancel();
  }
  error_code ignored;
  local_.shutdown(asio::socket_base::shutdown_send, ignored);
  account_.handed_on_end();
  beat_timer_.cancel();
}

// Says how far we are, in time and when it matters.
asio::awaitable<void> connection::beat() {
  while (!over_) {
    if (!account_.is_beat_due()) {
      beat_timer_.expires_after(options_.heartbeat);
      error_code ignored;
      co_await beat_timer_.async_wait(
        asio::redirect_error(asio::use_awaitable, ignored));
    }
    frame_head head{0, frame_kind::beat, account_.acknowledge()};
    co_await send(head, nullptr);
    end_if_complete();
  }
}

asio::awaitable<void> connection::listen_for_silence() {
  while (!over_) {
    auto until = heard_ + options_.timeout;
    if (clock::now() >= until)
      throw std::runtime_error("nothing was heard for "
                               + std::to_string(options_.timeout.count())
                               + " ms");
    silence_timer_.expires_at(until);
    error_code ignored;
    co_await silence_timer_.async_wait(
      asio::redirect_error(asio::use_awaitable, ignored));
  }
}

void connection::end_if_complete() {
  if (account_.is_complete())
    cut("");
}

} // namespace greenroom::peer
