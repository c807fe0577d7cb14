#include "http/api/owner.hpp"

#include "http/api/routes.hpp"
#include "http/base/limit_reached.hpp"
#include "http/edge/ask.hpp"
#include "http/edge/find_peer.hpp"
#include "http/edge/loop.hpp"
#include "http/edge/peers.hpp"
#include "http/edge/thread_context.hpp"
#include "http/streams/forwarded_request.hpp"
#include "messages/errors.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>

namespace greenroom::http {

namespace {

using asio::awaitable;

awaitable<whereabouts> find(const exchange_ptr& ex) {
  auto all = ex->env.others;
  auto of_session = ex->route->pattern.find("/{sid}") != std::string_view::npos;
  const auto first = ex->params[0]; // a project, or the node itself
  const auto session_id = of_session ? ex->session_id() : std::string{};
  const auto timeout = ex->env.options.look_up;
  whereabouts result;
  if (ex->route->pattern.starts_with("/nodes/{name}"))
    result.elsewhere =
      co_await other_node(ex->env.bridge, *all, first, timeout);
  else
    result =
      co_await other_owner(ex->env.bridge, *all, first, session_id, timeout);
  co_return result;
}

void refuse_misled(const exchange_ptr& ex, const whereabouts& owner) {
  auto answer = error_response({errc::unavailable, moved_sentence(owner)},
                               ex->id, now_ms());
  answer.headers.emplace_back(moved_header, moved_value);
  ex->send(std::move(answer));
}

enum class attempt : std::uint8_t { first, last };

void decide_on(const exchange_ptr& ex, attempt which);

awaitable<void> decide(exchange_ptr ex, attempt which) {
  const auto by = ex->of_peer ? passage_of_id(ex->id) : std::nullopt;
  whereabouts owner;
  refusal why;
  try {
    owner = co_await find(ex);
    if (by && is_misled(*by, owner)) {
      refuse_misled(ex, owner);
      co_return;
    }
    if (!owner.elsewhere.empty()) {
      std::function<void(const exchange_ptr&)> moved;
      if (which == attempt::first)
        moved = [](const exchange_ptr& x) { decide_on(x, attempt::last); };
      forward_request(ex, ex->env.others, owner, std::move(moved));
    }
  } catch (const limit_reached& e) {
    handlers::refuse_with(ex, e);
    co_return;
  } catch (const refused& e) {
    // That there is none is for the handler to say.
    if (e.code() != errc::not_found)
      why = {e.code(), e.what()};
  }
  if (!why.message.empty())
    ex->refuse(why);
  else if (owner.elsewhere.empty())
    handle_here(ex);
}

void decide_on(const exchange_ptr& ex, attempt which) {
  asio::co_spawn(ex->env.loop.context(), decide(ex, which), asio::detached);
}

} // namespace

void handle_on_owner(const exchange_ptr& ex) {
  decide_on(ex, attempt::first);
}

} // namespace greenroom::http
