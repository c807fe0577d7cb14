#include "http/api/owner.hpp"

#include "http/api/routes.hpp"
#include "http/edge/find_peer.hpp"
#include "http/edge/loop.hpp"
#include "http/edge/peers.hpp"
#include "http/edge/thread_context.hpp"
#include "http/streams/forwarded_request.hpp"
#include "messages/errors.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include <string>

namespace greenroom::http {

namespace {

asio::awaitable<void> decide(exchange_ptr ex) {
  auto all = ex->env.others;
  auto of_node = ex->route->pattern.starts_with("/nodes/{name}");
  auto of_session = ex->route->pattern.find("/{sid}") != std::string_view::npos;
  const auto first = ex->params[0]; // a project, or the node itself
  const auto session_id = of_session ? ex->session_id() : std::string{};
  const auto patience = ex->env.options.look_up;
  std::string owner;
  refusal why;
  try {
    if (of_node)
      owner = co_await other_node(ex->env.bridge, *all, first, patience);
    else
      owner =
        co_await other_owner(ex->env.bridge, *all, first, session_id, patience);
    if (!owner.empty() && came_from_peer(ex->id))
      refuse_moved(owner);
    if (!owner.empty())
      forward_request(ex, all, owner);
  } catch (const refused& e) {
    // That there is none is for the handler to say.
    if (e.code() != errc::not_found)
      why = {e.code(), e.what()};
  }
  if (!why.message.empty())
    ex->refuse(why);
  else if (owner.empty())
    handle_here(ex);
}

} // namespace

void handle_on_owner(const exchange_ptr& ex) {
  asio::co_spawn(ex->env.loop.context(), decide(ex), asio::detached);
}

} // namespace greenroom::http
