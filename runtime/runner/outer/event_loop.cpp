#include "runtime/runner/outer/event_loop.hpp"

#include "runtime/base/guarded.hpp"

#include <poll.h>
#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <limits>
#include <system_error>
#include <utility>

namespace greenroom::runner {

namespace {

int milliseconds_until(std::optional<steady::time_point> deadline) {
  using namespace std::chrono;
  if (!deadline)
    return -1;
  // Rounded up: waking before the deadline would mean to wait again.
  auto left = ceil<milliseconds>(*deadline - steady::now()).count();
  return static_cast<int>(
    std::clamp<std::int64_t>(left, 0, std::numeric_limits<int>::max()));
}

} // namespace

// One that fails again at once must not fill the log.
void report_failure(const char* why) {
  constexpr int pause_ms = 100;
  std::fprintf(stderr, "greenroom-runner: %s\n", why);
  ::poll(nullptr, 0, pause_ms);
}

event_loop::event_loop() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  if (!epoll_)
    throw std::system_error(errno, std::generic_category(), "epoll_create1");
}

void event_loop::watch(int fd, callback ready) {
  auto index = static_cast<std::size_t>(fd);
  if (callbacks_.size() <= index)
    callbacks_.resize(index + 1);
  callbacks_[index] = std::make_shared<callback>(std::move(ready));
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    auto error = errno;
    callbacks_[index].reset();
    throw std::system_error(error, std::generic_category(), "epoll_ctl");
  }
}

void event_loop::want_read(int fd, bool wanted) {
  epoll_event event{};
  if (wanted)
    event.events = EPOLLIN;
  event.data.fd = fd;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
}

void event_loop::want_write(int fd, bool wanted) {
  epoll_event event{};
  event.events = wanted ? EPOLLIN | EPOLLOUT : EPOLLIN;
  event.data.fd = fd;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
}

void event_loop::unwatch(int fd) {
  auto index = static_cast<std::size_t>(fd);
  if (index >= callbacks_.size() || !callbacks_[index])
    return;
  callbacks_[index].reset();
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
}

void event_loop::run_once(std::optional<steady::time_point> deadline) {
  std::array<epoll_event, 32> events;
  auto count =
    ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()),
                 milliseconds_until(deadline));
  for (int i = 0; i < count; ++i) {
    auto index =
      static_cast<std::size_t>(events[static_cast<std::size_t>(i)].data.fd);
    // Gone where an earlier callback of this round unwatched it.
    if (auto ready = callbacks_[index])
      run_guarded(*ready, report_failure);
  }
}

} // namespace greenroom::runner
