#include "bench/support/watchers.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <stdexcept>
#include <system_error>

namespace greenroom::bench {

namespace {

using clock = std::chrono::steady_clock;

constexpr int timeout_ms = 10'000;
constexpr std::size_t read_at_once = 256 * 1024;

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

std::uint64_t number_in(std::string_view text, int base = 10) {
  std::uint64_t result = 0;
  auto [end, error] =
    std::from_chars(text.data(), text.data() + text.size(), result, base);
  if (error != std::errc{})
    throw std::runtime_error("no number: " + std::string{text.substr(0, 80)});
  return result;
}

/// Line breaks in JSON text: each is escaped, and nothing else in the lines is.
std::uint64_t count_lines(std::string_view data) {
  std::uint64_t result = 0;
  for (auto at = data.find('\\'); at != data.npos; at = data.find('\\', at + 1))
    ++result;
  return result;
}

} // namespace

watchers::watchers(std::uint16_t port, std::size_t count,
                   const std::string& request)
  : all_(count), poll_(::epoll_create1(EPOLL_CLOEXEC)), buffer_(read_at_once) {
  for (std::size_t i = 0; i < count; ++i) {
    all_[i].socket = connect_to(port);
    ::epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = i;
    if (::epoll_ctl(poll_.get(), EPOLL_CTL_ADD, all_[i].socket.get(), &event)
        != 0)
      fail("epoll_ctl");
    send_all(all_[i].socket, request);
  }
  read_until([this] { return begun_ == all_.size(); });
}

delivery watchers::until_exit() {
  read_until([this] { return exited_ == all_.size(); });
  check_same();
  delivery result;
  for (auto& one : all_) {
    result.events += one.events;
    result.lines += one.lines;
    result.bytes += one.bytes;
  }
  result.seconds = std::chrono::duration<double>(now_ - first_).count();
  return result;
}

template <class Done>
void watchers::read_until(Done done) {
  std::array<::epoll_event, 512> events;
  while (!done()) {
    auto count =
      ::epoll_wait(poll_.get(), events.data(), events.size(), timeout_ms);
    if (count < 0 && errno != EINTR)
      fail("epoll_wait");
    if (count == 0)
      throw std::runtime_error("no more events come");
    for (int i = 0; i < count; ++i)
      read(all_[events[static_cast<std::size_t>(i)].data.u64]);
    now_ = clock::now();
  }
}

void watchers::read(watcher& from) {
  auto got =
    ::recv(from.socket.get(), buffer_.data(), buffer_.size(), MSG_DONTWAIT);
  if (got < 0 && errno == EAGAIN)
    return;
  if (got <= 0 && from.exited) {
    ::epoll_ctl(poll_.get(), EPOLL_CTL_DEL, from.socket.get(), nullptr);
    return;
  }
  if (got <= 0)
    throw std::runtime_error("a stream ended too early");
  from.bytes += static_cast<std::uint64_t>(got);
  take(from, {buffer_.data(), static_cast<std::size_t>(got)});
}

/// The chunks of an answer, in which the text lies.
void watchers::take(watcher& from, std::string_view bytes) {
  while (!bytes.empty()) {
    if (from.at == part::text) {
      auto text = bytes.substr(0, from.left);
      from.left -= text.size();
      bytes.remove_prefix(text.size());
      take_text(from, text);
      if (from.left == 0)
        from.at = part::text_end;
      continue;
    }
    // The rest are lines that are short.
    auto end = bytes.find('\n');
    from.line += bytes.substr(0, end);
    if (end == bytes.npos)
      return;
    bytes.remove_prefix(end + 1);
    auto line = std::exchange(from.line, {});
    if (from.at == part::head) {
      if (line.starts_with("HTTP/1.1 ") && !line.starts_with("HTTP/1.1 200"))
        throw std::runtime_error("no event stream: " + line);
      if (line == "\r")
        from.at = part::size;
    } else if (from.at == part::text_end) {
      from.at = part::size;
    } else {
      from.left = number_in(line, 16);
      from.at = from.left > 0 ? part::text : part::head;
    }
  }
}

// Chunks hold whole events, so a line that a read has cut ends in the same
// chunk, and `line` serves both.
void watchers::take_text(watcher& from, std::string_view text) {
  while (!text.empty()) {
    auto end = text.find('\n');
    if (end == text.npos) {
      from.line += text;
      return;
    }
    if (from.line.empty()) {
      take_line(from, text.substr(0, end));
    } else {
      from.line += text.substr(0, end);
      take_line(from, from.line);
      from.line.clear();
    }
    text.remove_prefix(end + 1);
  }
}

void watchers::take_line(watcher& from, std::string_view line) {
  if (line.starts_with("data: ")) {
    if (from.output)
      from.lines += count_lines(line);
  } else if (line.starts_with("id: ")) {
    take_id(from, line.substr(4));
  } else if (line.starts_with("event: ")) {
    auto type = line.substr(7);
    from.output = type == "exec.output";
    if (from.output) {
      ++from.events;
      if (!std::exchange(any_, true))
        first_ = clock::now();
    } else if (type == "exec.exited" && !std::exchange(from.exited, true)) {
      ++exited_;
    }
  } else if (line.starts_with("retry: ") && !std::exchange(from.begun, true)) {
    ++begun_;
  }
}

void watchers::take_id(watcher& from, std::string_view id) {
  auto dash = id.find('-');
  if (dash == id.npos)
    throw std::runtime_error("no event id: " + std::string{id});
  auto seq = number_in(id.substr(dash + 1));
  if (from.first_seq == 0)
    from.first_seq = seq;
  else if (seq != from.seq + 1)
    throw std::runtime_error("event " + std::string{id} + " came after "
                             + std::to_string(from.seq));
  from.seq = seq;
}

void watchers::check_same() const {
  auto& one = all_.front();
  for (auto& other : all_)
    if (other.first_seq != one.first_seq || other.events != one.events
        || other.lines != one.lines)
      throw std::runtime_error("two watchers got different events");
}

} // namespace greenroom::bench
