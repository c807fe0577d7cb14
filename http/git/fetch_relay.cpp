#include "http/git/fetch_relay.hpp"

#include "http/git/first_request.hpp"
#include "runtime/base/pipe.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <optional>
#include <string_view>
#include <utility>

namespace greenroom::http::git_http {

static constexpr std::chrono::seconds answer_timeout{30};

fetch_relay::fetch_relay(int socket, std::size_t most, look first)
  : socket_(socket), most_(most), first_(std::move(first)) {
  auto ends = make_pipe();
  reader_ = std::move(ends.reader);
  writer_ = std::move(ends.writer);
  thread_ = std::thread{[this] { run(); }};
}

fetch_relay::~fetch_relay() {
  reader_.reset(); // then writing to it fails
  ::shutdown(socket_, SHUT_RD);
  thread_.join();
}

// At the end of what it reads git ends too.
void fetch_relay::run() noexcept {
  try {
    carry();
  } catch (const std::exception&) {
    // What is no protocol of git's is nobody's loss.
  }
  writer_.reset();
}

void fetch_relay::carry() {
  std::string begun;
  std::size_t seen = 0;
  std::optional<std::size_t> size;
  while (!size && begun.size() < most_) {
    if (!receive(begun))
      return;
    size = request_size(begun, seen);
  }
  std::optional<std::string> instead;
  if (size)
    try {
      instead = first_(begun.substr(0, *size));
    } catch (const std::exception&) {
      // What it would have brought is not there then.
    }
  if (instead) {
    if (!answer(*instead))
      return;
    begun.erase(0, *size);
  }
  while (send(begun)) {
    begun.clear();
    if (!receive(begun))
      return;
  }
}

// A client that is being served may be silent for long; git sees to that.
bool fetch_relay::receive(std::string& to) const {
  std::array<char, 65536> buffer;
  ssize_t got = 0;
  do
    got = ::recv(socket_, buffer.data(), buffer.size(), 0);
  while (got < 0 && (errno == EINTR || errno == EAGAIN));
  if (got <= 0)
    return false;
  to.append(buffer.data(), static_cast<std::size_t>(got));
  return true;
}

bool fetch_relay::send(std::string_view text) const {
  while (!text.empty()) {
    auto done = ::write(writer_.get(), text.data(), text.size());
    if (done < 0 && errno == EINTR)
      continue;
    if (done <= 0)
      return false;
    text.remove_prefix(static_cast<std::size_t>(done));
  }
  return true;
}

// To the client, who may not take its time.
bool fetch_relay::answer(std::string_view text) const {
  const auto end = std::chrono::steady_clock::now() + answer_timeout;
  while (!text.empty()) {
    auto left = std::chrono::ceil<std::chrono::milliseconds>(
      end - std::chrono::steady_clock::now());
    pollfd item{socket_, POLLOUT, 0};
    if (left.count() <= 0
        || ::poll(&item, 1, static_cast<int>(left.count())) == 0)
      return false;
    auto done =
      ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (done < 0 && (errno == EINTR || errno == EAGAIN))
      continue;
    if (done <= 0)
      return false;
    text.remove_prefix(static_cast<std::size_t>(done));
  }
  return true;
}

} // namespace greenroom::http::git_http
