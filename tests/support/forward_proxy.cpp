#include "tests/support/forward_proxy.hpp"

#include "tests/support/sockets.hpp"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <utility>

namespace greenroom::test {

namespace {

using buffer = std::array<char, 64 * 1024>;

/// False where one of them can be read no more, or the proxy goes.
bool pass_on(const unique_fd& client, const unique_fd& server,
             const unique_fd& stop) {
  std::array<pollfd, 3> all{{{client.get(), POLLIN, 0},
                             {server.get(), POLLIN, 0},
                             {stop.get(), POLLIN, 0}}};
  if (::poll(all.data(), all.size(), -1) < 0)
    return errno == EINTR;
  if (all[2].revents != 0)
    return false;
  for (int from : {0, 1}) {
    if (all[from].revents == 0)
      continue;
    buffer bytes;
    auto got = ::recv(all[from].fd, bytes.data(), bytes.size(), 0);
    if (got <= 0)
      return false;
    send_all(from == 0 ? server : client,
             {bytes.data(), static_cast<std::size_t>(got)});
  }
  return true;
}

/// As the server wants it: without the host in its first line, and the only
/// one of its connection.
std::string for_server(const std::string& head) {
  auto host = head.find("://") + 3;
  auto path = head.find('/', host);
  auto end = head.find("\r\n");
  auto result = head.substr(0, head.find(' ') + 1)
                + head.substr(path, end - path) + "\r\nConnection: close\r\n";
  for (auto at = end + 2; at < head.size();) {
    auto next = head.find("\r\n", at) + 2;
    auto line = head.substr(at, next - at);
    if (!line.starts_with("Proxy-") && !line.starts_with("Connection:"))
      result += line;
    at = next;
  }
  return result;
}

} // namespace

forward_proxy::forward_proxy(std::uint16_t server)
  : server_(server), stop_(::eventfd(0, EFD_CLOEXEC)) {
  auto at = listen_locally();
  listener_ = std::move(at.socket);
  port_ = at.port;
  thread_ = std::thread{[this] { accept_all(); }};
}

forward_proxy::~forward_proxy() {
  ::eventfd_write(stop_.get(), 1);
  thread_.join();
  for (auto& one : threads_)
    one.join();
}

std::vector<std::string> forward_proxy::requests() const {
  std::lock_guard guard{mutex_};
  return requests_;
}

std::size_t forward_proxy::count(const std::string& beginning) const {
  std::lock_guard guard{mutex_};
  return static_cast<std::size_t>(
    std::ranges::count_if(requests_, [&](const std::string& line) {
      return line.starts_with(beginning);
    }));
}

void forward_proxy::accept_all() {
  while (readable(listener_, stop_)) {
    auto client = std::make_shared<unique_fd>(
      ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (*client)
      threads_.emplace_back([this, client] {
        try {
          serve(*client);
        } catch (const std::exception&) {
          // One side has gone: so does the other.
        }
        client->reset();
      });
  }
}

void forward_proxy::serve(const unique_fd& client) {
  std::string text;
  std::size_t end = 0;
  while ((end = text.find("\r\n\r\n")) == std::string::npos)
    if (!readable(client, stop_) || !receive(client, text, 4096))
      return;
  {
    std::lock_guard guard{mutex_};
    requests_.push_back(text.substr(0, text.find("\r\n")));
  }
  auto server = connect_to(server_);
  if (text.starts_with("CONNECT "))
    send_all(client, "HTTP/1.1 200 Connection established\r\n\r\n");
  else
    send_all(server,
             for_server(text.substr(0, end + 4)) + text.substr(end + 4));
  while (pass_on(client, server, stop_)) {
  }
}

} // namespace greenroom::test
