#include "http/proxy/actor_ports.hpp"

#include "messages/errors.hpp"
#include "messages/ports.hpp"

#include <boost/asio/async_result.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <caf/expected.hpp>
#include <nlohmann/json.hpp>

#include <array>
#include <memory>
#include <utility>

namespace greenroom::http::proxy {

namespace {

using std::chrono::milliseconds;

constexpr milliseconds look_up_timeout{5'000};

/// On top of what a session takes at most to connect.
constexpr milliseconds connect_slack{1'500};

/// What is known of a session is asked again after this long.
constexpr milliseconds fresh{1'000};

constexpr std::size_t max_known = 4096;

/// The bridge's question as something to wait for. Throws refused.
template <class Reply, class Handle, class Message>
asio::awaitable<Reply> ask(http::bridge& bridge, Handle whom, Message message,
                           milliseconds timeout) {
  if (bridge.full())
    throw refused{errc::overloaded, "too much is going on, try again"};
  auto start = [&](auto handler) {
    auto shared = std::make_shared<decltype(handler)>(std::move(handler));
    bridge.ask<Reply>(
      whom, timeout, std::move(message),
      [shared](const Reply& reply) { (*shared)(caf::expected<Reply>{reply}); },
      [shared](const caf::error& error) {
        (*shared)(caf::expected<Reply>{error});
      });
  };
  auto reply = co_await asio::async_initiate<const asio::use_awaitable_t<>&,
                                             void(caf::expected<Reply>)>(
    start, asio::use_awaitable);
  if (!reply) {
    auto why = to_refusal(reply.error());
    throw refused{why.code, why.message};
  }
  co_return std::move(*reply);
}

session_info info_from(std::string_view text) {
  auto all = nlohmann::json::parse(text);
  session_info result;
  result.project_id = all.at("project_id");
  std::string status = all.at("status");
  for (auto last : {"ended", "expired", "terminated", "failed"})
    if (status == last)
      result.over = status;
  return result;
}

} // namespace

asio::awaitable<session_actor> actor_ports::find(std::string session_id) {
  find_session wanted{{}, std::move(session_id)};
  auto found =
    co_await ask<session_actor>(bridge_, directory_, wanted, look_up_timeout);
  co_return found;
}

asio::awaitable<session_info> actor_ports::look_up(std::string session_id) {
  const auto now = std::chrono::steady_clock::now();
  auto known = known_.find(session_id);
  if (known != known_.end() && now - known->second.asked < fresh)
    co_return known->second.info;
  // By the directory each time: a session that has crashed, or gone to sleep,
  // has another actor.
  auto handle = co_await find(session_id);
  auto view =
    co_await ask<session_view>(bridge_, handle, get_session{}, look_up_timeout);
  auto info = info_from(view.json.view());
  if (known_.size() >= max_known)
    known_.clear();
  known_[session_id] = {handle, info, now};
  co_return info;
}

asio::awaitable<unique_fd> actor_ports::connect(std::string session_id,
                                                std::uint16_t port) {
  // Not by the conditional operator: with a co_await in one branch, GCC 12
  // destroys the other branch's copy once too often.
  session_actor handle;
  if (auto known = known_.find(session_id); known != known_.end())
    handle = known->second.handle;
  else
    handle = co_await find(session_id);
  connect_port wanted{port};
  port_connection made;
  try {
    made = co_await ask<port_connection>(bridge_, handle, wanted,
                                         milliseconds{connect_port_timeout}
                                           + connect_slack);
  } catch (const refused&) {
    known_.erase(session_id); // it may have another actor by now
    throw;
  }
  unique_fd socket{made.socket.take()};
  if (!socket)
    throw refused{errc::unavailable, "the connection into the session is gone"};
  co_return socket;
}

} // namespace greenroom::http::proxy
