// GET /audit: who changed what, as a list, or all of it as JSON lines.
#include "runtime/api_json/audit.hpp"
#include "http/api/fields.hpp"
#include "http/api/handlers.hpp"
#include "http/edge/ask.hpp"
#include "http/edge/node_monitor.hpp"
#include "http/streams/response_registry.hpp"
#include "messages/errors.hpp"
#include "messages/ids.hpp"
#include "runtime/api_json/records.hpp"
#include "runtime/auth/scopes.hpp"
#include "runtime/base/timestamps.hpp"

#include <nlohmann/json.hpp>

#include <memory>

namespace greenroom::http::handlers {

namespace {

constexpr std::string_view lines = "application/jsonl; charset=utf-8";

query_audit read_query(const exchange& ex, const query_params& query) {
  query_audit result;
  // A key that is limited to projects sees what was done to those.
  result.projects = ex.key->projects;
  if (auto project = query.text("project"); !project.empty()) {
    if (!is_project_id(project))
      refuse("project: \"" + project.substr(0, 100) + "\" is no project id");
    if (!allows_project(*ex.key, project))
      throw refused(errc::not_found, "project not found");
    result.projects = {project};
  }
  result.session_id = query.text("session");
  result.key_id = query.text("key");
  if (auto since = query.text("since"); !since.empty()) {
    auto time = parse_rfc3339(since);
    if (!time)
      refuse("since must be a time, like 2026-01-31T12:00:00Z");
    result.since = *time;
  }
  result.limit = query.limit();
  result.cursor = query.text("cursor");
  return result;
}

/// All that a query finds, page after page: the next one is read when the
/// client has taken the one before.
class audit_export final : public long_response,
                           public std::enable_shared_from_this<audit_export> {
public:
  audit_export(exchange_ptr ex, query_audit what)
    : long_response(*ex), env_(ex->env), what_(std::move(what)),
      ex_(std::move(ex)) {
    what_.limit = 0;
  }

  void begin() {
    if (env_.streams.add(shared_from_this()))
      read();
  }

  // -- long_response --

  void close(closing why) override {
    if (ex_ && !body_)
      ex_->refuse(why_closed(why));
    // A body that is cut off has no end, so nobody takes it for the whole.
    done();
  }
  void tick(clock::time_point) override {}

private:
  void read() {
    if (!ex_)
      return;
    auto self = shared_from_this();
    ask<audit_page>(
      ex_, env_.monitor.operations, env_.options.ordinary, what_,
      [self](const audit_page& page) { self->write(page); },
      [self](const ask_error& why) {
        if (!self->ex_)
          return;
        if (!self->body_)
          refuse_with(self->ex_, why);
        self->done();
      });
  }

  void write(const audit_page& page) {
    if (!ex_)
      return;
    if (!body_) {
      response head;
      head.content_type = lines;
      head.ends_by_itself = true;
      body_ = ex_->begin(std::move(head));
    }
    auto text = std::make_shared<std::string>();
    for (auto& entry : page.entries)
      *text += to_text(audit_json(entry)) + '\n';
    what_.cursor = page.next_cursor;
    if (text->empty()) {
      finish();
      return;
    }
    body_->write({slice{text, *text}}, [self = shared_from_this()](bool taken) {
      if (!taken)
        self->done();
      else if (self->what_.cursor.empty())
        self->finish();
      else
        self->read();
    });
  }

  void finish() {
    if (body_)
      body_->finish();
    done();
  }

  void done() {
    if (!ex_)
      return;
    auto self = shared_from_this();
    if (body_)
      body_->abort(); // unless it is finished
    body_.reset();
    ex_.reset();
    env_.streams.remove(*this);
  }

  edge& env_;
  query_audit what_;
  exchange_ptr ex_; // null once it is over
  std::unique_ptr<body_writer> body_;
};

} // namespace

void get_audit(const exchange_ptr& ex) {
  if (!ex->env.monitor.operations)
    throw refused(errc::unavailable, "this server keeps no audit");
  query_params query{ex->in.query};
  auto what = read_query(*ex, query);
  auto format = query.text("format");
  if (!format.empty() && format != "json" && format != "jsonl")
    refuse("format must be json or jsonl");
  if (format == "jsonl") {
    ex->env.streams.admit(*ex);
    if (ex->in.head) {
      response head;
      head.content_type = lines;
      ex->send(std::move(head));
      return;
    }
    std::make_shared<audit_export>(ex, std::move(what))->begin();
    return;
  }
  ask<audit_page>(
    ex, ex->env.monitor.operations, ex->env.options.ordinary, std::move(what),
    [ex](const audit_page& page) {
      auto list = nlohmann::ordered_json::array();
      for (auto& entry : page.entries)
        list.push_back(audit_json(entry));
      ex->reply(200, list_json("entries", to_text(list), page.next_cursor));
    });
}

} // namespace greenroom::http::handlers
