#include "http/api/routes.hpp"

#include "http/api/credentials.hpp"
#include "http/api/handlers.hpp"
#include "http/api/idempotency.hpp"
#include "http/api/node_handlers.hpp"
#include "http/api/owner.hpp"
#include "http/api/webhooks.hpp"
#include "http/base/json_body.hpp"
#include "http/base/limit_reached.hpp"
#include "http/base/own_names.hpp"
#include "http/base/parse.hpp"
#include "http/base/ticket.hpp"
#include "http/edge/ask.hpp"
#include "http/edge/thread_context.hpp"
#include "messages/errors.hpp"
#include "messages/ids.hpp"
#include "messages/shortage.hpp"
#include "runtime/auth/api_keys.hpp"
#include "runtime/auth/scopes.hpp"
#include "runtime/auth/stream_tickets.hpp"

#include <spdlog/spdlog.h>

#include <vector>

namespace greenroom::http {

namespace {

using enum access;

constexpr bool with_body = true;
constexpr bool no_body = false;
constexpr bool replayed = false;
constexpr bool never_replayed = true;
constexpr bool of_owner = true;

constexpr route table[] = {
  {verb::get, "/sessions", read_session, no_body, handlers::list_all_sessions,
   replayed, "status,feature_slug,created_by,label,limit,cursor"},
  {verb::get, "/events", read_session, no_body, handlers::watch_all_events,
   replayed, "project,session,types,from,last_event_id"},
  {verb::get, "/projects/{id}/sessions", read_session, no_body,
   handlers::list_sessions, replayed,
   "status,feature_slug,created_by,label,limit,cursor"},
  {verb::post, "/projects/{id}/sessions", change_session, with_body,
   handlers::create_session, never_replayed},
  {verb::get, "/projects/{id}/sessions/{sid}", read_session, no_body,
   handlers::get_session},
  {verb::del, "/projects/{id}/sessions/{sid}", admin, no_body,
   handlers::terminate_session},
  {verb::post, "/projects/{id}/sessions/{sid}/discard", change_session,
   with_body, handlers::discard_session},
  {verb::get, "/projects/{id}/kept", admin, no_body, handlers::list_kept,
   replayed, "limit,cursor"},
  {verb::del, "/projects/{id}/sessions/{sid}/kept", admin, no_body,
   handlers::drop_kept},
  // Its body is optional and read leniently, so its handler sees to it.
  {verb::post, "/projects/{id}/sessions/{sid}/checkin", change_session, no_body,
   handlers::checkin_session},
  {verb::post, "/projects/{id}/sessions/{sid}/extend", change_session,
   with_body, handlers::extend_session},
  {verb::post, "/projects/{id}/sessions/{sid}/clone-token", change_session,
   with_body, handlers::rotate_token, never_replayed},
  {verb::post, "/projects/{id}/sessions/{sid}/stream-ticket", read_session,
   with_body, handlers::create_stream_ticket, never_replayed},
  {verb::get, "/projects/{id}/sessions/{sid}/git", read_session, no_body,
   handlers::get_git_state},
  {verb::get, "/projects/{id}/sessions/{sid}/diff", read_session, no_body,
   handlers::get_diff},
  {verb::get, "/projects/{id}/sessions/{sid}/mergeability", read_session,
   no_body, handlers::get_mergeability, replayed, "target"},
  {verb::get, "/projects/{id}/sessions/{sid}/stats", read_session, no_body,
   handlers::get_stats, replayed, "", of_owner},
  {verb::get, "/projects/{id}/sessions/{sid}/wait", read_session, no_body,
   handlers::wait_for_event, replayed, "until,timeout"},
  {verb::get, "/projects/{id}/sessions/{sid}/events", read_session, no_body,
   handlers::watch_events, replayed, "from,exec_id,types,last_event_id,ticket"},
  {verb::get, "/projects/{id}/sessions/{sid}/timeline", read_session, no_body,
   handlers::get_timeline, replayed, "types,exec_id,limit,cursor"},
  {verb::post, "/projects/{id}/sessions/{sid}/exec", change_session, with_body,
   handlers::start_exec},
  {verb::get, "/projects/{id}/sessions/{sid}/execs", read_session, no_body,
   handlers::list_execs, replayed, "limit,cursor"},
  {verb::get, "/projects/{id}/sessions/{sid}/execs/{eid}", read_session,
   no_body, handlers::get_exec},
  {verb::del, "/projects/{id}/sessions/{sid}/execs/{eid}", change_session,
   no_body, handlers::cancel_exec},
  {verb::get, "/projects/{id}/sessions/{sid}/execs/{eid}/output", read_session,
   no_body, handlers::get_output, replayed, "stream,from,follow,ticket",
   of_owner},
  {verb::get, "/projects/{id}/sessions/{sid}/execs/{eid}/attach", read_session,
   no_body, handlers::attach, replayed, "from,ticket", of_owner},
  // Its body is raw bytes.
  {verb::post, "/projects/{id}/sessions/{sid}/execs/{eid}/stdin",
   change_session, no_body, handlers::write_stdin, replayed, "eof"},
  {verb::post, "/projects/{id}/sessions/{sid}/execs/{eid}/signal",
   change_session, with_body, handlers::signal_exec},
  {verb::post, "/projects/{id}/sessions/{sid}/execs/{eid}/resize",
   change_session, with_body, handlers::resize_exec},

  {verb::get, "/projects/{id}/sessions/{sid}/ports", read_session, no_body,
   handlers::list_ports, replayed, "", of_owner},
  {verb::put, "/projects/{id}/sessions/{sid}/ports/{port}", change_session,
   with_body, handlers::set_port, replayed, "", of_owner},
  {verb::post, "/projects/{id}/sessions/{sid}/ports/{port}/link",
   change_session, with_body, handlers::create_port_link, never_replayed, "",
   of_owner},
  {verb::del, "/projects/{id}/sessions/{sid}/ports/{port}/links/{lid}",
   change_session, no_body, handlers::delete_port_link, replayed, "", of_owner},
  {verb::get, "/projects/{id}/sessions/{sid}/ports/{port}/tunnel",
   change_session, no_body, handlers::open_tunnel, replayed, "ticket",
   of_owner},

  {verb::get, "/projects/{id}/reviews", read_session, no_body,
   handlers::list_reviews, replayed, "status,limit,cursor"},
  {verb::get, "/projects/{id}/reviews/{rid}", read_session, no_body,
   handlers::get_review},
  {verb::get, "/projects/{id}/reviews/{rid}/diff", read_session, no_body,
   handlers::get_review_diff},
  {verb::get, "/projects/{id}/reviews/{rid}/output", read_session, no_body,
   handlers::get_review_output, replayed, "stream,from,follow", of_owner},
  {verb::post, "/projects/{id}/reviews/{rid}/approve", change_session,
   with_body, handlers::approve_review},
  {verb::post, "/projects/{id}/reviews/{rid}/reject", change_session, with_body,
   handlers::reject_review},
  {verb::post, "/projects/{id}/reviews/{rid}/merge", change_session, with_body,
   handlers::merge_review},

  {verb::get, "/projects", read_projects, no_body, handlers::list_projects,
   replayed, "limit,cursor"},
  {verb::post, "/projects", admin, with_body, handlers::create_project},
  {verb::get, "/projects/{id}", read_projects, no_body, handlers::get_project},
  {verb::patch, "/projects/{id}", admin, with_body, handlers::change_project},
  {verb::del, "/projects/{id}", admin, no_body, handlers::delete_project},

  // Reads of the store, which any node does; the rest is for whoever delivers.
  {verb::get, "/projects/{id}/webhooks", admin, no_body,
   handlers::list_webhooks, replayed, "limit,cursor"},
  {verb::post, "/projects/{id}/webhooks", admin, with_body,
   handlers::create_webhook, replayed, "", of_owner},
  {verb::get, "/projects/{id}/webhooks/{wid}", admin, no_body,
   handlers::get_webhook},
  {verb::patch, "/projects/{id}/webhooks/{wid}", admin, with_body,
   handlers::change_webhook, replayed, "", of_owner},
  {verb::del, "/projects/{id}/webhooks/{wid}", admin, no_body,
   handlers::delete_webhook, replayed, "", of_owner},
  {verb::get, "/projects/{id}/webhooks/{wid}/deliveries", admin, no_body,
   handlers::list_deliveries, replayed, "status,limit,cursor"},
  {verb::post, "/projects/{id}/webhooks/{wid}/redeliver", admin, with_body,
   handlers::redeliver, replayed, "", of_owner},
  {verb::post, "/projects/{id}/webhooks/{wid}/test", admin, with_body,
   handlers::test_webhook, replayed, "", of_owner},

  {verb::get, "/nodes", admin, no_body, handlers::list_nodes, replayed,
   "limit,cursor"},
  {verb::post, "/nodes/{name}/drain", admin, with_body, handlers::drain_node,
   replayed, "", of_owner},
  {verb::del, "/nodes/{name}/drain", admin, no_body, handlers::resume_node,
   replayed, "", of_owner},

  {verb::get, "/keys", admin, no_body, handlers::list_keys, replayed,
   "limit,cursor"},
  {verb::post, "/keys", admin, with_body, handlers::create_key},
  {verb::del, "/keys/{kid}", admin, no_body, handlers::revoke_key},

  {verb::get, "/audit", admin, no_body, handlers::get_audit, replayed,
   "project,session,key,since,format,limit,cursor"},
  {verb::get, "/metrics", access::metrics, no_body, handlers::metrics},

  {verb::get, "/whoami", any_key, no_body, handlers::whoami},

  {verb::post, "/console/login", any_key, no_body, handlers::log_in,
   never_replayed},
  {verb::del, "/console/login", open, no_body, handlers::log_out},
  {verb::get, "/console/{file}", open, no_body, handlers::console_file},
  {verb::get, "/favicon.ico", open, no_body, handlers::icon},

  {verb::get, "/", open, no_body, handlers::index},
  {verb::get, "/docs", open, no_body, handlers::guide},
  {verb::get, "/llms.txt", open, no_body, handlers::guide},
  {verb::get, "/docs/errors", open, no_body, handlers::errors},
  {verb::get, "/healthz", open, no_body, handlers::healthz},
  {verb::get, "/readyz", open, no_body, handlers::readyz},
  {verb::get, "/version", open, no_body, handlers::version},
  {verb::get, "/openapi.json", open, no_body, handlers::openapi},
};

constexpr std::string_view read_session_scopes[] = {"sessions:read",
                                                    "projects:read", "admin"};
constexpr std::string_view change_session_scopes[] = {
  "sessions:execute", "projects:execute", "admin"};
constexpr std::string_view read_projects_scopes[] = {"projects:read", "admin"};
constexpr std::string_view admin_scopes[] = {"admin"};
constexpr std::string_view metrics_scopes[] = {"metrics:read", "admin"};

/// A route's pattern, cut once.
struct cut_route {
  const route* of;
  path_segments pattern;
};

bool is_parameter(std::string_view segment) noexcept {
  return segment.starts_with('{');
}

const std::vector<cut_route>& cut_routes() {
  static const auto result = [] {
    std::vector<cut_route> all;
    for (auto& one : table)
      all.push_back({&one, split_path(one.pattern)});
    return all;
  }();
  return result;
}

bool matches(const path_segments& pattern, const path_segments& path) noexcept {
  if (pattern.count != path.count)
    return false;
  for (std::size_t i = 0; i < path.count; ++i)
    if (is_parameter(pattern.items[i]) ? path.items[i].empty()
                                       : pattern.items[i] != path.items[i])
      return false;
  return true;
}

bool in_project(const route& r) noexcept {
  return r.pattern.starts_with("/projects/{id}");
}

bool in_session(const route& r) noexcept {
  return r.pattern.starts_with("/projects/{id}/sessions/{sid}");
}

bool in_review(const route& r) noexcept {
  return r.pattern.starts_with("/projects/{id}/reviews/{rid}");
}

/// The request's ticket, where its route can be opened by one. It counts alone:
/// no key and no cookie beside it does.
std::string_view usable_ticket(const request& in, const route* to) noexcept {
  auto takes_one = to != nullptr && to->query.ends_with("ticket");
  return takes_one ? ticket_of(in) : std::string_view{};
}

/// Why a request whose key is not known is refused.
std::string why_unknown(const credentials& sent, bool by_ticket) {
  if (by_ticket)
    return "the ticket is over, spent, of another session or of a key that was "
           "revoked: make another one with POST …/stream-ticket";
  if (!sent.secret.empty())
    return "the API key is unknown, expired or revoked";
  return sent.login.empty()
           ? "an API key is needed: send it as Authorization: Bearer KEY or "
             "X-API-Key: KEY"
           : "the login is over, or its key was revoked: log in again";
}

void check_key(exchange& ex) {
  auto sent = credentials_of(ex.in);
  ex.keys = ex.env.keys.snapshot();
  auto ticket = usable_ticket(ex.in, ex.route);
  if (ticket.empty())
    ex.key = find_key(sent, ex.env.keys, *ex.keys);
  else
    ex.key =
      ex.env.keys.tickets().spend(ticket, ex.session_id(), *ex.keys, now_ms());
  if (ex.key == nullptr)
    throw refused(errc::unauthorized, why_unknown(sent, !ticket.empty()));
  // A browser sends a login by itself, whatever page made it ask; only the
  // console's own scripts can add a header of ours to what changes something.
  if (!sent.login.empty() && ex.in.verb != verb::get && ex.in.console.empty())
    throw refused(errc::forbidden,
                  "a login changes something only by requests with the header "
                  "X-Greenroom-Console: 1; scripts send a key instead");
  auto scopes = scopes_for(ex.route->who);
  if (!scopes.empty() && !has_any(*ex.key, scopes)) {
    std::string list;
    for (auto scope : scopes)
      list += (list.empty() ? "" : ", ") + std::string{scope};
    throw refused(errc::forbidden,
                  scopes.size() == 1
                    ? "the API key needs the scope " + list
                    : "the API key needs one of the scopes " + list);
  }
}

void check_project(exchange& ex) {
  if (!in_project(*ex.route))
    return;
  auto session = in_session(*ex.route);
  auto review = in_review(*ex.route);
  auto missing = session  ? "session not found"
                 : review ? "review not found"
                          : "project not found";
  if (!is_project_id(ex.project_id()))
    throw refused(errc::bad_request, "invalid project id");
  if (!allows_project(*ex.key, ex.project_id()))
    throw refused(errc::not_found, missing);
  ex.in_project = true;
  if ((session || review) && !is_id(ex.params[1]))
    throw refused(errc::not_found, missing);
  if (session && !ex.exec_id().empty() && !is_exec_id(ex.exec_id()))
    throw refused(errc::not_found, "exec not found");
}

/// Probes ask for a node's health by whatever address they have of it.
bool is_health(std::string_view path) noexcept {
  return path == "/healthz" || path == "/readyz";
}

/// False where the request names another server, or comes from a page of
/// another one: it is answered then. A page that was given a ticket may be
/// anybody's.
bool is_for_us(const exchange_ptr& ex, const route* to) {
  auto& in = ex->in;
  if (is_health(in.path))
    return true;
  auto origin = usable_ticket(in, to).empty() ? in.origin : std::string_view{};
  auto fault = fault_of_names(ex->env.options,
                              {in.host, origin, in.two_names, in.needs_host});
  if (!fault)
    return true;
  ex->refuse(fault->status == 403 ? errc::forbidden : errc::bad_request,
             std::move(fault->message));
  return false;
}

void check_query(const exchange& ex) {
  if (ex.in.query.empty())
    return;
  auto known = ex.route->query;
  auto name = query_params{ex.in.query}.stranger(known);
  if (!name)
    return;
  auto text = "unknown query parameter \"" + name->substr(0, 100) + "\": ";
  if (known.empty())
    throw refused(errc::bad_request, text + "this route takes none");
  text += "this route takes ";
  for (auto c : known)
    text += c == ',' ? std::string{", "} : std::string{c};
  throw refused(errc::bad_request, text);
}

void check_body(exchange& ex) {
  if (ex.in.body.size() > ex.env.options.max_body)
    throw refused(errc::body_too_large,
                  "the request body is larger than "
                    + std::to_string(ex.env.options.max_body) + " bytes");
  if (ex.route->takes_body && !ex.in.body.empty()
      && !is_json_type(ex.in.content_type))
    throw refused(errc::unsupported_media_type,
                  "the request body must be JSON: send it with Content-Type: "
                  "application/json");
}

void handle(const exchange_ptr& ex) {
  if (ex->route->verb == verb::post && ex->in.idempotency_key.data() != nullptr)
    serve_once(ex);
  else
    ex->route->handle(ex);
}

void serve(const exchange_ptr& ex) {
  auto where = find_route(ex->in.verb, ex->in.path);
  if (!is_for_us(ex, where.found))
    return;
  if (where.found == nullptr) {
    if (where.allow.empty())
      throw refused(errc::not_found, "route not found");
    auto answer =
      error_response({errc::method_not_allowed,
                      "method " + std::string{ex->in.method}
                        + " is not allowed here, use " + where.allow},
                     ex->id, now_ms());
    answer.headers.emplace_back("Allow", where.allow);
    ex->send(std::move(answer));
    return;
  }
  ex->route = where.found;
  // What they name is told of those who are refused, too.
  auto malformed = false;
  for (std::size_t i = 0; i < where.params.size(); ++i) {
    auto decoded = percent_decode(where.params[i]);
    malformed = malformed || !decoded;
    ex->params[i] = std::move(decoded).value_or("");
  }
  if (ex->route->who != open)
    check_key(*ex);
  if (malformed)
    throw refused(errc::bad_request, "the path is malformed");
  check_project(*ex);
  check_query(*ex);
  check_body(*ex);
  if (ex->route->of_owner && ex->env.others)
    handle_on_owner(ex);
  else
    handle(ex);
}

/// Whatever `work` throws is answered.
void guarded(const exchange_ptr& ex, void (*work)(const exchange_ptr&)) {
  try {
    work(ex);
  } catch (const malformed_body& e) {
    ex->send(
      error_response({e.code(), e.what()}, ex->id, now_ms(), e.details()));
  } catch (const limit_reached& e) {
    handlers::refuse_with(ex, e);
  } catch (const refused& e) {
    auto answer = error_response({e.code(), e.what()}, ex->id, now_ms());
    // A stranger's connection does not stay.
    answer.close = e.code() == errc::unauthorized;
    ex->send(std::move(answer));
  } catch (const std::exception& e) {
    ex->env.log->error("{} failed: {} request={}",
                       ex->route == nullptr ? "routing" : ex->route->pattern,
                       e.what(), ex->id);
    ex->refuse(refusal_of(std::current_exception()));
  }
}

} // namespace

std::span<const std::string_view> scopes_for(access who) noexcept {
  switch (who) {
    case read_session:
      return read_session_scopes;
    case change_session:
      return change_session_scopes;
    case read_projects:
      return read_projects_scopes;
    case admin:
      return admin_scopes;
    case access::metrics:
      return metrics_scopes;
    case open:
    case any_key:
      break;
  }
  return {};
}

std::span<const route> routes() noexcept {
  return table;
}

routed find_route(verb method, std::string_view path) {
  routed result;
  // A slash at the end means the same; the root is one, and no second.
  if (path.size() > 2 && path.ends_with('/'))
    path.remove_suffix(1);
  auto cut = split_path(path);
  if (cut.count == 0)
    return result;
  for (auto& one : cut_routes()) {
    if (!matches(one.pattern, cut))
      continue;
    if (one.of->verb == method) {
      result.found = one.of;
      result.allow.clear();
      std::size_t next = 0;
      for (std::size_t i = 0; i < cut.count; ++i)
        if (is_parameter(one.pattern.items[i]))
          result.params[next++] = cut.items[i];
      return result;
    }
    if (!result.allow.empty())
      result.allow += ", ";
    result.allow += to_string(one.of->verb);
    if (one.of->verb == verb::get)
      result.allow += ", HEAD";
  }
  return result;
}

void dispatch(const exchange_ptr& ex) {
  guarded(ex, serve);
}

void handle_here(const exchange_ptr& ex) {
  guarded(ex, handle);
}

} // namespace greenroom::http
