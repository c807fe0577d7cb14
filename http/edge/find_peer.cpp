#include "http/edge/find_peer.hpp"

#include "http/edge/bridge.hpp"
#include "messages/errors.hpp"

#include <boost/asio/async_result.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <caf/expected.hpp>

#include <algorithm>
#include <memory>
#include <utility>

namespace greenroom::http {

namespace {

using answer = caf::expected<node_list>;

asio::awaitable<answer> ask_nodes(http::bridge& bridge, const peers& all,
                                  std::chrono::milliseconds timeout) {
  auto start = [&](auto handler) {
    auto shared = std::make_shared<decltype(handler)>(std::move(handler));
    bridge.ask<node_list>(
      all.member, timeout, list_nodes{},
      [shared](const node_list& nodes) { (*shared)(answer{nodes}); },
      [shared](const caf::error& error) { (*shared)(answer{error}); });
  };
  co_return co_await asio::async_initiate<const asio::use_awaitable_t<>&,
                                          void(answer)>(start,
                                                        asio::use_awaitable);
}

} // namespace

asio::awaitable<std::string> other_node(http::bridge& bridge, const peers& all,
                                        std::string name,
                                        std::chrono::milliseconds timeout) {
  if (name == all.node)
    co_return std::string{};
  if (bridge.full())
    throw refused{errc::overloaded, "too much is going on, try again"};
  auto nodes = co_await ask_nodes(bridge, all, timeout);
  if (!nodes) {
    auto why = to_refusal(nodes.error());
    throw refused{why.code, why.message};
  }
  auto found = std::ranges::find(nodes->nodes, name, &node_record::name);
  if (found == nodes->nodes.end())
    co_return std::string{};
  if (found->state == node_state::down)
    throw refused{errc::conflict, "node " + name
                                    + " is down: others take over what it had "
                                      "by themselves"};
  co_return name;
}

} // namespace greenroom::http
