#include "http/wire/client_connection.hpp"

#include <utility>

namespace greenroom::http::wire {

namespace {

constexpr std::size_t usual_head = 1024;

} // namespace

client_connection::client_connection(std::unique_ptr<byte_stream> stream)
  : stream_(std::move(stream)), reader_(*stream_, message_kind::response, {}),
    writer_(*stream_) {}

void client_connection::begin(const message_head& head, bool has_body,
                              std::optional<std::uint64_t> length) {
  std::string text;
  text.reserve(usual_head);
  text.append(head.method).append(1, ' ').append(head.target);
  text.append(" HTTP/1.1\r\n");
  append_headers(text, head.headers);
  auto how = framing::none;
  if (length)
    how = framing::length;
  else if (has_body)
    how = framing::chunks;
  writer_.begin(std::move(text), how, length.value_or(0));
  asks_head_ = head.method == "HEAD";
  sent_ = answered_ = false;
  reader_.start(asks_head_);
}

asio::awaitable<void> client_connection::flush(timeout each) {
  return writer_.flush(each);
}

asio::awaitable<void> client_connection::write(std::string_view piece,
                                               timeout each) {
  return writer_.write(piece, each);
}

asio::awaitable<void> client_connection::finish(timeout each,
                                                const header_list& trailers) {
  co_await writer_.finish(trailers, each);
  sent_ = !writer_.short_of_length();
}

bool client_connection::finish_at_once() noexcept {
  std::string_view none;
  sent_ = writer_.write_at_once(none) && !writer_.short_of_length();
  return sent_;
}

asio::awaitable<void> client_connection::read_head(timeout whole) {
  if (answered_)
    reader_.start(asks_head_);
  auto begun = co_await reader_.read_head(clock::now() + whole);
  if (!begun)
    throw lost{};
  answered_ = true;
}

asio::awaitable<std::string_view> client_connection::read_body(timeout each) {
  return reader_.read_body(each);
}

bool client_connection::reusable() const noexcept {
  return sent_ && answered_ && reader_.at_end() && !reader_.has_bytes()
         && head().keep_alive && head().status >= 200 && stream_->is_open();
}

} // namespace greenroom::http::wire
