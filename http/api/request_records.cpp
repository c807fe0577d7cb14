#include "http/api/request_records.hpp"

#include "http/api/routes.hpp"
#include "http/edge/loop.hpp"
#include "http/edge/node_monitor.hpp"
#include "http/edge/thread_context.hpp"
#include "messages/ids.hpp"

#include <spdlog/spdlog.h>

namespace greenroom::http {

namespace {

constexpr std::string_view input_route =
  "/projects/{id}/sessions/{sid}/execs/{eid}/stdin";

/// How long a piece of an input may wait for others.
constexpr std::chrono::milliseconds input_pause{60'000};

bool changes(const route& what) noexcept {
  return what.verb != verb::get || what.who == access::change_session;
}

/// What stands between `prefix`, at the beginning, and the next quote.
std::string_view quoted_after(std::string_view text,
                              std::string_view prefix) noexcept {
  if (!text.starts_with(prefix))
    return {};
  text.remove_prefix(prefix.size());
  auto end = text.find('"');
  return end == text.npos ? std::string_view{} : text.substr(0, end);
}

verb verb_named(std::string_view method) noexcept {
  for (auto known : {verb::get, verb::post, verb::put, verb::patch, verb::del})
    if (to_string(known) == method)
      return known;
  return method == "HEAD" ? verb::get : verb::other;
}

/// Strangers write into a path what they like.
std::string sane(const std::string& id) {
  return is_exec_id(id) ? id : std::string{};
}

void add_path(audit_entry& entry, const exchange& ex) {
  auto pattern = ex.route->pattern;
  std::size_t next = 0;
  if (pattern.starts_with("/projects/{id}")) {
    if (is_project_id(ex.params[0]))
      entry.project_id = ex.params[0];
    next = 1;
  }
  if (pattern.starts_with("/projects/{id}/sessions/{sid}")) {
    entry.session_id = sane(ex.params[1]);
    next = 2;
  }
  // Of a port and its link, the link.
  for (; next < ex.params.size(); ++next)
    if (auto id = sane(ex.params[next]); !id.empty())
      entry.object = std::move(id);
}

std::size_t index_of(const route* which) noexcept {
  return which == nullptr ? routes().size()
                          : static_cast<std::size_t>(which - routes().data());
}

} // namespace

std::string_view made_id(std::string_view body) noexcept {
  auto id = quoted_after(body, R"({"data":{"id":")");
  return id.empty() ? quoted_after(body, R"({"data":{"exec_id":")") : id;
}

bool ends_input(std::string_view body) noexcept {
  auto data = body.substr(0, body.find('}'));
  return data.find(R"("eof":true)") != data.npos;
}

std::string_view error_code(std::string_view body) noexcept {
  return quoted_after(body, R"({"error":{"code":")");
}

audit_entry audit_of(const exchange& ex, int status, std::string_view body) {
  audit_entry entry;
  if (ex.route == nullptr || !changes(*ex.route))
    return entry;
  entry.id = make_id();
  entry.time = now_ms();
  entry.node = ex.env.monitor.node;
  if (ex.key != nullptr) {
    entry.key_id = ex.key->id;
    entry.key_name = ex.key->name;
  }
  entry.address = ex.address();
  entry.request_id = ex.id;
  entry.method = ex.in.method;
  entry.route = ex.route->pattern;
  add_path(entry, ex);
  if (entry.object.empty() && status < 300)
    entry.object = made_id(body);
  entry.status = static_cast<std::uint16_t>(status);
  entry.code = error_code(body);
  return entry;
}

void request_records::answered(const exchange& ex, int status,
                               std::string_view body,
                               std::chrono::nanoseconds taken) {
  counts_.add(index_of(ex.route), status, taken);
  if (ex.served_elsewhere)
    return;
  auto entry = audit_of(ex, status, body);
  if (entry.method.empty())
    return;
  if (status == 200 && ex.route->pattern == input_route)
    add_input(std::move(entry), ex.in.body.size(), ends_input(body));
  else
    trail_.add(std::move(entry));
}

void request_records::add_input(audit_entry entry, std::size_t bytes,
                                bool ends) {
  for (auto& one : inputs_.add(std::move(entry), bytes, ends))
    trail_.add(std::move(one));
  look_at_inputs();
}

void request_records::look_at_inputs() {
  if (inputs_.empty() || std::exchange(looking_, true))
    return;
  env_.loop.after(input_pause, [this] {
    looking_ = false;
    write_inputs();
    look_at_inputs();
  });
}

void request_records::write_inputs() {
  for (auto& one : inputs_.take_waiting())
    trail_.add(std::move(one));
}

void request_records::flush() {
  write_inputs();
  trail_.flush();
}

void request_records::refused_unread(const unread_request& what) {
  const auto path =
    std::string_view{what.target}.substr(0, what.target.find('?'));
  auto where = find_route(verb_named(what.method), path);
  counts_.add(index_of(where.found), what.status, {});
  if (where.found == nullptr || !changes(*where.found) || what.status != 401)
    return;
  audit_entry entry;
  entry.id = make_id();
  entry.time = now_ms();
  entry.node = env_.monitor.node;
  entry.address = what.address;
  entry.request_id = what.id;
  entry.method = what.method;
  entry.route = where.found->pattern;
  if (where.found->pattern.starts_with("/projects/{id}")
      && is_project_id(where.params[0]))
    entry.project_id = where.params[0];
  if (where.found->pattern.starts_with("/projects/{id}/sessions/{sid}")
      && is_id(where.params[1]))
    entry.session_id = where.params[1];
  entry.status = static_cast<std::uint16_t>(what.status);
  entry.code = code_name(errc::unauthorized);
  trail_.add(std::move(entry));
}

} // namespace greenroom::http
