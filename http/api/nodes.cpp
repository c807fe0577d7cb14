// The nodes that serve together.
#include "http/api/fields.hpp"
#include "http/api/handlers.hpp"
#include "http/edge/ask.hpp"
#include "runtime/api_json/records.hpp"

#include <nlohmann/json.hpp>

#include <cmath>

namespace greenroom::http::handlers {

using ordered_json = nlohmann::ordered_json;

namespace {

ordered_json node_json(const node_record& node) {
  return {{"name", node.name},
          {"state", to_string(node.state)},
          {"reachable", node.reachable},
          {"version", node.version},
          {"incarnation", node.incarnation},
          {"labels", node.labels},
          {"sessions", node.sessions},
          {"load", std::round(node.load * 100) / 100}};
}

} // namespace

void list_nodes(const exchange_ptr& ex) {
  ask<node_list>(ex, ex->env.nodes, ex->env.options.ordinary,
                 greenroom::list_nodes{}, [ex](const node_list& all) {
                   auto list = ordered_json::array();
                   for (auto& node : all.nodes)
                     list.push_back(node_json(node));
                   ex->reply(200, list_json("nodes", list.dump(), {}));
                 });
}

} // namespace greenroom::http::handlers
