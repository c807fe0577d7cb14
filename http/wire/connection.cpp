#include "http/wire/connection.hpp"

#include "http/base/reply.hpp"

#include <asio/buffer.hpp>
#include <asio/redirect_error.hpp>
#include <asio/use_awaitable.hpp>
#include <asio/write.hpp>

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <system_error>

namespace greenroom::http::git_http {

namespace {

constexpr std::size_t body_piece = 64 * 1024;

/// What is read of a body that nobody wants, so that the connection lives on.
constexpr std::uint64_t max_skipped = 64 * 1024;

constexpr std::chrono::seconds lingering{2};

asio::ip::tcp protocol_of(int socket) {
  int family = 0;
  socklen_t size = sizeof family;
  if (::getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &family, &size) != 0)
    throw std::system_error(errno, std::generic_category(), "not a socket");
  return family == AF_INET6 ? asio::ip::tcp::v6() : asio::ip::tcp::v4();
}

std::string head_text(int status, std::string_view content_type,
                      const header_fields& more) {
  auto result = "HTTP/1.1 " + std::to_string(status) + ' ';
  result.append(reason_of(status)).append("\r\nContent-Type: ");
  result.append(content_type).append("\r\nCache-Control: no-store\r\n");
  result.append("X-Content-Type-Options: nosniff\r\n");
  for (auto& [name, value] : more)
    result.append(name).append(": ").append(value).append("\r\n");
  return result;
}

} // namespace

connection::connection(asio::io_context& io, unique_fd socket,
                       std::string_view first)
  : socket_(io), buffer_(first.begin(), first.end()), end_(first.size()) {
  socket_.assign(protocol_of(socket.get()), socket.get());
  static_cast<void>(socket.release());
  socket_.non_blocking(true);
  asio::error_code ignored;
  socket_.set_option(asio::ip::tcp::no_delay{true}, ignored);
}

void connection::start_message() noexcept {
  parser_.reset();
  continued_ = finished_ = close_after_ = false;
  status_ = 0;
  received_ = sent_ = 0;
}

asio::awaitable<bool> connection::read_head(timeout idle, timeout whole) {
  start_message();
  if (begin_ == end_) {
    // Nothing is kept for a client that wants nothing.
    buffer_ = {};
    begin_ = end_ = 0;
    idle_ = true;
    read_until_ = clock::now() + idle;
    asio::error_code error;
    co_await socket_.async_wait(
      asio::ip::tcp::socket::wait_read,
      asio::redirect_error(asio::use_awaitable, error));
    idle_ = false;
    read_until_ = never;
    if (error)
      co_return false;
  }
  const auto until = clock::now() + whole;
  for (;;) {
    if (begin_ < end_) {
      auto fed = parser_.feed(buffer_.data() + begin_, end_ - begin_);
      begin_ += fed.taken;
      if (parser_.at() != request_parser::place::head)
        co_return true;
    }
    if (co_await receive(until) == 0) {
      if (parser_.untouched())
        co_return false;
      throw lost{};
    }
  }
}

/// Fills the buffer, which has been used up. 0: the client has ended it.
asio::awaitable<std::size_t> connection::receive(clock::time_point until) {
  auto wanted =
    parser_.at() == request_parser::place::head ? max_head : body_piece;
  if (buffer_.size() < wanted)
    buffer_.resize(wanted);
  begin_ = end_ = 0;
  read_until_ = until;
  asio::error_code error;
  end_ = co_await socket_.async_read_some(
    asio::buffer(buffer_), asio::redirect_error(asio::use_awaitable, error));
  read_until_ = never;
  if (error && error != asio::error::eof)
    throw lost{};
  co_return end_;
}

/// The piece of the body that has come already; empty: there is none.
std::string_view connection::piece_at_hand() {
  if (begin_ == end_)
    return {};
  auto* at = buffer_.data() + begin_;
  auto fed = parser_.feed(at, end_ - begin_);
  begin_ += fed.taken;
  received_ += fed.body;
  return {at, fed.body};
}

asio::awaitable<std::string_view> connection::read_body(timeout each) {
  for (;;) {
    if (auto piece = piece_at_hand(); !piece.empty())
      co_return piece;
    if (parser_.at() == request_parser::place::end)
      co_return std::string_view{};
    if (head().expects_continue && !continued_ && status_ == 0) {
      continued_ = true;
      constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
      co_await send(asio::buffer(go_on), each);
    }
    if (co_await receive(clock::now() + each) == 0)
      throw lost{};
  }
}

asio::awaitable<bool> connection::watch() {
  watching_ = true;
  asio::error_code error;
  while (watching_ && begin_ == end_) {
    co_await socket_.async_wait(
      asio::ip::tcp::socket::wait_read,
      asio::redirect_error(asio::use_awaitable, error));
    if (!watching_)
      break;
    char one = 0;
    auto there =
      ::recv(socket_.native_handle(), &one, 1, MSG_PEEK | MSG_DONTWAIT);
    if (there > 0)
      break;
    if (error || there == 0 || (errno != EAGAIN && errno != EINTR)) {
      watching_ = false;
      co_return true;
    }
  }
  watching_ = false;
  co_return false;
}

void connection::stop_watching() {
  if (!std::exchange(watching_, false))
    return;
  asio::error_code ignored;
  socket_.cancel(ignored);
}

/// False where there is more of the body than is worth reading.
asio::awaitable<bool> connection::skip_body(timeout each) {
  constexpr auto end = request_parser::place::end;
  if (parser_.broken() || head().content_length > max_skipped)
    co_return false;
  // A client that still waits to be told to send need not send at all.
  const auto unasked = head().expects_continue && !continued_;
  const auto limit = received_ + max_skipped;
  try {
    while (parser_.at() != end && received_ <= limit) {
      if (!piece_at_hand().empty() || parser_.at() == end)
        continue;
      if (unasked)
        break;
      co_await read_body(each);
    }
  } catch (const bad_message&) {
    co_return false; // what is being answered says enough
  }
  co_return parser_.at() == end;
}

asio::awaitable<void> connection::reply(int status,
                                        std::string_view content_type,
                                        std::string_view body,
                                        header_fields more, timeout each) {
  auto whole = co_await skip_body(each);
  close_after_ = close_after_ || !whole || !parser_.keep_alive();
  status_ = status;
  auto text = head_text(status, content_type, more);
  text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  text += close_after_ ? "Connection: close\r\n\r\n" : "\r\n";
  if (head().method != "HEAD")
    text += body;
  sent_ = body.size();
  co_await send(asio::buffer(text), each);
  finished_ = true;
}

asio::awaitable<void> connection::begin(std::string_view content_type,
                                        header_fields more, timeout each) {
  status_ = 200;
  auto text = head_text(200, content_type, more);
  // Who knows no chunks knows the end by the end of the connection.
  close_after_ = head().old;
  text += head().old ? "Connection: close\r\n\r\n"
                     : "Transfer-Encoding: chunked\r\n\r\n";
  co_await send(asio::buffer(text), each);
}

asio::awaitable<void> connection::write(std::string_view piece, timeout each) {
  if (piece.empty())
    co_return;
  sent_ += piece.size();
  if (head().old) {
    co_await send(asio::buffer(piece), each);
    co_return;
  }
  std::array<char, 20> size{};
  auto end = std::to_chars(size.data(), size.data() + 16, piece.size(), 16).ptr;
  *end++ = '\r';
  *end++ = '\n';
  std::array<asio::const_buffer, 3> parts{
    asio::buffer(size.data(), static_cast<std::size_t>(end - size.data())),
    asio::buffer(piece), asio::buffer("\r\n", 2)};
  co_await send(parts, each);
}

asio::awaitable<void> connection::finish(timeout each) {
  constexpr std::string_view last = "0\r\n\r\n";
  if (!head().old)
    co_await send(asio::buffer(last), each);
  finished_ = true;
}

template <class Buffers>
asio::awaitable<void> connection::send(const Buffers& bytes, timeout each) {
  // The deadline is for each step that the client makes, not for all of them.
  auto on_its_way = [&](const asio::error_code& error, std::size_t) {
    write_until_ = clock::now() + each;
    return error ? std::size_t{0} : body_piece;
  };
  write_until_ = clock::now() + each;
  asio::error_code error;
  co_await asio::async_write(socket_, bytes, on_its_way,
                             asio::redirect_error(asio::use_awaitable, error));
  write_until_ = never;
  if (error)
    throw lost{};
}

bool connection::reusable() const noexcept {
  return finished_ && !close_after_ && socket_.is_open()
         && parser_.at() == request_parser::place::end && parser_.keep_alive();
}

asio::awaitable<void> connection::linger() {
  asio::error_code error;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, error);
  const auto until = clock::now() + lingering;
  if (buffer_.size() < body_piece)
    buffer_.resize(body_piece);
  while (!error && clock::now() < until) {
    read_until_ = until;
    co_await socket_.async_read_some(
      asio::buffer(buffer_), asio::redirect_error(asio::use_awaitable, error));
    read_until_ = never;
  }
  close();
}

void connection::close() noexcept {
  asio::error_code ignored;
  socket_.close(ignored);
}

void connection::check_deadlines(clock::time_point now) noexcept {
  if (now >= std::min(read_until_, write_until_))
    close();
}

} // namespace greenroom::http::git_http
