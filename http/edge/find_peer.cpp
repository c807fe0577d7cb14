#include "http/edge/find_peer.hpp"

#include "http/edge/await_answer.hpp"
#include "messages/errors.hpp"

#include <algorithm>

namespace greenroom::http {

asio::awaitable<std::string> other_node(http::bridge& bridge, const peers& all,
                                        std::string name,
                                        std::chrono::milliseconds timeout) {
  if (name == all.node)
    co_return std::string{};
  list_nodes wanted;
  auto known =
    co_await await_answer<node_list>(bridge, all.member, wanted, timeout);
  auto found = std::ranges::find(known.nodes, name, &node_record::name);
  if (found == known.nodes.end())
    co_return std::string{};
  if (found->state == node_state::down)
    throw refused{errc::conflict, "node " + name
                                    + " is down: others take over what it had "
                                      "by themselves"};
  co_return name;
}

} // namespace greenroom::http
