#include "http/edge/peers.hpp"

#include "http/edge/await_answer.hpp"
#include "http/edge/loop.hpp"
#include "messages/errors.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <caf/actor_cast.hpp>

#include <mutex>
#include <utility>

namespace greenroom::http {

namespace {

/// Connecting and greeting have deadlines of their own, which are shorter.
constexpr std::chrono::seconds open_limit{10};

/// Where the connection is put by another thread; the timer is what waits.
struct delivery {
  std::mutex mutex;
  bool done = false;
  unique_fd socket;
  std::string why;
  asio::steady_timer* timer = nullptr; // on the loop's thread only
};

} // namespace

bool is_of_peer(const peers* all, int accepted) {
  return all != nullptr && all->arriving && all->arriving->take(accepted);
}

full_member_actor full_member(const peers& all) {
  return caf::actor_cast<full_member_actor>(all.member);
}

asio::awaitable<whereabouts> other_owner(http::bridge& bridge, const peers& all,
                                         std::string project_id,
                                         std::string session_id,
                                         std::chrono::milliseconds timeout) {
  find_owner what{std::move(project_id), std::move(session_id)};
  auto owner =
    co_await await_answer<owner_record>(bridge, all.member, what, timeout);
  co_return whereabouts{owner.node == all.node ? "" : owner.node, owner.epoch};
}

asio::awaitable<unique_fd> open_peer(std::shared_ptr<http::loop> home,
                                     const peers& all, std::string node,
                                     std::string service) {
  auto box = std::make_shared<delivery>();
  asio::steady_timer timer{home->context(), open_limit};
  box->timer = &timer;
  all.open(node, service,
           [box, life = std::weak_ptr{home}](unique_fd socket,
                                             const std::string& why) {
             {
               std::lock_guard lock{box->mutex};
               box->done = true;
               box->socket = std::move(socket);
               box->why = why;
             }
             if (auto living = life.lock())
               living->post([box] {
                 if (box->timer != nullptr)
                   box->timer->cancel();
               });
           });
  error_code ignored;
  co_await timer.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  box->timer = nullptr;
  std::lock_guard lock{box->mutex};
  if (!box->done)
    throw refused{errc::unavailable,
                  "node " + node + " cannot be reached: no answer"};
  if (!box->socket)
    throw refused{errc::unavailable, box->why};
  co_return std::move(box->socket);
}

} // namespace greenroom::http
