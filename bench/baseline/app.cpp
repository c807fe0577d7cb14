// An app behind a proxy that costs as little as it can: one thread, no log.
//
//   bench_app PORT
//
// GET / answers with a small page, GET /N with N MiB, a request with a body
// once all of that has come, and an upgrade with 101 and silence. Serves until
// it is killed.
#include "runtime/base/fd.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <string>
#include <string_view>
#include <system_error>

namespace {

using greenroom::unique_fd;

const std::string filler(256 * 1024, 'x');
const std::string page(1024, 'p');

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

struct client {
  unique_fd socket;
  std::string head;              // what has come of it
  std::uint64_t body_left = 0;   // to be read
  std::string answer;            // to be sent
  std::uint64_t filler_left = 0; // likewise, after it
  bool silent = false;           // an upgrade: nothing more is said
};

class app {
public:
  explicit app(std::uint16_t port)
    : poll_(::epoll_create1(EPOLL_CLOEXEC)),
      listener_(
        ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_in here{};
    here.sin_family = AF_INET;
    here.sin_port = htons(port);
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int on = 1;
    ::setsockopt(listener_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (!poll_ || !listener_
        || ::bind(listener_.get(), reinterpret_cast<sockaddr*>(&here),
                  sizeof here)
             != 0
        || ::listen(listener_.get(), 4096) != 0)
      fail("cannot listen");
    watch(listener_.get(), EPOLLIN, EPOLL_CTL_ADD);
  }

  void run() {
    std::array<epoll_event, 64> events;
    for (;;) {
      auto count = ::epoll_wait(poll_.get(), events.data(), events.size(), -1);
      for (int i = 0; i < count; ++i) {
        auto fd = events[static_cast<std::size_t>(i)].data.fd;
        if (fd == listener_.get())
          accept();
        else if (auto found = clients_.find(fd); found != clients_.end())
          serve(found->second);
      }
    }
  }

private:
  void watch(int fd, std::uint32_t what, int how) {
    epoll_event event{};
    event.events = what;
    event.data.fd = fd;
    if (::epoll_ctl(poll_.get(), how, fd, &event) != 0)
      fail("epoll_ctl");
  }

  void accept() {
    for (;;) {
      unique_fd socket{::accept4(listener_.get(), nullptr, nullptr,
                                 SOCK_NONBLOCK | SOCK_CLOEXEC)};
      if (!socket)
        return;
      int on = 1;
      ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      auto fd = socket.get();
      watch(fd, EPOLLIN, EPOLL_CTL_ADD);
      clients_[fd].socket = std::move(socket);
    }
  }

  void serve(client& one) {
    auto fd = one.socket.get();
    if (!receive(one) || !send(one))
      clients_.erase(fd);
  }

  /// False: it is gone.
  bool receive(client& one) {
    std::array<char, 256 * 1024> buffer;
    auto got = ::recv(one.socket.get(), buffer.data(), buffer.size(), 0);
    if (got < 0)
      return errno == EAGAIN;
    if (got == 0)
      return false;
    std::string_view bytes{buffer.data(), static_cast<std::size_t>(got)};
    while (!bytes.empty() && !one.silent)
      bytes.remove_prefix(one.body_left > 0 ? take_body(one, bytes.size())
                                            : take_head(one, bytes));
    return true;
  }

  static std::size_t take_body(client& one, std::size_t size) {
    auto taken = std::min<std::uint64_t>(size, one.body_left);
    one.body_left -= taken;
    if (one.body_left == 0)
      respond(one, page);
    return static_cast<std::size_t>(taken);
  }

  static std::size_t take_head(client& one, std::string_view bytes) {
    auto before = one.head.size();
    one.head += bytes;
    auto end = one.head.find("\r\n\r\n");
    if (end == std::string::npos)
      return bytes.size();
    auto head = std::exchange(one.head, {}).substr(0, end + 4);
    auto taken = head.size() - before;
    begin(one, head);
    return taken;
  }

  static void begin(client& one, const std::string& head) {
    constexpr std::string_view length = "\r\nContent-Length: ";
    if (head.find("\r\nUpgrade: ") != std::string::npos) {
      one.answer = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\n"
                   "Upgrade: websocket\r\n\r\n";
      one.silent = true;
    } else if (auto at = head.find(length); at != std::string::npos) {
      one.body_left =
        std::strtoull(head.c_str() + at + length.size(), nullptr, 10);
    } else {
      auto path = head.find('/') + 1;
      auto size = std::strtoull(head.c_str() + path, nullptr, 10) << 20;
      one.filler_left = size;
      respond(one, size == 0 ? page : std::string{});
    }
  }

  static void respond(client& one, const std::string& body) {
    auto length = body.size() + one.filler_left;
    one.answer += "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
                  "Content-Length: "
                  + std::to_string(length) + "\r\n\r\n" + body;
  }

  /// False: it is gone.
  bool send(client& one) {
    while (!one.answer.empty() || one.filler_left > 0) {
      std::string_view next = one.answer;
      if (next.empty())
        next = std::string_view{filler}.substr(0, one.filler_left);
      auto sent =
        ::send(one.socket.get(), next.data(), next.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN)
        return false;
      if (sent < 0) {
        watch(one.socket.get(), EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
        return true;
      }
      if (one.answer.empty())
        one.filler_left -= static_cast<std::uint64_t>(sent);
      else
        one.answer.erase(0, static_cast<std::size_t>(sent));
      if (one.answer.empty() && one.filler_left == 0)
        watch(one.socket.get(), EPOLLIN, EPOLL_CTL_MOD);
    }
    return true;
  }

  unique_fd poll_;
  unique_fd listener_;
  std::map<int, client> clients_;
};

} // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s PORT\n", argv[0]);
    return 2;
  }
  try {
    app{static_cast<std::uint16_t>(std::atoi(argv[1]))}.run();
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s: %s\n", argv[0], e.what());
  }
  return 1;
}
