#include "runtime/peer/hello.hpp"

#include <nlohmann/json.hpp>

namespace greenroom::peer {

namespace {

std::string versions(const hello& x) {
  auto low = std::to_string(x.lowest);
  auto high = std::to_string(x.highest);
  return low == high ? "version " + low : "versions " + low + " to " + high;
}

// Names come from the other side: what is no name is not repeated.
bool is_plain(std::string_view name, std::size_t most) {
  for (auto c : name)
    if (c <= ' ' || c > '~')
      return false;
  return !name.empty() && name.size() <= most;
}

} // namespace

std::string encode(const hello& x) {
  return nlohmann::json{{"lowest", x.lowest},
                        {"highest", x.highest},
                        {"cluster", x.cluster},
                        {"node", x.node},
                        {"incarnation", x.incarnation},
                        {"actor_system", x.actor_system},
                        {"for", x.what == purpose::link ? "link" : "stream"},
                        {"service", x.service},
                        {"window", x.window}}
    .dump();
}

hello decode_hello(std::string_view text) {
  if (text.size() > max_hello)
    throw bad_hello("its hello is too long");
  try {
    auto json = nlohmann::json::parse(text);
    hello result;
    json.at("lowest").get_to(result.lowest);
    json.at("highest").get_to(result.highest);
    json.at("cluster").get_to(result.cluster);
    json.at("node").get_to(result.node);
    json.at("incarnation").get_to(result.incarnation);
    json.at("actor_system").get_to(result.actor_system);
    auto what = json.at("for").get<std::string>();
    if (what != "link" && what != "stream")
      throw bad_hello("its hello asks for something unknown");
    result.what = what == "link" ? purpose::link : purpose::stream;
    result.service = json.value("service", "");
    json.at("window").get_to(result.window);
    if (!is_plain(result.node, 63) || !is_plain(result.incarnation, 64)
        || !is_plain(result.cluster, 128) || result.window == 0
        || (result.what == purpose::stream && !is_plain(result.service, 32)))
      throw bad_hello("its hello names no node");
    return result;
  } catch (const nlohmann::json::exception&) {
    throw bad_hello("its hello cannot be read");
  }
}

std::string objection(const hello& own, const hello& theirs) {
  if (own.highest < theirs.lowest || theirs.highest < own.lowest) {
    auto& older = own.highest < theirs.lowest ? own.node : theirs.node;
    return "node " + own.node + " speaks " + versions(own)
           + " of the link between nodes and node " + theirs.node + " "
           + versions(theirs) + ": upgrade node " + older;
  }
  if (own.cluster != theirs.cluster)
    return "node " + own.node + " is of the cluster " + own.cluster
           + " and node " + theirs.node + " of " + theirs.cluster
           + ": give both the same storage.url";
  if (own.node == theirs.node)
    return "two nodes are named " + own.node
           + ": give each its own node.name and certificate";
  if (own.actor_system == theirs.actor_system)
    return "nodes " + own.node + " and " + theirs.node
           + " cannot be told apart, since their network cards and process "
             "numbers are equal: give their containers different MAC addresses";
  return {};
}

bool dials(std::string_view node, std::string_view other) noexcept {
  return node < other;
}

} // namespace greenroom::peer
