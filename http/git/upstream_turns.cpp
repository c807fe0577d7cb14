#include "http/git/upstream_turns.hpp"

#include "messages/errors.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <utility>

namespace greenroom::http::git_http {

// In the coroutine that waits.
struct upstream_turns::waiter {
  upstream_turns& of;
  const std::string& project;
  asio::steady_timer timer;
  bool granted = false;

  waiter(upstream_turns& all, const std::string& whose, asio::io_context& loop)
    : of(all), project(whose), timer(loop, all.timeout_) {
    of.projects_[project].queue.push_back(this);
  }
  waiter(const waiter&) = delete;
  waiter& operator=(const waiter&) = delete;
  ~waiter() {
    if (granted)
      return;
    std::erase(of.projects_[project].queue, this);
    of.drop_unused(project);
  }
};

asio::awaitable<std::unique_ptr<upstream_turns::turn>>
upstream_turns::wait(asio::io_context& loop, std::string project) {
  auto& mine = projects_[project];
  if (!closed_ && mine.taken < each_) {
    ++mine.taken;
  } else {
    waiter me{*this, project, loop};
    boost::system::error_code ended;
    auto how = asio::redirect_error(asio::use_awaitable, ended);
    if (!closed_)
      co_await me.timer.async_wait(how);
    if (!me.granted && closed_)
      throw refused{errc::unavailable,
                    "the server stops, try again in a moment"};
    if (!me.granted)
      throw refused{errc::overloaded,
                    "the project's upstream is busy with other transfers, "
                    "try again"};
  }
  auto result = std::make_unique<turn>(*this, project);
  co_return result;
}

void upstream_turns::give_back(const std::string& project) {
  auto& its = projects_[project];
  --its.taken;
  if (!closed_ && !its.queue.empty()) {
    auto* next = its.queue.front();
    its.queue.pop_front();
    next->granted = true;
    ++its.taken;
    next->timer.cancel();
  }
  drop_unused(project);
}

void upstream_turns::drop_unused(const std::string& project) {
  auto its = projects_.find(project);
  if (its->second.taken == 0 && its->second.queue.empty())
    projects_.erase(its);
}

void upstream_turns::close() {
  closed_ = true;
  for (auto& [project, its] : projects_)
    for (auto* one : its.queue)
      one->timer.cancel();
}

} // namespace greenroom::http::git_http
