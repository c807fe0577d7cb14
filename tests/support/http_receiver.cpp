#include "tests/support/http_receiver.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <memory>
#include <sstream>
#include <system_error>

namespace greenroom::test {

namespace {

/// False where the receiver goes before something can be read.
bool readable(int socket, int stop) {
  std::array<pollfd, 2> both{{{socket, POLLIN, 0}, {stop, POLLIN, 0}}};
  while (::poll(both.data(), both.size(), -1) < 0)
    if (errno != EINTR)
      return false;
  return both[1].revents == 0;
}

void parse_head(const std::string& text, received_request& into) {
  std::istringstream lines{text};
  std::getline(lines, into.line);
  if (into.line.ends_with('\r'))
    into.line.pop_back();
  for (std::string line; std::getline(lines, line) && line != "\r";) {
    auto colon = line.find(": ");
    auto name = line.substr(0, colon);
    std::ranges::transform(name, name.begin(), [](unsigned char c) {
      return static_cast<char>(std::tolower(c));
    });
    into.headers[name] = line.substr(colon + 2, line.size() - colon - 3);
  }
}

} // namespace

http_receiver::http_receiver(answering how)
  : how_(std::move(how)),
    listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)),
    stop_(::eventfd(0, EFD_CLOEXEC)) {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  auto* address = reinterpret_cast<sockaddr*>(&at);
  if (::bind(listener_.get(), address, size) != 0
      || ::listen(listener_.get(), 64) != 0
      || ::getsockname(listener_.get(), address, &size) != 0)
    throw std::system_error(errno, std::generic_category(), "listening");
  port_ = ntohs(at.sin_port);
  thread_ = std::thread{[this] { accept_all(); }};
}

http_receiver::~http_receiver() {
  ::eventfd_write(stop_.get(), 1);
  thread_.join();
  for (auto& one : threads_)
    one.join();
}

std::vector<received_request> http_receiver::requests() const {
  std::lock_guard guard{mutex_};
  return requests_;
}

std::string http_receiver::answer(int status, const std::string& headers) {
  return "HTTP/1.1 " + std::to_string(status) + " Some\r\n" + headers
         + "Content-Length: 2\r\n\r\nok";
}

void http_receiver::accept_all() {
  while (readable(listener_.get(), stop_.get())) {
    unique_fd socket{
      ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
    if (!socket)
      continue;
    ++connections_;
    threads_.emplace_back([this, s = std::make_shared<unique_fd>(
                                   std::move(socket))] { serve(*s); });
  }
}

void http_receiver::serve(const unique_fd& socket) {
  std::string text;
  received_request request;
  std::size_t whole = 0; // 0: not known yet
  while (whole == 0 || text.size() < whole) {
    std::array<char, 4096> buffer{};
    if (!readable(socket.get(), stop_.get()))
      return;
    auto got = ::recv(socket.get(), buffer.data(), buffer.size(), 0);
    if (got <= 0)
      return;
    text.append(buffer.data(), static_cast<std::size_t>(got));
    auto end = text.find("\r\n\r\n");
    if (whole == 0 && end != std::string::npos) {
      parse_head(text.substr(0, end + 4), request);
      auto length = request.headers["content-length"];
      whole = end + 4 + (length.empty() ? 0 : std::stoul(length));
      request.body = text.substr(end + 4);
    }
    if (end != std::string::npos)
      request.body = text.substr(end + 4);
  }
  {
    std::lock_guard guard{mutex_};
    requests_.push_back(request);
  }
  auto answer = how_(request);
  if (answer == never) {
    // Until the other side gives up, or this goes.
    static_cast<void>(readable(socket.get(), stop_.get()));
    return;
  }
  ::send(socket.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
}

} // namespace greenroom::test
