#include "http/git/list_relay.hpp"

#include "http/git/first_request.hpp"
#include "runtime/base/pipe.hpp"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <exception>
#include <optional>
#include <utility>

namespace greenroom::http::git_http {

list_relay::list_relay(origin_peer to, std::size_t most, change what)
  : to_(to), most_(most), change_(std::move(what)) {
  auto ends = make_pipe();
  reader_ = std::move(ends.reader);
  writer_ = std::move(ends.writer);
  thread_ = std::thread{[this] { run(); }};
}

list_relay::~list_relay() {
  writer_.reset(); // it was the last one
  thread_.join();
}

// A client that is gone, or takes too long: git sees it where it writes.
void list_relay::run() noexcept {
  try {
    carry();
  } catch (...) {
    // It is told nothing more.
  }
  reader_.reset();
}

void list_relay::carry() {
  auto text = read_list();
  do {
    to_.write(text);
    text.clear();
  } while (receive(text));
}

// With what came after it, of a client that does not wait for it.
std::string list_relay::read_list() {
  std::string begun;
  std::size_t seen = 0;
  std::optional<std::size_t> size;
  try {
    while (!size && begun.size() < most_ && receive(begun))
      size = request_size(begun, seen);
    if (size)
      begun.replace(0, *size, change_(begun.substr(0, *size)));
  } catch (const std::exception&) {
    // No list, or nothing can be said beside it.
  }
  return begun;
}

bool list_relay::receive(std::string& to) {
  std::array<char, 65536> buffer;
  ssize_t got = 0;
  do
    got = ::read(reader_.get(), buffer.data(), buffer.size());
  while (got < 0 && errno == EINTR);
  if (got <= 0)
    return false;
  to.append(buffer.data(), static_cast<std::size_t>(got));
  return true;
}

} // namespace greenroom::http::git_http
