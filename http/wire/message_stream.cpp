#include "http/wire/message_stream.hpp"

#include <boost/asio/buffer.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <utility>

namespace greenroom::http::wire {

namespace {

constexpr std::size_t first_head = 4 * 1024;
constexpr std::size_t body_room = 64 * 1024;

/// Its memory, too: to assign an empty list would keep that.
void give_back(std::vector<char>& buffer) noexcept {
  std::vector<char>{}.swap(buffer);
}

} // namespace

// -- reading ------------------------------------------------------------------

message_reader::message_reader(byte_stream& from, message_kind kind,
                               std::string_view first)
  : stream_(from), kind_(kind), parser_(kind),
    buffer_(first.begin(), first.end()), end_(first.size()) {}

void message_reader::start(bool answers_head) {
  parser_.reset(answers_head);
  received_ = 0;
  if (begin_ != end_)
    return;
  if (kind_ == message_kind::request && buffer_.size() > first_head)
    give_back(buffer_);
  begin_ = end_ = 0;
}

/// One that has sent a message is likely to send another: reading it straight
/// away costs fewer system calls than asking first whether it is there.
asio::awaitable<bool> message_reader::wait(clock::time_point until) {
  if (buffer_.empty())
    return stream_.wait_readable(until);
  return receive(until);
}

bool message_reader::head_at_hand() {
  // Old clients end a body with a line break that does not count.
  while (parser_.untouched() && begin_ < end_
         && (buffer_[begin_] == '\r' || buffer_[begin_] == '\n'))
    ++begin_;
  if (begin_ < end_)
    begin_ += parser_.feed({buffer_.data() + begin_, end_ - begin_}).taken;
  return parser_.at() != message_parser::place::head;
}

asio::awaitable<bool> message_reader::read_head(clock::time_point until) {
  while (!head_at_hand()) {
    // As receive() does, without another coroutine for each message.
    make_room();
    auto size = co_await stream_.read(free_room(), until);
    end_ += size;
    if (size != 0)
      continue;
    if (parser_.untouched())
      co_return false;
    throw lost{};
  }
  co_return true;
}

std::string_view message_reader::body_at_hand() {
  while (begin_ < end_ && !at_end()) {
    auto fed = parser_.feed({buffer_.data() + begin_, end_ - begin_});
    begin_ += fed.taken;
    received_ += fed.body.size();
    if (!fed.body.empty())
      return fed.body;
    if (fed.taken == 0)
      break;
  }
  return {};
}

asio::awaitable<std::string_view> message_reader::read_body(timeout each) {
  for (;;) {
    if (auto piece = body_at_hand(); !piece.empty())
      co_return piece;
    if (at_end())
      co_return std::string_view{};
    auto more = co_await receive(clock::now() + each);
    if (!more && !parser_.feed_end())
      throw lost{};
  }
}

/// Moves what is left to the front, and makes the buffer larger where the
/// parser needs more than it holds.
void message_reader::make_room() {
  const auto in_head = parser_.at() == message_parser::place::head;
  const auto most = in_head ? max_head : body_room;
  const auto least = in_head ? first_head : body_room;
  if (begin_ > 0)
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
  end_ -= std::exchange(begin_, 0);
  if (buffer_.size() < least)
    buffer_.resize(least);
  else if (end_ == buffer_.size() && buffer_.size() < most)
    buffer_.resize(std::min(buffer_.size() * 2, most));
  if (end_ == buffer_.size())
    throw bad_message{400, "a line between two chunks is too long"};
}

/// False: the peer has sent all.
asio::awaitable<bool> message_reader::receive(clock::time_point until) {
  make_room();
  auto size = co_await stream_.read(free_room(), until);
  end_ += size;
  co_return size != 0;
}

asio::mutable_buffer message_reader::free_room() noexcept {
  return asio::buffer(buffer_.data() + end_, buffer_.size() - end_);
}

std::string message_reader::take_rest() {
  std::string result{buffer_.data() + begin_, end_ - begin_};
  give_back(buffer_);
  begin_ = end_ = 0;
  return result;
}

// -- writing ------------------------------------------------------------------

void message_writer::begin(std::string head, framing how,
                           std::uint64_t length) {
  head_ = std::move(head);
  how_ = how;
  length_ = length;
  sent_ = 0;
  if (how == framing::length)
    head_.append("Content-Length: ")
      .append(std::to_string(length))
      .append("\r\n");
  else if (how == framing::chunks)
    head_ += "Transfer-Encoding: chunked\r\n";
  head_ += "\r\n";
}

asio::awaitable<void> message_writer::flush(timeout each) {
  if (head_.empty())
    co_return;
  auto head = std::exchange(head_, {});
  co_await stream_.write(asio::buffer(head), each);
}

asio::awaitable<void> message_writer::write(std::string_view piece,
                                            timeout each) {
  if (piece.empty())
    co_return;
  auto head = std::exchange(head_, {});
  sent_ += piece.size();
  if (how_ != framing::chunks) {
    byte_stream::pieces all{asio::buffer(head), asio::buffer(piece)};
    co_await stream_.write(all, each);
    co_return;
  }
  std::array<char, 20> size{};
  auto end = std::to_chars(size.data(), size.data() + 16, piece.size(), 16).ptr;
  *end++ = '\r';
  *end++ = '\n';
  auto digits = static_cast<std::size_t>(end - size.data());
  byte_stream::pieces all{asio::buffer(head), asio::buffer(size.data(), digits),
                          asio::buffer(piece), asio::buffer("\r\n", 2)};
  co_await stream_.write(all, each);
}

bool message_writer::write_at_once(std::string_view& piece) noexcept {
  if (how_ == framing::chunks)
    return false;
  if (head_.empty() && piece.empty())
    return true;
  const auto taken =
    stream_.write_now({asio::buffer(head_), asio::buffer(piece)});
  const auto of_head = std::min(taken, head_.size());
  if (of_head == head_.size())
    head_ = std::string{};
  else
    head_.erase(0, of_head);
  piece.remove_prefix(taken - of_head);
  sent_ += taken - of_head;
  return head_.empty() && piece.empty();
}

asio::awaitable<void> message_writer::finish(const header_list& trailers,
                                             timeout each) {
  auto last = std::exchange(head_, {});
  if (how_ == framing::chunks) {
    last += "0\r\n";
    append_headers(last, trailers);
    last += "\r\n";
  }
  if (!last.empty())
    co_await stream_.write(asio::buffer(last), each);
}

void append_headers(std::string& to, const header_list& headers) {
  // For what a writer adds to say how the body comes.
  auto size = to.size() + 64;
  for (auto& [name, value] : headers)
    size += name.size() + value.size() + 4;
  to.reserve(size);
  auto breaks = [](char c) {
    return static_cast<unsigned char>(c) < 0x20 && c != '\t';
  };
  for (auto& [name, value] : headers) {
    if (std::ranges::any_of(name, breaks) || std::ranges::any_of(value, breaks))
      throw bad_message{500, "a header holds a line break"};
    to.append(name).append(": ").append(value).append("\r\n");
  }
}

} // namespace greenroom::http::wire
