#include "bench/support/http.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <stdexcept>
#include <system_error>
#include <utility>

namespace greenroom::bench {

namespace {

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

} // namespace

std::uint16_t free_port() {
  unique_fd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_in here{};
  here.sin_family = AF_INET;
  here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof here;
  auto* address = reinterpret_cast<sockaddr*>(&here);
  if (!socket || ::bind(socket.get(), address, size) != 0
      || ::getsockname(socket.get(), address, &size) != 0)
    throw std::system_error(errno, std::generic_category(), "a free port");
  return ntohs(here.sin_port);
}

unique_fd connect_to(std::uint16_t port) {
  unique_fd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  if (!socket)
    fail("socket");
  int on = 1;
  timeval timeout{30, 0};
  ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(socket.get(), reinterpret_cast<sockaddr*>(&to), sizeof to) != 0)
    fail("connect");
  return socket;
}

void send_all(const unique_fd& socket, std::string_view bytes) {
  while (!bytes.empty()) {
    auto sent = ::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0)
      fail("send");
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

std::string request_text(std::string_view method, std::string_view path,
                         std::string_view key, std::string_view body) {
  std::string result{method};
  result.append(" ").append(path).append(" HTTP/1.1\r\nHost: 127.0.0.1\r\n");
  if (!key.empty())
    result.append("Authorization: Bearer ").append(key).append("\r\n");
  if (!body.empty())
    result.append("Content-Type: application/json\r\nContent-Length: ")
      .append(std::to_string(body.size()))
      .append("\r\n");
  result.append("\r\n").append(body);
  return result;
}

bool answer_reader::feed(std::string_view bytes) {
  text_ += bytes;
  if (head_ == 0) {
    auto end = text_.find("\r\n\r\n");
    if (end == std::string::npos)
      return false;
    constexpr std::string_view name = "\r\nContent-Length: ";
    auto at = text_.find(name);
    if (at == std::string::npos || at > end)
      throw std::runtime_error("an answer without Content-Length: "
                               + text_.substr(0, end));
    std::size_t length = 0;
    std::from_chars(text_.data() + at + name.size(), text_.data() + end,
                    length);
    head_ = end + 4;
    whole_ = head_ + length;
  }
  return text_.size() >= whole_;
}

answer answer_reader::take() {
  answer result;
  auto status = text_.find(' ') + 1;
  std::from_chars(text_.data() + status, text_.data() + head_, result.status);
  result.body = text_.substr(head_, whole_ - head_);
  text_.erase(0, whole_);
  head_ = 0;
  whole_ = 0;
  return result;
}

answer connection::receive() {
  std::array<char, 64 * 1024> buffer;
  for (;;) {
    auto got = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
    if (got < 0)
      fail("recv");
    if (got == 0)
      throw std::runtime_error("the server has hung up");
    if (reader_.feed({buffer.data(), static_cast<std::size_t>(got)}))
      return reader_.take();
  }
}

} // namespace greenroom::bench
