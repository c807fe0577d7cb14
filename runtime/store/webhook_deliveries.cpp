#include "messages/ids.hpp"
#include "runtime/store/audit.hpp"
#include "runtime/store/cursor.hpp"
#include "runtime/store/outbox_rows.hpp"
#include "runtime/store/project_events.hpp"
#include "runtime/store/session_rows.hpp"
#include "runtime/store/webhook_rows.hpp"
#include "runtime/store/webhooks.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace greenroom::store {

namespace {

using nlohmann::json;

/// A column that is not there yet, or is of no use here, stays as it is.
session_record session_from_text(const std::string& text) {
  session_row row;
  const auto object = json::parse(text, nullptr, false);
  if (!object.is_object())
    return {};
  each_column(row, [&](const char* name, auto& field) {
    if (auto found = object.find(name); found != object.end())
      found->get_to(field);
  });
  return from_row(row);
}

due_delivery with_all(const delivery_row& row, const webhook_row& webhook) {
  due_delivery result;
  result.delivery = from_row(row);
  result.webhook = from_row(webhook);
  result.secret = webhook.secret;
  if (!row.session.empty())
    result.session = session_from_text(row.session);
  result.fields = fields_from_text(row.fields);
  return result;
}

std::string listing_sql(const list_deliveries& query) {
  auto text = "SELECT " + columns_of<delivery_row>()
              + " FROM webhook_deliveries WHERE webhook_id = :webhook";
  if (!query.state.empty())
    text += " AND state = :state";
  if (!query.cursor.empty())
    text += " AND (created_at, id) < (:created, :id)";
  return text + " ORDER BY created_at DESC, id DESC LIMIT :count";
}

std::vector<delivery_row>
fetch_page(soci::session& sql, const list_deliveries& query, long long count) {
  const auto after = parse_cursor(query.cursor);
  std::vector<delivery_row> result;
  each_row<delivery_row>(
    sql, listing_sql(query),
    [&](soci::statement& statement) {
      statement.exchange(soci::use(query.webhook_id, "webhook"));
      if (!query.state.empty())
        statement.exchange(soci::use(query.state, "state"));
      if (!query.cursor.empty()) {
        statement.exchange(soci::use(after.created_at, "created"));
        statement.exchange(soci::use(after.id, "id"));
      }
      statement.exchange(soci::use(count, "count"));
    },
    [&](const delivery_row& row) {
      result.push_back(row);
      return true;
    });
  return result;
}

// Of each webhook that is enabled, the sessions' oldest deliveries that are
// due. What is about the webhook itself has no order.
std::string due_sql(bool has_owner) {
  return "SELECT " + columns_of<delivery_row>()
         + " FROM (SELECT d.*, ROW_NUMBER() OVER (PARTITION BY d.webhook_id"
           " ORDER BY d.next_attempt_at, d.version, d.place, d.id) AS turn"
           " FROM webhook_deliveries d"
           " JOIN webhooks w ON w.id = d.webhook_id"
         + (has_owner ? " JOIN projects p ON p.id = d.project_id"
                        " AND p.owner = :owner"
                      : "")
         + " WHERE d.state = 'pending' AND d.next_attempt_at <= :now"
           " AND w.enabled <> 0"
           " AND (d.session_id = '' OR NOT EXISTS (SELECT 1"
           " FROM webhook_deliveries e WHERE e.webhook_id = d.webhook_id"
           " AND e.session_id = d.session_id AND e.state = 'pending'"
           " AND (e.version, e.place) < (d.version, d.place)))) heads"
           " WHERE turn <= :most ORDER BY next_attempt_at, version, place";
}

std::vector<delivery_row> due_rows(soci::session& sql,
                                   const greenroom::find_due& what) {
  const long long now = what.now;
  const long long most = what.of_each;
  if (what.owner.empty())
    return fetch_rows<delivery_row>(sql, due_sql(false), soci::use(now, "now"),
                                    soci::use(most, "most"));
  return fetch_rows<delivery_row>(
    sql, due_sql(true), soci::use(what.owner, "owner"), soci::use(now, "now"),
    soci::use(most, "most"));
}

// False where the project is another node's by now.
bool is_ours(soci::session& sql, const std::string& project_id,
             const std::string& as) {
  if (as.empty())
    return true;
  std::string owner;
  sql << "SELECT owner FROM projects WHERE id = :id", soci::into(owner),
    soci::use(project_id, "id");
  return sql.got_data() && (owner.empty() || owner == as);
}

bool write_attempt(soci::session& sql, const delivery_record& x) {
  const std::string state{to_string(x.state)};
  const long long attempts = x.attempts;
  const long long first = x.first_attempt_at;
  const long long last = x.last_attempt_at;
  const long long next = x.next_attempt_at;
  const long long status = x.status;
  const long long took = x.took;
  const auto error = as_text(x.error);
  return execute(sql,
                 "UPDATE webhook_deliveries SET state = :state,"
                 " attempts = :attempts, first_attempt_at = :first,"
                 " last_attempt_at = :last, next_attempt_at = :next,"
                 " status = :status, error = :error, took = :took"
                 " WHERE id = :id AND state = 'pending'",
                 soci::use(state, "state"), soci::use(attempts, "attempts"),
                 soci::use(first, "first"), soci::use(last, "last"),
                 soci::use(next, "next"), soci::use(status, "status"),
                 soci::use(error, "error"), soci::use(took, "took"),
                 soci::use(x.id, "id"))
         > 0;
}

void write_health(soci::session& sql, const delivery_record& x) {
  const long long now = x.last_attempt_at;
  if (x.state == delivery_state::delivered) {
    execute(sql,
            "UPDATE webhooks SET failing_since = 0, last_error = '',"
            " delivered_at = :now WHERE id = :id",
            soci::use(now, "now"), soci::use(x.webhook_id, "id"));
    return;
  }
  const auto error = as_text(x.error);
  execute(sql,
          "UPDATE webhooks SET last_error = :error, failing_since ="
          " CASE WHEN failing_since = 0 THEN :now ELSE failing_since END"
          " WHERE id = :id",
          soci::use(error, "error"), soci::use(now, "now"),
          soci::use(x.webhook_id, "id"));
}

} // namespace

delivery_page deliveries_of(connection& c, const list_deliveries& query) {
  const auto limit = query.limit == 0 ? delivery_page_size : query.limit;
  return reading(c, [&](soci::session& sql) {
    static_cast<void>(webhook_by_id(sql, query.project_id, query.webhook_id));
    // One more than asked for tells whether there is more.
    auto rows = fetch_page(sql, query, static_cast<long long>(limit) + 1);
    delivery_page result;
    const auto more = rows.size() > limit;
    if (more)
      rows.pop_back();
    for (const auto& row : rows)
      result.deliveries.push_back(from_row(row));
    if (more)
      result.next_cursor =
        make_cursor({rows.back().created_at, rows.back().id});
    return result;
  });
}

std::vector<delivery_record> queue_again(connection& c, const redeliver& what,
                                         unix_ms now) {
  return in_transaction(c, [&](soci::session& sql) {
    const auto webhook = webhook_by_id(sql, what.project_id, what.webhook_id);
    if (webhook.enabled == 0)
      throw refused(errc::conflict,
                    "the webhook is disabled; enable it first with PATCH "
                    "{\"enabled\": true}");
    const long long time = now;
    const long long most = delivery_page_size;
    const std::string reset =
      "UPDATE webhook_deliveries SET state = 'pending', attempts = 0,"
      " first_attempt_at = 0, next_attempt_at = :now, error = ''"
      " WHERE webhook_id = :webhook AND ";
    const auto returning = " RETURNING " + columns_of<delivery_row>();
    std::vector<delivery_row> rows;
    if (what.delivery_id.empty())
      rows = fetch_rows<delivery_row>(
        sql,
        reset
          + "id IN (SELECT id FROM webhook_deliveries WHERE webhook_id ="
            " :webhook AND state = 'failed' AND type <> 'webhook.test'"
            " ORDER BY created_at, id LIMIT :most)"
          + returning,
        soci::use(time, "now"), soci::use(what.webhook_id, "webhook"),
        soci::use(most, "most"));
    else
      rows = fetch_rows<delivery_row>(sql, reset + "id = :id" + returning,
                                      soci::use(time, "now"),
                                      soci::use(what.webhook_id, "webhook"),
                                      soci::use(what.delivery_id, "id"));
    if (rows.empty() && !what.delivery_id.empty())
      throw refused(errc::not_found, "delivery not found");
    std::vector<delivery_record> result;
    for (const auto& row : rows)
      result.push_back(from_row(row));
    std::ranges::sort(result, {}, [](const delivery_record& x) {
      return std::pair{x.created_at, x.id};
    });
    return result;
  });
}

due_delivery add_test(connection& c, const queue_test& what, unix_ms now) {
  return in_transaction(c, [&](soci::session& sql) {
    const auto webhook = webhook_by_id(sql, what.project_id, what.webhook_id);
    event_field id;
    id.name = "webhook_id";
    id.text = webhook.id;
    delivery_row row;
    row.id = make_id();
    row.webhook_id = webhook.id;
    row.project_id = webhook.project_id;
    row.type = webhook_test;
    row.created_at = now;
    row.fields = fields_to_text({id});
    row.state = to_string(delivery_state::pending);
    row.next_attempt_at = what.due_at;
    insert_row(sql, "webhook_deliveries", row);
    return with_all(row, webhook);
  });
}

std::vector<due_delivery> find_due(connection& c,
                                   const greenroom::find_due& what) {
  return reading(c, [&](soci::session& sql) {
    std::vector<due_delivery> result;
    std::map<std::string, webhook_row> webhooks;
    for (const auto& row : due_rows(sql, what)) {
      auto found = webhooks.find(row.webhook_id);
      if (found == webhooks.end())
        found = webhooks
                  .emplace(row.webhook_id,
                           webhook_by_id(sql, row.project_id, row.webhook_id))
                  .first;
      result.push_back(with_all(row, found->second));
    }
    return result;
  });
}

namespace {

/// That the server itself has changed a webhook; `delivery` made it do so.
audit_entry audit_of_disabling(const delivery_record& delivery,
                               const std::string& node, unix_ms now) {
  auto entry = unasked_entry(own_name_in_audit, node, "PATCH",
                             "/projects/{id}/webhooks/{wid}", now);
  entry.request_id = delivery.id;
  entry.project_id = delivery.project_id;
  entry.object = delivery.webhook_id;
  return entry;
}

} // namespace

void keep_attempt(connection& c, const end_attempt& what, const std::string& as,
                  const std::string& node) {
  in_transaction(c, [&](soci::session& sql) {
    const auto& delivery = what.delivery;
    if (!is_ours(sql, delivery.project_id, as) || !write_attempt(sql, delivery))
      return;
    write_health(sql, delivery);
    if (what.disable.empty())
      return;
    disable_webhook(sql, delivery.webhook_id, as_text(what.disable), what.now,
                    as_text(what.detail));
    const auto entry = audit_of_disabling(delivery, node, what.now);
    add_audit(c, {&entry, 1});
  });
}

void trim(connection& c, const trim_deliveries& what) {
  in_transaction(c, [&](soci::session& sql) {
    const long long before = what.before;
    const long long ended = what.max_ended;
    const long long pending = what.max_pending;
    execute(sql,
            "DELETE FROM webhook_deliveries WHERE state <> 'pending'"
            " AND created_at < :before",
            soci::use(before, "before"));
    execute(sql,
            "DELETE FROM webhook_deliveries WHERE id IN (SELECT id FROM"
            " (SELECT id, ROW_NUMBER() OVER (PARTITION BY webhook_id"
            " ORDER BY created_at DESC, id DESC) AS n FROM webhook_deliveries"
            " WHERE state <> 'pending') newest WHERE n > :most)",
            soci::use(ended, "most"));
    for (const auto& row : fetch_rows<webhook_row>(
           sql,
           "SELECT " + columns_of<webhook_row>()
             + " FROM webhooks WHERE id IN (SELECT webhook_id FROM"
               " webhook_deliveries WHERE state = 'pending'"
               " GROUP BY webhook_id HAVING COUNT(*) > :most)",
           soci::use(pending, "most")))
      disable_webhook(sql, row.id,
                      "more than " + std::to_string(what.max_pending)
                        + " deliveries wait for the receiver",
                      what.now);
    drop_ended_webhooks(sql, what.now - ended_webhook_kept);
    trim_project_events(c);
  });
}

} // namespace greenroom::store
