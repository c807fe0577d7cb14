// The nodes that serve together.
#include "http/api/credentials.hpp"
#include "http/api/fields.hpp"
#include "http/api/handlers.hpp"
#include "http/api/node_handlers.hpp"
#include "http/base/json_body.hpp"
#include "http/edge/ask.hpp"
#include "http/edge/peers.hpp"
#include "messages/moving.hpp"
#include "runtime/api_json/records.hpp"
#include "runtime/base/durations.hpp"
#include "runtime/base/timestamps.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <string>

namespace greenroom::http::handlers {

using greenroom::to_text;
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

ordered_json session_json(const moving_session& one) {
  ordered_json waits_for = nullptr;
  if (!one.waits_for.empty())
    waits_for = one.waits_for;
  return {{"id", one.id},
          {"running_execs", one.running_execs},
          {"waits_for", waits_for}};
}

ordered_json project_json(const moving_project& one) {
  auto sessions = ordered_json::array();
  for (auto& session : one.sessions)
    sessions.push_back(session_json(session));
  ordered_json to = nullptr;
  if (!one.to.empty())
    to = one.to;
  return {{"id", one.project_id}, {"to", to}, {"sessions", sessions}};
}

std::string plan_json(const std::string& node, const drain_plan& plan) {
  auto projects = ordered_json::array();
  for (auto& project : plan.projects)
    projects.push_back(project_json(project));
  ordered_json deadline = nullptr;
  if (plan.deadline != 0)
    deadline = format_rfc3339(plan.deadline);
  return to_text({{"name", node},
                  {"state", to_string(plan.state)},
                  {"deadline", deadline},
                  {"projects", projects}});
}

greenroom::drain_node read_drain(const exchange& ex) {
  greenroom::drain_node result;
  if (ex.in.body.empty())
    return result;
  auto body = parse_object(ex.in.body);
  object_reader fields{body};
  result.dry_run = fields.boolean("dry_run").value_or(false);
  auto deadline = fields.text("deadline");
  fields.done();
  if (!deadline)
    return result;
  auto length = parse_duration(*deadline);
  if (!length || *length <= 0)
    throw refused(errc::bad_request,
                  "deadline must be a valid duration (e.g., 90s, 10m)");
  result.deadline = *length;
  return result;
}

/// No node of a cluster has the name: this one is alone, or there is none.
void refuse_stranger(const exchange_ptr& ex, const std::string& alone) {
  ask<node_list>(ex, ex->env.nodes, ex->env.options.ordinary,
                 greenroom::list_nodes{}, [ex, alone](const node_list& all) {
                   auto& name = ex->params[0];
                   if (std::ranges::find(all.nodes, name, &node_record::name)
                       == all.nodes.end())
                     throw refused(errc::not_found,
                                   "node not found: GET /nodes lists them");
                   throw refused(errc::conflict, alone);
                 });
}

/// Where sessions of all projects go is told, and decided, here.
constexpr std::string_view draining = "draining a node";

/// Asks this node's own member; requests for another have gone there.
template <class Message>
void ask_member(const exchange_ptr& ex, const Message& what,
                const std::string& alone) {
  auto& others = ex->env.others;
  if (!others || others->node != ex->params[0])
    return refuse_stranger(ex, alone);
  ask<drain_plan>(ex, full_member(*others), ex->env.options.ordinary, what,
                  [ex](const drain_plan& plan) {
                    ex->reply(200, plan_json(ex->params[0], plan));
                  });
}

} // namespace

void drain_node(const exchange_ptr& ex) {
  check_unlimited(*ex->key, draining);
  ask_member(ex, read_drain(*ex),
             "node " + ex->params[0]
               + " is alone, so there is no other to take what it has; see "
                 "several nodes in the README");
}

void resume_node(const exchange_ptr& ex) {
  check_unlimited(*ex->key, draining);
  ask_member(ex, greenroom::resume_node{},
             "node " + ex->params[0] + " is alone, so it is never drained");
}

void list_nodes(const exchange_ptr& ex) {
  query_params query{ex->in.query};
  ask<node_list>(
    ex, ex->env.nodes, ex->env.options.ordinary, greenroom::list_nodes{},
    [ex, query = std::move(query)](const node_list& all) {
      std::string next;
      auto shown = page_of(
        all.nodes, query, [](const node_record& n) { return n.name; }, next);
      auto list = ordered_json::array();
      for (auto& node : shown)
        list.push_back(node_json(node));
      ex->reply(200, list_json("nodes", list.dump(), next));
    });
}

} // namespace greenroom::http::handlers
