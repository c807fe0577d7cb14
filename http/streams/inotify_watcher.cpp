#include "http/streams/inotify_watcher.hpp"

#include "http/edge/loop.hpp"
#include "runtime/base/fd.hpp"
#include "runtime/base/guarded.hpp"

#include <boost/asio/posix/stream_descriptor.hpp>
#include <spdlog/spdlog.h>
#include <sys/inotify.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

namespace greenroom::http {

namespace {

constexpr std::uint32_t wanted =
  IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_ONLYDIR;

} // namespace

/// One listener; it keeps its place among the others until it is destroyed.
struct inotify_watcher::subscription {
  subscription(std::weak_ptr<state> with, int w, std::weak_ptr<log_listener> l)
    : of(std::move(with)), watch(w), listener(std::move(l)) {}
  subscription(const subscription&) = delete;
  subscription& operator=(const subscription&) = delete;
  ~subscription();

  std::weak_ptr<state> of;
  int watch;
  std::weak_ptr<log_listener> listener;
};

struct inotify_watcher::state : std::enable_shared_from_this<state> {
  explicit state(http::loop& home) : notices(home.context()) {}

  bool open();
  void read();
  void take(std::size_t size);
  void ring(int watch);
  void ring_all();
  void drop(const subscription& one);

  asio::posix::stream_descriptor notices;
  bool failed = false; // at the last try, which was logged
  alignas(inotify_event) std::array<char, 16 * 1024> buffer;
  std::unordered_map<int, std::vector<subscription*>> listeners;
};

bool inotify_watcher::state::open() {
  if (notices.is_open())
    return true;
  unique_fd fd{::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)};
  if (!fd) {
    auto error = errno;
    // Said once; it is tried again each time that there is one to watch.
    if (!std::exchange(failed, true))
      spdlog::warn("output is followed by looking every few seconds: {}",
                   std::strerror(error));
    return false;
  }
  notices.assign(fd.get());
  static_cast<void>(fd.release());
  failed = false;
  read();
  return true;
}

void inotify_watcher::state::read() {
  notices.async_read_some(
    asio::buffer(buffer),
    [weak = weak_from_this()](const error_code& error, std::size_t size) {
      auto self = weak.lock();
      if (!self || error)
        return;
      self->take(size);
      self->read();
    });
}

void inotify_watcher::state::take(std::size_t size) {
  std::set<int> rung; // each once, however much was written
  for (std::size_t at = 0; at + sizeof(inotify_event) <= size;) {
    inotify_event event;
    std::memcpy(&event, buffer.data() + at, sizeof event);
    at += sizeof event + event.len;
    if ((event.mask & IN_Q_OVERFLOW) != 0) {
      ring_all();
      return;
    }
    if ((event.mask & IN_IGNORED) != 0)
      listeners.erase(event.wd);
    else
      rung.insert(event.wd);
  }
  for (auto watch : rung)
    ring(watch);
}

void inotify_watcher::state::ring(int watch) {
  auto found = listeners.find(watch);
  if (found == listeners.end())
    return;
  // Who is told may leave, or bring another.
  std::vector<std::weak_ptr<log_listener>> told;
  for (auto one : found->second)
    told.push_back(one->listener);
  for (auto& one : told)
    if (auto listener = one.lock())
      run_guarded([&] { listener->rang(); },
                  [](const char* why) {
                    spdlog::error("following an exec's output failed: {}", why);
                  });
}

void inotify_watcher::state::drop(const subscription& one) {
  auto found = listeners.find(one.watch);
  if (found == listeners.end())
    return;
  std::erase(found->second, &one);
  if (!found->second.empty())
    return;
  listeners.erase(found);
  ::inotify_rm_watch(notices.native_handle(), one.watch);
}

inotify_watcher::subscription::~subscription() {
  if (auto all = of.lock())
    all->drop(*this);
}

void inotify_watcher::state::ring_all() {
  std::vector<int> all;
  for (auto& [watch, who] : listeners)
    all.push_back(watch);
  for (auto watch : all)
    ring(watch);
}

inotify_watcher::inotify_watcher(http::loop& home)
  : state_(std::make_shared<state>(home)) {}

inotify_watcher::~inotify_watcher() = default;

std::shared_ptr<void>
inotify_watcher::add(const std::filesystem::path& dir,
                     std::weak_ptr<log_listener> listener) {
  auto& s = *state_;
  if (!s.open())
    return nullptr;
  auto watch =
    ::inotify_add_watch(s.notices.native_handle(), dir.c_str(), wanted);
  if (watch < 0)
    return nullptr;
  auto result =
    std::make_shared<subscription>(state_, watch, std::move(listener));
  s.listeners[watch].push_back(result.get());
  return result;
}

} // namespace greenroom::http
