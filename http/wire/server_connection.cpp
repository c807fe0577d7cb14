#include "http/wire/server_connection.hpp"

#include <boost/asio/buffer.hpp>

#include <utility>
#include <vector>

namespace greenroom::http::wire {

namespace {

/// What is read of a body that nothing wants, so that the connection lives on.
constexpr std::uint64_t max_skipped = 64 * 1024;

constexpr std::chrono::seconds lingering{2};

constexpr std::size_t usual_answer_head = 512;

struct idle_until_left {
  bool& idle;
  explicit idle_until_left(bool& what) : idle(what) {}
  idle_until_left(const idle_until_left&) = delete;
  idle_until_left& operator=(const idle_until_left&) = delete;
  ~idle_until_left() {
    idle = false;
  }
};

std::string head_text(const message_head& head) {
  auto reason = head.reason.empty() ? reason_of(head.status)
                                    : std::string_view{head.reason};
  std::string result;
  result.reserve(usual_answer_head);
  result.append("HTTP/1.1 ").append(std::to_string(head.status));
  result.append(1, ' ').append(reason).append("\r\n");
  append_headers(result, head.headers);
  return result;
}

} // namespace

server_connection::server_connection(std::unique_ptr<byte_stream> stream,
                                     std::string_view first)
  : stream_(std::move(stream)), reader_(*stream_, message_kind::request, first),
    writer_(*stream_) {}

asio::awaitable<bool> server_connection::read_head(timeout idle,
                                                   timeout whole) {
  reader_.start();
  continued_ = bodiless_ = finished_ = close_after_ = false;
  status_ = 0;
  idle_ = true;
  const idle_until_left over{idle_};
  if (!reader_.has_bytes()) {
    auto begun = co_await reader_.wait(clock::now() + idle);
    if (!begun)
      co_return false;
  }
  if (reader_.head_at_hand())
    co_return true;
  co_return co_await reader_.read_head(clock::now() + whole);
}

asio::awaitable<std::string_view> server_connection::read_body(timeout each) {
  if (auto piece = reader_.body_at_hand(); !piece.empty())
    co_return piece;
  if (!reader_.at_end() && head().expects_continue() && !continued_
      && status_ == 0) {
    continued_ = true;
    constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    co_await stream_->write(asio::buffer(go_on), each);
  }
  co_return co_await reader_.read_body(each);
}

asio::awaitable<bool> server_connection::watch() {
  watching_ = true;
  while (watching_ && !reader_.has_bytes()) {
    auto readable = co_await stream_->wait_readable();
    if (!watching_)
      break;
    if (!readable || stream_->peer_gone()) {
      watching_ = false;
      co_return true;
    }
    break;
  }
  watching_ = false;
  co_return false;
}

void server_connection::stop_watching() {
  if (std::exchange(watching_, false))
    stream_->stop_waiting();
}

/// False where there is more of the body than is worth reading.
asio::awaitable<bool> server_connection::skip_body(timeout each) {
  if (reader_.broken() || head().content_length.value_or(0) > max_skipped)
    co_return false;
  // A client that still waits to be told to send need not send at all.
  const auto unasked = head().expects_continue() && !continued_;
  const auto limit = reader_.received() + max_skipped;
  try {
    while (!reader_.at_end() && reader_.received() <= limit) {
      if (!reader_.body_at_hand().empty() || reader_.at_end())
        continue;
      if (unasked)
        break;
      co_await reader_.read_body(each);
    }
  } catch (const bad_message&) {
    co_return false; // what is being answered says enough
  }
  co_return reader_.at_end();
}

bool server_connection::answers_without_body(int status) const noexcept {
  return head().method == "HEAD" || status == 204 || status == 304;
}

asio::awaitable<void> server_connection::reply(const message_head& answer,
                                               std::string_view body,
                                               timeout each) {
  auto whole = co_await skip_body(each);
  close_after_ = close_after_ || !whole;
  begin(answer, body.size());
  co_await write(body, each);
  co_await finish(each);
}

void server_connection::begin(const message_head& answer,
                              std::optional<std::uint64_t> length) {
  status_ = answer.status;
  bodiless_ = answers_without_body(answer.status);
  auto how = framing::chunks;
  if (length)
    how = framing::length;
  else if (bodiless_)
    how = framing::none;
  else if (head().old)
    how = framing::end_of_stream;
  if (answer.status == 204)
    how = framing::none;
  close_after_ = close_after_ || reader_.broken() || !head().keep_alive
                 || how == framing::end_of_stream;
  auto text = head_text(answer);
  if (close_after_)
    text += "Connection: close\r\n";
  else if (head().old)
    text += "Connection: keep-alive\r\n";
  writer_.begin(std::move(text), how, length.value_or(0));
}

asio::awaitable<void> server_connection::flush(timeout each) {
  return writer_.flush(each);
}

asio::awaitable<void> server_connection::write(std::string_view piece,
                                               timeout each) {
  if (!bodiless_)
    co_await writer_.write(piece, each);
}

asio::awaitable<void> server_connection::finish(timeout each,
                                                const header_list& trailers) {
  if (bodiless_) {
    co_await writer_.flush(each);
    finished_ = true;
    co_return;
  }
  co_await writer_.finish(trailers, each);
  finished_ = !writer_.short_of_length();
}

bool server_connection::write_at_once(std::string_view& piece) noexcept {
  return bodiless_ || writer_.write_at_once(piece);
}

bool server_connection::finish_at_once() noexcept {
  std::string_view none;
  if (!writer_.write_at_once(none))
    return false;
  finished_ = bodiless_ || !writer_.short_of_length();
  return true;
}

asio::awaitable<void> server_connection::interim(const message_head& answer,
                                                 timeout each) {
  if (head().old)
    co_return;
  continued_ = continued_ || answer.status == 100;
  auto text = head_text(answer) + "\r\n";
  co_await stream_->write(asio::buffer(text), each);
}

asio::awaitable<void>
server_connection::switch_protocols(const message_head& answer, timeout each) {
  status_ = answer.status;
  close_after_ = true;
  auto text = head_text(answer) + "\r\n";
  co_await stream_->write(asio::buffer(text), each);
}

bool server_connection::reusable() const noexcept {
  return finished_ && !close_after_ && stream_->is_open() && reader_.at_end();
}

asio::awaitable<void> server_connection::linger() {
  stream_->shutdown_send();
  const auto until = clock::now() + lingering;
  std::vector<char> buffer(4096);
  try {
    auto more = true;
    while (more && clock::now() < until)
      more = co_await stream_->read(asio::buffer(buffer), until) != 0;
  } catch (const lost&) {
    // That is what it was to be.
  }
  close();
}

} // namespace greenroom::http::wire
