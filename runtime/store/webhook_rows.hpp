// Webhooks and deliveries as rows; for sources of this folder.
#pragma once

#include "messages/session_webhook.hpp"
#include "messages/webhooks.hpp"
#include "runtime/store/rows.hpp"

#include <string>
#include <vector>

namespace greenroom::store {

struct webhook_row {
  std::string id;
  std::string project_id;
  std::string session_id; // '': it is the project's
  std::string url;
  std::string description;
  std::string types; // each between commas; empty: all
  std::string secret;
  long long enabled = 1;
  std::string disabled_reason;
  long long disabled_at = 0;
  std::string created_by;
  long long created_at = 0;
  long long failing_since = 0;
  long long delivered_at = 0;
  std::string last_error;
};

/// Calls `f(name, field)` for each column: the one list of them all.
template <class F>
void each_column(webhook_row& row, F&& f) {
  f("id", row.id);
  f("project_id", row.project_id);
  f("session_id", row.session_id);
  f("url", row.url);
  f("description", row.description);
  f("types", row.types);
  f("secret", row.secret);
  f("enabled", row.enabled);
  f("disabled_reason", row.disabled_reason);
  f("disabled_at", row.disabled_at);
  f("created_by", row.created_by);
  f("created_at", row.created_at);
  f("failing_since", row.failing_since);
  f("delivered_at", row.delivered_at);
  f("last_error", row.last_error);
}

struct delivery_row {
  std::string id;
  std::string webhook_id;
  std::string project_id;
  std::string session_id;
  long long version = 0; // of the session, and the event's place in that
  long long place = 0;   // change: the order in which a session's are sent
  std::string type;
  long long created_at = 0;
  std::string session; // JSON of a session_row; empty: of none
  std::string fields;  // JSON
  std::string state;
  long long attempts = 0;
  long long first_attempt_at = 0;
  long long last_attempt_at = 0;
  long long next_attempt_at = 0;
  long long status = 0;
  std::string error;
  long long took = 0;
};

template <class F>
void each_column(delivery_row& row, F&& f) {
  f("id", row.id);
  f("webhook_id", row.webhook_id);
  f("project_id", row.project_id);
  f("session_id", row.session_id);
  f("version", row.version);
  f("place", row.place);
  f("type", row.type);
  f("created_at", row.created_at);
  f("session", row.session);
  f("fields", row.fields);
  f("state", row.state);
  f("attempts", row.attempts);
  f("first_attempt_at", row.first_attempt_at);
  f("last_attempt_at", row.last_attempt_at);
  f("next_attempt_at", row.next_attempt_at);
  f("status", row.status);
  f("error", row.error);
  f("took", row.took);
}

webhook_record from_row(const webhook_row& row);
delivery_record from_row(const delivery_row& row);

/// The webhook as it is; refused as not_found where there is none.
webhook_row webhook_by_id(soci::session& sql, const std::string& project_id,
                          const std::string& webhook_id);

/// A webhook's types as a column.
std::string types_to_text(const std::vector<std::string>& types);

/// Adds the webhooks that a new session is made with; the caller holds the
/// project. Refused as quota_exceeded where its sessions have too many.
void add_session_webhooks(soci::session& sql, const session_record& session,
                          const std::vector<session_webhook>& webhooks);

/// Removes those of sessions that are over, once nobody will want to see what
/// was sent to them: none of their reviews waits, and all was delivered, the
/// last of it before the time.
void drop_ended_webhooks(soci::session& sql, unix_ms before);

/// Queues the events of a change for the webhooks of the session and of its
/// project.
void queue_deliveries(soci::session& sql, const session_record& session,
                      const std::vector<session_event>& events);

/// Announces what has become of a review, which may be long after its session
/// is over: to webhooks, and among the events of its project.
void announce_review(soci::session& sql, event_kind kind,
                     const review_record& review, unix_ms now);

/// Disables a webhook and gives up what waits for it; the project's other
/// webhooks and who watches the project are told. `detail` goes with the reason
/// to those who may see the webhook alone.
void disable_webhook(soci::session& sql, const std::string& webhook_id,
                     const std::string& reason, unix_ms now,
                     const std::string& detail = {});

/// Removes all webhooks of a project, with their deliveries.
void drop_webhooks(soci::session& sql, const std::string& project_id);

} // namespace greenroom::store
