#include "actors/runner_link/link.hpp"

#include "actors/runner_link/loop.hpp"
#include "runtime/base/guarded.hpp"

#include <spdlog/spdlog.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstring>
#include <system_error>
#include <utility>

namespace greenroom {

runner_link::loop::loop(runner_link_options options)
  : options_(std::move(options)), poll_(::epoll_create1(EPOLL_CLOEXEC)),
    wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
    reaper_([this](const auto& ids) {
      for (auto& id : ids)
        post(id, [this, id] { reaped(id); });
    }) {
  if (!poll_ || !wake_)
    throw std::system_error(errno, std::generic_category(), "epoll");
  watch(wake_.get(), EPOLLIN, EPOLL_CTL_ADD);
  thread_ = std::thread{[this] { run(); }};
}

runner_link::loop::~loop() {
  post({}, [this] { stopped_ = true; });
  thread_.join();
}

void runner_link::loop::post(const std::string& id,
                             std::function<void()> task) {
  {
    std::lock_guard guard{mutex_};
    tasks_.push_back({id, std::move(task)});
  }
  std::uint64_t one = 1;
  [[maybe_unused]] auto written = ::write(wake_.get(), &one, sizeof one);
}

// -- the loop -----------------------------------------------------------------

void runner_link::loop::run() {
  // A command that has closed its input is told by EPIPE.
  ::sigset_t pipe;
  ::sigemptyset(&pipe);
  ::sigaddset(&pipe, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &pipe, nullptr);
  std::array<::epoll_event, 64> events;
  while (!stopped_) {
    auto count =
      ::epoll_wait(poll_.get(), events.data(), events.size(), next_timeout());
    if (count < 0 && errno != EINTR) {
      spdlog::critical("epoll_wait: {}", std::strerror(errno));
      std::abort();
    }
    for (int i = 0; i < count; ++i)
      on_event(events[static_cast<std::size_t>(i)]);
    check_deadlines();
  }
  while (!links_.empty())
    drop(std::string{links_.begin()->first});
}

void runner_link::loop::on_event(const ::epoll_event& event) {
  if (event.data.fd == wake_.get()) {
    run_tasks();
    return;
  }
  auto found = owners_.find(event.data.fd);
  if (found == owners_.end())
    return;
  auto [id, exec_id] = found->second;
  on_behalf_of(id, [&, id = id, exec_id = exec_id] {
    auto& entry = links_.at(id);
    if (!exec_id.empty()) {
      pump_input(id, exec_id);
      return;
    }
    if (entry.starter) {
      starter_done(id, entry);
      return;
    }
    if ((event.events & EPOLLOUT) != 0)
      flush(entry);
    receive(id);
  });
}

// An exception costs the link that it came from, never the thread: all other
// sessions hang on it.
void runner_link::loop::on_behalf_of(const std::string& id,
                                     const std::function<void()>& task) {
  std::string problem;
  auto report = [&](const char* why) {
    problem = why;
    spdlog::error("session {}: runner: {}", id, why);
  };
  if (!run_guarded(task, report) && !id.empty())
    run_guarded([&] { down(id, problem); }, report);
}

void runner_link::loop::run_tasks() {
  std::uint64_t count = 0;
  [[maybe_unused]] auto got = ::read(wake_.get(), &count, sizeof count);
  std::vector<posted> tasks;
  {
    std::lock_guard guard{mutex_};
    tasks.swap(tasks_);
  }
  for (auto& next : tasks)
    on_behalf_of(next.id, next.run);
}

// A runner that does not answer in time is as good as dead.
void runner_link::loop::expect_by(const std::string& id, link& entry,
                                  clock::duration timeout) {
  entry.deadline = clock::now() + timeout;
  timed_.insert(id);
}

int runner_link::loop::next_timeout() const {
  auto next = clock::time_point::max();
  for (auto& id : timed_)
    next = std::min(next, links_.at(id).deadline);
  if (!connecting_.empty())
    next = std::min(next, connecting_.front().deadline);
  if (next == clock::time_point::max())
    return -1;
  auto left = std::chrono::ceil<std::chrono::milliseconds>(next - clock::now());
  return static_cast<int>(std::max<std::int64_t>(left.count(), 0));
}

void runner_link::loop::check_deadlines() {
  std::vector<std::string> late;
  auto now = clock::now();
  for (auto& id : timed_)
    if (links_.at(id).deadline <= now)
      late.push_back(id);
  for (auto& id : late)
    on_behalf_of(id, [this, &id] { too_late(id); });
  while (!connecting_.empty() && connecting_.front().deadline <= now) {
    auto what = std::move(connecting_.front());
    connecting_.pop_front();
    if (auto found = links_.find(what.id); found != links_.end())
      end_connect(found->second, what.ticket,
                  "the session's runner does not answer");
  }
}

void runner_link::loop::too_late(const std::string& id) {
  auto& entry = links_.at(id);
  if (entry.at != phase::retrying) {
    down(id, "the session's runner does not answer");
    return;
  }
  timed_.erase(id);
  entry.at = phase::idle;
  connect(id, entry);
}

void runner_link::loop::watch(int fd, std::uint32_t events, int how) {
  ::epoll_event event{};
  event.events = events;
  event.data.fd = fd;
  if (::epoll_ctl(poll_.get(), how, fd, &event) != 0 && errno != ENOENT)
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
}

// What cannot be watched has no owner.
void runner_link::loop::own(int fd, owner whose, std::uint32_t events) {
  if (!owners_.insert_or_assign(fd, std::move(whose)).second)
    return;
  try {
    watch(fd, events, EPOLL_CTL_ADD);
  } catch (...) {
    owners_.erase(fd);
    throw;
  }
}

// Also takes it out of the poll, where it would stay while anybody else has a
// copy of it.
void runner_link::loop::disown(int fd) {
  if (owners_.erase(fd) > 0)
    watch(fd, 0, EPOLL_CTL_DEL);
}

// -- from any thread ----------------------------------------------------------

std::size_t runner_link::loop::connected() const {
  std::lock_guard guard{mutex_};
  return static_cast<std::size_t>(std::ranges::count_if(
    connections_, [](const auto& item) { return item.second->process != 0; }));
}

std::optional<std::int32_t>
runner_link::loop::process_of(const std::string& id) const {
  std::lock_guard guard{mutex_};
  auto found = connections_.find(id);
  auto process =
    found == connections_.end() ? 0 : found->second->process.load();
  return process == 0 ? std::nullopt : std::optional{process};
}

std::optional<std::int32_t>
runner_link::process_of(const std::string& id) const {
  return loop_->process_of(id);
}

std::size_t runner_link::connected() const {
  return loop_->connected();
}

runner_link::runner_link(runner_link_options options)
  : loop_(std::make_unique<loop>(std::move(options))) {}

runner_link::~runner_link() = default;

void runner_link::attach(const std::string& id, const std::string& mirror,
                         runner_user_actor user, bool start) {
  loop_->post(id, [this, id, mirror, user = std::move(user), start] {
    loop_->attach(id, mirror, user, start);
  });
}

bool runner_link::send(const std::string& id,
                       const runner::node_message& message) {
  return loop_->send(id, message);
}

std::function<bool(const runner::node_message&)>
runner_link::line_of(const std::string& id) {
  return loop_->line_of(id);
}

void runner_link::stop(const std::string& id, runner_user_actor user) {
  loop_->post(id,
              [this, id, user = std::move(user)] { loop_->stop(id, user); });
}

void runner_link::write(const std::string& id, const std::string& exec_id,
                        std::uint64_t ticket, shared_text data, bool eof) {
  loop_->post(
    id, [this, x = loop::input_request{id, exec_id, ticket, std::move(data),
                                       eof}] { loop_->feed(x); });
}

void runner_link::resize(const std::string& id, const std::string& exec_id,
                         std::uint64_t ticket, std::uint16_t rows,
                         std::uint16_t cols) {
  loop_->post(id, [this, x = loop::input_request{
                           id, exec_id, ticket, {}, false, rows, cols}] {
    loop_->feed(x);
  });
}

void runner_link::connect(const std::string& id, runner_user_actor user,
                          std::uint64_t ticket, std::uint16_t port) {
  loop_->post(id, [this, id, user = std::move(user), ticket, port] {
    loop_->connect_port(id, user, ticket, port);
  });
}

} // namespace greenroom
