#include "runtime/store/webhook_rows.hpp"

#include "messages/ids.hpp"
#include "runtime/store/outbox_rows.hpp"
#include "runtime/store/project_event_rows.hpp"
#include "runtime/store/session_rows.hpp"
#include "runtime/store/session_sql.hpp"
#include "runtime/store/webhooks.hpp"

#include <nlohmann/json.hpp>

#include <limits>
#include <stdexcept>

namespace greenroom::store {

namespace {

using nlohmann::json;

std::string session_to_text(session_record session) {
  session.token_hash.clear();
  auto row = to_row(session);
  auto object = json::object();
  each_column(row,
              [&](const char* name, auto& field) { object[name] = field; });
  return object.dump();
}

std::vector<std::string> types_of(const std::string& column) {
  std::vector<std::string> result;
  for (std::size_t at = 1; at < column.size();) {
    const auto end = column.find(',', at);
    result.push_back(column.substr(at, end - at));
    at = end == std::string::npos ? end : end + 1;
  }
  return result;
}

bool wants(const webhook_row& webhook, std::string_view type) {
  return webhook.types.empty()
         || webhook.types.find(',' + std::string{type} + ',')
              != std::string::npos;
}

/// Those of the project, and where there is a session its own.
std::vector<webhook_row> enabled_of(soci::session& sql,
                                    const std::string& project_id,
                                    const std::string& session_id = {}) {
  return fetch_rows<webhook_row>(
    sql,
    "SELECT " + columns_of<webhook_row>()
      + " FROM webhooks WHERE project_id = :project AND enabled <> 0"
        " AND (session_id = '' OR session_id = :session)",
    soci::use(project_id, "project"), soci::use(session_id, "session"));
}

delivery_row delivery_for(const webhook_row& webhook, std::string_view type,
                          unix_ms now) {
  delivery_row row;
  row.id = make_id();
  row.webhook_id = webhook.id;
  row.project_id = webhook.project_id;
  row.type = type;
  row.created_at = row.next_attempt_at = now;
  row.state = to_string(delivery_state::pending);
  return row;
}

event_field text_field(std::string name, std::string text) {
  event_field result;
  result.name = std::move(name);
  result.text = std::move(text);
  return result;
}

/// The project stays as it is meanwhile.
void check_room_for(soci::session& sql, const std::string& project_id,
                    std::size_t more) {
  int count = 0;
  sql << "SELECT COUNT(*) FROM webhooks WHERE project_id = :id"
         " AND EXISTS (SELECT 1 FROM sessions"
         " WHERE sessions.id = webhooks.session_id AND "
           + std::string{is_live_sql} + ')',
    soci::into(count), soci::use(project_id, "id");
  const auto live = static_cast<std::size_t>(count);
  if (live + more > max_webhooks_of_live_sessions)
    throw refused(errc::quota_exceeded,
                  "the sessions of project \"" + project_id
                    + "\" that live have " + std::to_string(live)
                    + " webhooks, and may have "
                    + std::to_string(max_webhooks_of_live_sessions)
                    + "; use the project's webhooks, or end sessions that have "
                      "some");
}

/// As the event of a session that ends with its review has them.
std::vector<event_field> fields_of(const review_record& review) {
  std::vector<event_field> result{
    text_field("review_id", review.id),
    text_field("status", std::string{to_string(review.status)}),
    text_field("branch", review.branch),
    text_field("target", review.target),
    text_field("commit", review.commit),
    text_field("base", review.base)};
  auto& merge = result.emplace_back();
  merge.name = "auto_merge";
  merge.what = event_field::type::flag;
  merge.number = review.auto_merge ? 1 : 0;
  auto add = [&](const char* name, const std::string& text) {
    if (!text.empty())
      result.push_back(text_field(name, text));
  };
  add("status_reason", review.status_reason);
  add("decided_by", review.decided_by);
  if (!review.decided_by.empty())
    add("decided_by_name", review.by_name);
  add("comment", review.comment);
  add("merge_commit", review.merge_commit);
  return result;
}

} // namespace

webhook_record from_row(const webhook_row& row) {
  webhook_record result;
  result.id = row.id;
  result.project_id = row.project_id;
  result.session_id = row.session_id;
  result.url = row.url;
  result.description = row.description;
  result.types = types_of(row.types);
  result.enabled = row.enabled != 0;
  result.disabled_reason = row.disabled_reason;
  result.disabled_at = row.disabled_at;
  result.created_by = row.created_by;
  result.created_at = row.created_at;
  result.failing_since = row.failing_since;
  result.delivered_at = row.delivered_at;
  result.last_error = row.last_error;
  return result;
}

delivery_record from_row(const delivery_row& row) {
  delivery_record result;
  result.id = row.id;
  result.webhook_id = row.webhook_id;
  result.project_id = row.project_id;
  result.session_id = row.session_id;
  result.type = row.type;
  result.created_at = row.created_at;
  if (row.state == to_string(delivery_state::pending))
    result.state = delivery_state::pending;
  else if (row.state == to_string(delivery_state::delivered))
    result.state = delivery_state::delivered;
  else
    result.state = delivery_state::failed;
  result.attempts = static_cast<std::uint32_t>(row.attempts);
  result.first_attempt_at = row.first_attempt_at;
  result.last_attempt_at = row.last_attempt_at;
  result.next_attempt_at = row.next_attempt_at;
  result.status = static_cast<std::uint16_t>(row.status);
  result.error = row.error;
  result.took = row.took;
  return result;
}

webhook_row webhook_by_id(soci::session& sql, const std::string& project_id,
                          const std::string& webhook_id) {
  auto rows = fetch_rows<webhook_row>(
    sql,
    "SELECT " + columns_of<webhook_row>()
      + " FROM webhooks WHERE id = :id AND project_id = :project",
    soci::use(webhook_id, "id"), soci::use(project_id, "project"));
  if (rows.empty())
    throw refused(errc::not_found, "webhook not found");
  return std::move(rows.front());
}

std::string types_to_text(const std::vector<std::string>& types) {
  std::string result = types.empty() ? "" : ",";
  for (const auto& one : types)
    result += one + ',';
  return result;
}

void add_session_webhooks(soci::session& sql, const session_record& session,
                          const std::vector<session_webhook>& webhooks) {
  if (!webhooks.empty())
    check_room_for(sql, session.project_id, webhooks.size());
  std::size_t place = 0;
  for (const auto& one : webhooks) {
    webhook_row row;
    row.id = session_webhook_id(session.id, place++);
    row.project_id = session.project_id;
    row.session_id = session.id;
    row.url = one.url;
    row.description = one.description;
    row.types = types_to_text(one.types);
    row.secret = one.secret;
    row.enabled = enabled_for_session;
    row.created_by = session.created_by;
    row.created_at = session.created_at;
    check_texts(row);
    insert_row(sql, "webhooks", row);
  }
}

void drop_ended_webhooks(soci::session& sql, unix_ms before) {
  const long long time = before;
  const auto live = std::string{is_live_sql};
  for (const auto& row : fetch_rows<webhook_row>(
         sql,
         "SELECT " + columns_of<webhook_row>()
           + " FROM webhooks WHERE session_id <> ''"
             " AND NOT EXISTS (SELECT 1 FROM sessions"
             " WHERE sessions.id = webhooks.session_id AND ("
           + live
           + " OR ended_at >= :before))"
             " AND NOT EXISTS (SELECT 1 FROM reviews"
             " WHERE reviews.session_id = webhooks.session_id"
             " AND (reviews.ended_at = 0 OR reviews.ended_at >= :before))"
             " AND NOT EXISTS (SELECT 1 FROM webhook_deliveries"
             " WHERE webhook_id = webhooks.id AND (state <> 'delivered'"
             " OR last_attempt_at >= :before))",
         soci::use(time, "before"))) {
    execute(sql, "DELETE FROM webhook_deliveries WHERE webhook_id = :id",
            soci::use(row.id, "id"));
    execute(sql, "DELETE FROM webhooks WHERE id = :id",
            soci::use(row.id, "id"));
  }
}

void queue_deliveries(soci::session& sql, const session_record& session,
                      const std::vector<session_event>& events) {
  if (events.empty())
    return;
  const auto webhooks = enabled_of(sql, session.project_id, session.id);
  if (webhooks.empty())
    return;
  const auto as_it_is = session_to_text(session);
  long long place = 0;
  for (const auto& event : events) {
    const auto type = to_string(event.kind);
    for (const auto& webhook : webhooks)
      if (wants(webhook, type)) {
        auto row = delivery_for(webhook, type, event.time);
        row.session_id = session.id;
        row.version = static_cast<long long>(session.version);
        row.place = place;
        row.session = as_it_is;
        row.fields = fields_to_text(event.fields);
        insert_row(sql, "webhook_deliveries", row);
      }
    ++place;
  }
}

void announce_review(soci::session& sql, event_kind kind,
                     const review_record& review, unix_ms now) {
  const std::string type{to_string(kind)};
  add_project_event(sql, {0, review.project_id, review.session_id, type, now,
                          fields_of(review)});
  // After all that the session itself has announced, each after the one before.
  const auto after_session = std::numeric_limits<long long>::max();
  long long place = 0;
  sql << "SELECT COALESCE(MAX(place), 0) + 1 FROM webhook_deliveries"
         " WHERE session_id = :session AND version = :version",
    soci::into(place), soci::use(review.session_id, "session"),
    soci::use(after_session, "version");
  session_record session;
  session.id = review.session_id;
  session.project_id = review.project_id;
  const auto fields = fields_to_text(fields_of(review));
  for (const auto& webhook :
       enabled_of(sql, review.project_id, review.session_id))
    if (wants(webhook, type)) {
      auto row = delivery_for(webhook, type, now);
      row.session_id = review.session_id;
      row.version = after_session;
      row.place = place;
      row.session = session_to_text(session);
      row.fields = fields;
      insert_row(sql, "webhook_deliveries", row);
    }
}

void disable_webhook(soci::session& sql, const std::string& webhook_id,
                     const std::string& reason, unix_ms now,
                     const std::string& detail) {
  const long long time = now;
  const auto whole = detail.empty() ? reason : reason + "; " + detail;
  auto disabled = fetch_rows<webhook_row>(
    sql,
    "UPDATE webhooks SET enabled = 0, disabled_reason = :reason,"
    " disabled_at = :now WHERE id = :id AND enabled <> 0 RETURNING "
      + columns_of<webhook_row>(),
    soci::use(whole, "reason"), soci::use(time, "now"),
    soci::use(webhook_id, "id"));
  if (disabled.empty())
    return;
  execute(sql,
          "UPDATE webhook_deliveries SET state = 'failed', next_attempt_at = 0,"
          " error = CASE WHEN error = '' THEN 'the webhook was disabled' ELSE"
          " error END WHERE webhook_id = :id AND state = 'pending'",
          soci::use(webhook_id, "id"));
  const auto& gone = disabled.front();
  // Who may watch a project need not know where its receivers are.
  add_project_event(
    sql, {0,
          gone.project_id,
          gone.session_id,
          std::string{webhook_disabled},
          now,
          {text_field("webhook_id", gone.id), text_field("reason", reason)}});
  std::vector<event_field> fields{text_field("webhook_id", gone.id),
                                  text_field("url", gone.url),
                                  text_field("reason", whole)};
  if (!gone.session_id.empty())
    fields.push_back(text_field("session_id", gone.session_id));
  for (const auto& other : enabled_of(sql, gone.project_id))
    if (wants(other, webhook_disabled)) {
      auto row = delivery_for(other, webhook_disabled, now);
      row.fields = fields_to_text(fields);
      insert_row(sql, "webhook_deliveries", row);
    }
}

void drop_webhooks(soci::session& sql, const std::string& project_id) {
  execute(sql, "DELETE FROM webhook_deliveries WHERE project_id = :project",
          soci::use(project_id, "project"));
  execute(sql, "DELETE FROM webhooks WHERE project_id = :project",
          soci::use(project_id, "project"));
}

} // namespace greenroom::store
