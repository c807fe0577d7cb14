#include "tests/http/client.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <stdexcept>
#include <system_error>

namespace greenroom::test {

namespace {

[[noreturn]] void fail(const std::string& what) {
  throw std::runtime_error("test client: " + what);
}

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) {
    return static_cast<char>(std::tolower(c));
  });
  return text;
}

void set_timeouts(int socket) {
  timeval timeout{60, 0};
  ::setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
}

} // namespace

http_client::http_client(unique_fd connected) : fd_(connected.release()) {
  ::fcntl(fd_, F_SETFL, ::fcntl(fd_, F_GETFL) & ~O_NONBLOCK);
  set_timeouts(fd_);
}

http_client::http_client(std::uint16_t port, int receive_buffer,
                         const std::function<void()>& before)
  : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  set_timeouts(fd_);
  if (receive_buffer != 0)
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &receive_buffer,
                 sizeof receive_buffer);
  if (before)
    before();
  sockaddr_in there{};
  there.sin_family = AF_INET;
  there.sin_port = htons(port);
  there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd_, reinterpret_cast<sockaddr*>(&there), sizeof there) != 0) {
    std::system_error error{errno, std::generic_category(), "connect"};
    ::close(fd_);
    throw error;
  }
}

http_client::~http_client() {
  ::close(fd_);
}

void http_client::send(std::string_view bytes) {
  while (!bytes.empty()) {
    auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0)
      return; // the server has closed: the answer, or its lack, tells
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

bool http_client::has_answer(std::chrono::milliseconds timeout) {
  pollfd wanted{fd_, POLLIN, 0};
  return !in_.empty()
         || ::poll(&wanted, 1, static_cast<int>(timeout.count())) > 0;
}

bool http_client::fill() {
  char buffer[65536];
  ssize_t got = 0;
  do // a child of the server's that ends interrupts waits with a time-out
    got = ::recv(fd_, buffer, sizeof buffer, 0);
  while (got < 0 && errno == EINTR);
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
    fail("nothing came in a minute; so far: " + in_ + stream_);
  if (got <= 0)
    return false;
  in_.append(buffer, static_cast<std::size_t>(got));
  return true;
}

http_answer http_client::receive_head() {
  std::size_t end = 0;
  while ((end = in_.find("\r\n\r\n")) == std::string::npos)
    if (!fill())
      fail("the connection ended instead of an answer");
  http_answer result;
  auto head = in_.substr(0, end + 2);
  in_.erase(0, end + 4);
  if (head.size() < 12 || head.compare(0, 5, "HTTP/") != 0)
    fail("no HTTP: " + head);
  result.status = std::stoi(head.substr(9, 3));
  auto line = head.find("\r\n") + 2;
  while (line < head.size()) {
    auto stop = head.find("\r\n", line);
    auto field = head.substr(line, stop - line);
    auto colon = field.find(": ");
    result.headers[lower(field.substr(0, colon))] = field.substr(colon + 2);
    line = stop + 2;
  }
  return result;
}

http_answer http_client::receive(bool after_head) {
  auto result = receive_head();
  if (after_head || result.status == 204)
    return result;
  auto length = std::stoul(result.headers.at("content-length"));
  while (in_.size() < length)
    if (!fill())
      fail("the connection ended inside a body");
  result.body = in_.substr(0, length);
  in_.erase(0, length);
  return result;
}

bool http_client::take_chunk() {
  auto line = in_.find("\r\n");
  if (line == std::string::npos)
    return false;
  auto size = std::stoul(in_.substr(0, line), nullptr, 16);
  if (in_.size() < line + 2 + size + 2)
    return false;
  stream_ += in_.substr(line + 2, size);
  in_.erase(0, line + 2 + size + 2);
  stream_over_ = size == 0;
  return true;
}

const std::string& http_client::read_stream_until(std::string_view wanted) {
  while (stream_.find(wanted) == std::string::npos) {
    if (take_chunk())
      continue;
    if (stream_over_ || !fill())
      fail("the stream ended before \"" + std::string{wanted}
           + "\"; it had: " + stream_);
  }
  return stream_;
}

const std::string& http_client::read_stream_to_end() {
  while (!stream_over_)
    if (!take_chunk() && !fill())
      fail("the connection ended inside a stream: " + stream_);
  return stream_;
}

std::string http_client::receive_bytes(std::size_t count) {
  while (in_.size() < count)
    if (!fill())
      fail("the connection ended before " + std::to_string(count) + " bytes");
  auto result = in_.substr(0, count);
  in_.erase(0, count);
  return result;
}

bool http_client::is_closed() {
  return !fill() && in_.empty();
}

void http_client::finish_sending() {
  ::shutdown(fd_, SHUT_WR);
}

void http_client::drop() {
  linger at_once{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  ::close(fd_);
  fd_ = -1;
}

std::string request_text(std::string_view method, std::string_view target,
                         std::string_view key, std::string_view body,
                         std::string_view content_type,
                         std::string_view more_headers) {
  std::string text;
  text += method;
  text += ' ';
  text += target;
  text += " HTTP/1.1\r\nHost: localhost\r\n";
  if (!key.empty())
    text += "Authorization: Bearer " + std::string{key} + "\r\n";
  if (!body.empty() && !content_type.empty())
    text += "Content-Type: " + std::string{content_type} + "\r\n";
  if (!body.empty() || method == "POST")
    text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  text += more_headers;
  text += "\r\n";
  text += body;
  return text;
}

http_answer call(std::uint16_t port, std::string_view method,
                 std::string_view target, std::string_view key,
                 std::string_view body, std::string_view content_type) {
  http_client client{port};
  client.send(request_text(method, target, key, body, content_type));
  return client.receive(method == "HEAD");
}

} // namespace greenroom::test
