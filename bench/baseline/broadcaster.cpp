// A bare broadcaster: the lines of a command, as events in the server's form,
// to all who have connected. No log, no keys, no sessions; one thread.
//
//   bench_broadcaster WATCHERS COMMAND [ARGUMENTS]
//
// Prints its port, answers so many requests, whatever they ask, with an event
// stream, runs the command once all have come, and ends with it. Like the
// server it writes what has come while a write was in flight in one go.
#include "runtime/base/fd.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <spawn.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fcntl.h>
#include <iostream>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace {

using greenroom::unique_fd;

[[noreturn]] void fail(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

class broadcaster {
public:
  explicit broadcaster(std::size_t watchers)
    : poll_(::epoll_create1(EPOLL_CLOEXEC)),
      listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in here{};
    here.sin_family = AF_INET;
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof here;
    auto* address = reinterpret_cast<sockaddr*>(&here);
    if (!poll_ || !listener_ || ::bind(listener_.get(), address, size) != 0
        || ::listen(listener_.get(), 1024) != 0
        || ::getsockname(listener_.get(), address, &size) != 0)
      fail("cannot listen");
    std::cout << ntohs(here.sin_port) << std::endl;
    text_ = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
            "Transfer-Encoding: chunked\r\n\r\n";
    chunk("retry: 1000\n\n");
    while (watchers_.size() < watchers)
      accept();
  }

  void run(char** command) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0)
      fail("pipe2");
    unique_fd out{ends[0]};
    unique_fd in{ends[1]};
    ::posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, in.get(), STDOUT_FILENO);
    pid_t pid = -1;
    errno =
      ::posix_spawnp(&pid, command[0], &actions, nullptr, command, environ);
    ::posix_spawn_file_actions_destroy(&actions);
    if (errno != 0)
      fail(command[0]);
    in.reset();
    watch(out.get(), EPOLLIN, command_index);
    pass_on(out.get());
    ::waitpid(pid, nullptr, 0);
  }

private:
  struct watcher {
    unique_fd socket;
    std::size_t sent = 0;
    bool full = false; // its socket takes no more
  };

  static constexpr std::uint64_t command_index = ~std::uint64_t{0};

  void accept() {
    unique_fd socket{
      ::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
    std::array<char, 4096> request;
    if (!socket || ::recv(socket.get(), request.data(), request.size(), 0) <= 0)
      fail("accept");
    int on = 1;
    ::setsockopt(socket.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    watch(socket.get(), EPOLLOUT | EPOLLET, watchers_.size());
    watchers_.push_back({std::move(socket)});
    write(watchers_.back());
  }

  void watch(int fd, std::uint32_t what, std::uint64_t index) {
    ::epoll_event event{};
    event.events = what;
    event.data.u64 = index;
    if (::epoll_ctl(poll_.get(), EPOLL_CTL_ADD, fd, &event) != 0)
      fail("epoll_ctl");
  }

  void pass_on(int command) {
    std::array<::epoll_event, 512> events;
    bool ended = false;
    while (!ended || !all_sent()) {
      auto count = ::epoll_wait(poll_.get(), events.data(), events.size(), -1);
      for (int i = 0; i < count; ++i) {
        auto& event = events[static_cast<std::size_t>(i)];
        if (event.data.u64 != command_index) {
          auto& one = watchers_[event.data.u64];
          one.full = false;
          write(one);
        } else if (!read(command)) {
          ended = true;
          ::epoll_ctl(poll_.get(), EPOLL_CTL_DEL, command, nullptr);
        }
      }
    }
  }

  bool all_sent() const {
    return std::ranges::all_of(watchers_, [this](const watcher& one) {
      return one.sent == text_.size();
    });
  }

  /// False at the command's end.
  bool read(int command) {
    std::array<char, 64 * 1024> buffer;
    auto size = ::read(command, buffer.data(), buffer.size());
    lines_.append(buffer.data(), static_cast<std::size_t>(std::max(size, 0l)));
    std::size_t begin = 0;
    for (std::size_t end; (end = lines_.find('\n', begin)) != lines_.npos;
         begin = end + 1)
      output(std::string_view{lines_}.substr(begin, end - begin));
    lines_.erase(0, begin);
    if (size <= 0) {
      event("exec.exited", "{}");
      text_ += "0\r\n\r\n";
    }
    for (auto& one : watchers_)
      if (!one.full)
        write(one);
    return size > 0;
  }

  void output(std::string_view line) {
    std::string data = R"({"time":"2026-01-01T00:00:00.000Z","session_id":)"
                       R"("00000000000000000000","exec_id":)"
                       R"("00000000000000000000","stream":"stdout","offset":)";
    data += std::to_string(offset_);
    data += R"(,"data":")";
    data += line; // the printer's lines need no escapes
    data += R"(\n","encoding":"utf-8"})";
    offset_ += line.size() + 1;
    event("exec.output", data);
  }

  void event(std::string_view type, std::string_view data) {
    std::string whole = "id: 1-" + std::to_string(++seq_) + "\nevent: ";
    whole += type;
    whole += "\ndata: ";
    whole += data;
    whole += "\n\n";
    chunk(whole);
  }

  void chunk(std::string_view bytes) {
    std::array<char, 16> size;
    auto end = std::to_chars(size.begin(), size.end(), bytes.size(), 16).ptr;
    text_.append(size.begin(), end);
    text_ += "\r\n";
    text_ += bytes;
    text_ += "\r\n";
  }

  void write(watcher& to) {
    while (to.sent < text_.size()) {
      auto size = ::send(to.socket.get(), text_.data() + to.sent,
                         text_.size() - to.sent, MSG_DONTWAIT | MSG_NOSIGNAL);
      if (size < 0 && errno == EAGAIN) {
        to.full = true;
        return;
      }
      if (size < 0)
        fail("send");
      to.sent += static_cast<std::size_t>(size);
    }
  }

  unique_fd poll_;
  unique_fd listener_;
  std::vector<watcher> watchers_;
  std::string text_;  // all that a watcher gets, from the head on
  std::string lines_; // of which the end has not come
  std::uint64_t seq_ = 0;
  std::uint64_t offset_ = 0;
};

} // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: bench_broadcaster WATCHERS COMMAND [ARGUMENTS]\n";
    return 2;
  }
  try {
    broadcaster all{std::strtoul(argv[1], nullptr, 10)};
    all.run(argv + 2);
  } catch (const std::exception& e) {
    std::cerr << "bench_broadcaster: " << e.what() << '\n';
    return 1;
  }
}
