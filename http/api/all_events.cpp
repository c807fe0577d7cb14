// GET /events: the events of several sessions on one connection.
#include "http/api/fields.hpp"
#include "http/api/handlers.hpp"
#include "http/base/parse.hpp"
#include "http/edge/node_monitor.hpp"
#include "http/edge/thread_context.hpp"
#include "http/streams/sessions_stream.hpp"
#include "messages/errors.hpp"
#include "messages/ids.hpp"
#include "messages/webhooks.hpp"
#include "runtime/auth/scopes.hpp"

#include <memory>

namespace greenroom::http::handlers {

namespace {

/// A list with commas between.
std::vector<std::string> list_of(std::string_view text) {
  std::vector<std::string> result;
  while (!text.empty()) {
    auto comma = text.find(',');
    result.emplace_back(text.substr(0, comma));
    text.remove_prefix(comma == text.npos ? text.size() : comma + 1);
  }
  return result;
}

std::vector<std::string> read_projects(const exchange& ex,
                                       const query_params& query) {
  auto result = list_of(query.text("project"));
  for (auto& id : result) {
    if (!is_project_id(id))
      refuse("project: \"" + id.substr(0, 100) + "\" is no project id");
    if (!allows_project(*ex.key, id))
      throw refused(errc::not_found, "project not found");
  }
  // A key that is limited to projects sees what happens in those.
  return result.empty() ? ex.key->projects : result;
}

std::vector<std::string> read_sessions(const query_params& query) {
  auto result = list_of(query.text("session"));
  for (auto& id : result)
    if (!is_id(id))
      refuse("session: \"" + id.substr(0, 100) + "\" is no session id");
  if (result.size() > max_sessions_of_cursor)
    refuse("session: a stream has at most "
           + std::to_string(max_sessions_of_cursor) + " sessions");
  return result;
}

sessions_watch read_watch(const exchange& ex) {
  query_params query{ex.in.query};
  sessions_watch result;
  result.projects = read_projects(ex, query);
  result.sessions = read_sessions(query);
  result.filter =
    read_filter(query, webhook_disabled, sessions_watch::of_webhooks);
  if (auto from = query.text("from"); from == "earliest")
    result.earliest = true;
  else if (!from.empty() && from != "now")
    refuse("from must be earliest or now");
  // A header of the client's own may have been joined with its latest.
  auto sent = ex.in.last_event_id;
  sent = trimmed(sent.substr(sent.rfind(',') + 1));
  if (!sent.empty())
    result.resumed = parse_sessions_cursor("Last-Event-ID", sent);
  else if (auto id = query.get("last_event_id"))
    result.resumed = parse_sessions_cursor("last_event_id", *id);
  return result;
}

} // namespace

void watch_all_events(const exchange_ptr& ex) {
  auto what = read_watch(*ex);
  if (!ex->env.monitor.operations)
    throw refused(errc::unavailable, "this server knows no list of sessions");
  if (ex->in.head) {
    response head;
    head.content_type = "text/event-stream";
    ex->send(std::move(head));
    return;
  }
  ex->env.streams.admit(*ex);
  std::make_shared<sessions_stream>(ex, std::move(what))->begin();
}

} // namespace greenroom::http::handlers
