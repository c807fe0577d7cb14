#include "bench/support/load.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <stdexcept>
#include <system_error>

namespace greenroom::bench {

namespace {

using clock = std::chrono::steady_clock;

constexpr int timeout_ms = 10'000;

[[noreturn]] void fail_load(const char* what) {
  throw std::system_error(errno, std::generic_category(), what);
}

} // namespace

http_load::http_load(std::uint16_t port, std::size_t connections,
                     std::string request)
  : request_(std::move(request)), clients_(connections),
    poll_(::epoll_create1(EPOLL_CLOEXEC)) {
  for (std::size_t i = 0; i < connections; ++i) {
    clients_[i].socket = connect_to(port);
    ::epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = i;
    if (::epoll_ctl(poll_.get(), EPOLL_CTL_ADD, clients_[i].socket.get(),
                    &event)
        != 0)
      fail_load("epoll_ctl");
  }
}

double http_load::run(std::chrono::milliseconds time) {
  auto start = clock::now();
  auto stop = start + time;
  auto now = start;
  std::size_t answers = 0;
  std::size_t waiting = clients_.size();
  for (auto& one : clients_)
    send_all(one.socket, request_);
  std::array<::epoll_event, 64> events;
  while (waiting > 0) {
    auto count =
      ::epoll_wait(poll_.get(), events.data(), events.size(), timeout_ms);
    if (count < 0 && errno != EINTR)
      fail_load("epoll_wait");
    if (count == 0)
      throw std::runtime_error("the server does not answer");
    now = clock::now();
    for (int i = 0; i < count; ++i) {
      auto& one = clients_[events[static_cast<std::size_t>(i)].data.u64];
      if (!read(one))
        continue;
      ++answers;
      if (now < stop)
        send_all(one.socket, request_);
      else
        --waiting;
    }
  }
  return static_cast<double>(answers)
         / std::chrono::duration<double>(now - start).count();
}

/// True if an answer is whole.
bool http_load::read(client& from) {
  std::array<char, 16 * 1024> buffer;
  auto got =
    ::recv(from.socket.get(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (got < 0 && errno == EAGAIN)
    return false;
  if (got <= 0)
    throw std::runtime_error("the server has hung up");
  if (!from.reader.feed({buffer.data(), static_cast<std::size_t>(got)}))
    return false;
  if (auto answer = from.reader.take(); answer.status != 200)
    throw std::runtime_error("the server answers " + answer.body);
  return true;
}

} // namespace greenroom::bench
