#include "tests/support/http_receiver.hpp"

#include "tests/support/sockets.hpp"

#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <memory>
#include <sstream>
#include <utility>

namespace greenroom::test {

namespace {

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
  : how_(std::move(how)), stop_(::eventfd(0, EFD_CLOEXEC)) {
  auto at = listen_locally();
  listener_ = std::move(at.socket);
  port_ = at.port;
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
  while (readable(listener_, stop_)) {
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
    if (!readable(socket, stop_))
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
    static_cast<void>(readable(socket, stop_));
    return;
  }
  ::send(socket.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
}

} // namespace greenroom::test
