#include "http/edge/peers.hpp"

#include "http/edge/bridge.hpp"
#include "http/edge/loop.hpp"
#include "messages/errors.hpp"

#include <boost/asio/async_result.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <caf/expected.hpp>

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

asio::awaitable<caf::expected<owner_record>>
ask_owner(http::bridge& bridge, const peers& all, find_owner what,
          std::chrono::milliseconds timeout) {
  using reply = caf::expected<owner_record>;
  auto start = [&](auto handler) {
    auto shared = std::make_shared<decltype(handler)>(std::move(handler));
    bridge.ask<owner_record>(
      all.member, timeout, std::move(what),
      [shared](const owner_record& owner) { (*shared)(reply{owner}); },
      [shared](const caf::error& error) { (*shared)(reply{error}); });
  };
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>&,
                                          void(reply)>(start,
                                                       asio::use_awaitable);
}

} // namespace

asio::awaitable<whereabouts> other_owner(http::bridge& bridge, const peers& all,
                                         std::string project_id,
                                         std::string session_id,
                                         std::chrono::milliseconds timeout) {
  if (bridge.full())
    throw refused{errc::overloaded, "too much is going on, try again"};
  find_owner what{std::move(project_id), std::move(session_id)};
  auto owner = co_await ask_owner(bridge, all, std::move(what), timeout);
  if (!owner) {
    auto why = to_refusal(owner.error());
    throw refused{why.code, why.message};
  }
  co_return whereabouts{owner->node == all.node ? "" : owner->node,
                        owner->epoch};
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
