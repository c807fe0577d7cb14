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
  const std::string& session;
  asio::steady_timer timer;
  bool granted = false;

  waiter(upstream_turns& all, const std::string& whose, const std::string& who,
         asio::io_context& loop)
    : of(all), project(whose), session(who), timer(loop, all.timeout_) {
    of.projects_[project].queue.push_back(this);
  }
  waiter(const waiter&) = delete;
  waiter& operator=(const waiter&) = delete;
  ~waiter() {
    std::erase(of.projects_[project].queue, this);
    of.drop_unused(project);
  }
};

asio::awaitable<std::unique_ptr<upstream_turns::turn>>
upstream_turns::wait(asio::io_context& loop, std::string project,
                     std::string session) {
  waiter me{*this, project, session, loop};
  if (!closed_)
    grant(projects_.at(project));
  if (!closed_ && !me.granted) {
    boost::system::error_code ended;
    auto how = asio::redirect_error(asio::use_awaitable, ended);
    co_await me.timer.async_wait(how);
  }
  if (!me.granted && closed_)
    throw refused{errc::unavailable, "the server stops, try again in a moment"};
  if (!me.granted)
    throw refused{errc::overloaded,
                  "the project's upstream is busy with other transfers, "
                  "try again"};
  auto result = std::make_unique<turn>(*this, project, session);
  co_return result;
}

// Whose turns they are.
void upstream_turns::grant(project_turns& its) const {
  auto taken_by = [&its](const waiter* one) {
    auto found = its.of_session.find(one->session);
    return found == its.of_session.end() ? 0 : found->second;
  };
  while (its.taken < each_) {
    auto next = std::ranges::min_element(its.queue, {}, taken_by);
    if (next == its.queue.end()
        || (its.taken + 1 == each_ && taken_by(*next) > 0))
      return;
    auto* one = *next;
    its.queue.erase(next);
    one->granted = true;
    ++its.taken;
    ++its.of_session[one->session];
    one->timer.cancel();
  }
}

void upstream_turns::give_back(const std::string& project,
                               const std::string& session) {
  auto& its = projects_.at(project);
  --its.taken;
  if (auto one = its.of_session.find(session); --one->second == 0)
    its.of_session.erase(one);
  if (!closed_)
    grant(its);
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
