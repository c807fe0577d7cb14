#include "runtime/store/webhooks.hpp"

#include "runtime/store/webhook_rows.hpp"

#include <algorithm>

namespace greenroom::store {

namespace {

webhook_row to_row(const create_webhook& what) {
  webhook_row row;
  row.id = what.webhook.id;
  row.project_id = what.webhook.project_id;
  row.url = what.webhook.url;
  row.description = what.webhook.description;
  row.types = types_to_text(what.webhook.types);
  row.secret = what.secret;
  row.enabled = what.webhook.enabled ? 1 : 0;
  row.created_by = what.webhook.created_by;
  row.created_at = what.webhook.created_at;
  check_texts(row);
  return row;
}

// The project stays as it is meanwhile, so that two at once are counted.
void check_room(connection& c, soci::session& sql, const std::string& project) {
  std::string found;
  sql << "SELECT id FROM projects WHERE id = :id" + c.self().for_update,
    soci::into(found), soci::use(project, "id");
  if (!sql.got_data())
    throw refused(errc::not_found, "project not found");
  int count = 0;
  sql << "SELECT COUNT(*) FROM webhooks WHERE project_id = :id"
         " AND session_id = ''",
    soci::into(count), soci::use(project, "id");
  if (static_cast<std::size_t>(count) >= max_webhooks_of_project)
    throw refused(errc::quota_exceeded,
                  "project \"" + project + "\" has " + std::to_string(count)
                    + " webhooks, and may have no more; remove one first");
}

// As the API refuses it where a session is made with webhooks: what becomes of
// other webhooks is the project's affair.
void check_types(const webhook_row& row,
                 const std::vector<std::string>& types) {
  if (!row.session_id.empty()
      && std::ranges::find(types, webhook_disabled) != types.end())
    throw refused(errc::bad_request,
                  "types: \"" + std::string{webhook_disabled}
                    + "\" is not delivered to a webhook of a session; use a "
                      "webhook of the project for that");
}

} // namespace

created_webhook add_webhook(connection& c, const create_webhook& what) {
  auto row = to_row(what);
  return in_transaction(c, [&](soci::session& sql) {
    auto there = fetch_rows<webhook_row>(sql,
                                         "SELECT " + columns_of<webhook_row>()
                                           + " FROM webhooks WHERE id = :id",
                                         soci::use(row.id, "id"));
    if (!there.empty())
      return created_webhook{from_row(there.front()), false};
    check_room(c, sql, row.project_id);
    insert_row(sql, "webhooks", row);
    return created_webhook{from_row(row), true};
  });
}

std::vector<webhook_record> webhooks_of(connection& c,
                                        const std::string& project_id) {
  return reading(c, [&](soci::session& sql) {
    std::vector<webhook_record> result;
    for (const auto& row : fetch_rows<webhook_row>(
           sql,
           "SELECT " + columns_of<webhook_row>()
             + " FROM webhooks WHERE project_id = :project"
               " ORDER BY created_at DESC, id DESC",
           soci::use(project_id, "project")))
      result.push_back(from_row(row));
    return result;
  });
}

webhook_record alter_webhook(connection& c, const change_webhook& what,
                             unix_ms now) {
  return in_transaction(c, [&](soci::session& sql) {
    auto row = webhook_by_id(sql, what.project_id, what.webhook_id);
    if (what.has_types)
      check_types(row, what.types);
    if (what.has_enabled && !what.enabled && row.enabled != 0) {
      disable_webhook(sql, row.id, "disabled by " + to_words(what.by), now);
      row = webhook_by_id(sql, what.project_id, what.webhook_id);
    }
    if (what.has_url)
      row.url = what.url;
    if (what.has_description)
      row.description = what.description;
    if (what.has_types)
      row.types = types_to_text(what.types);
    if (what.has_enabled && what.enabled && row.enabled == 0) {
      row.enabled = 1;
      row.disabled_reason.clear();
      row.last_error.clear();
      row.disabled_at = row.failing_since = 0;
    }
    check_texts(row);
    execute(sql,
            "UPDATE webhooks SET url = :url, description = :description,"
            " types = :types, enabled = :enabled, disabled_reason = :reason,"
            " disabled_at = :disabled_at, failing_since = :failing_since,"
            " last_error = :last_error WHERE id = :id",
            soci::use(row.url, "url"),
            soci::use(row.description, "description"),
            soci::use(row.types, "types"), soci::use(row.enabled, "enabled"),
            soci::use(row.disabled_reason, "reason"),
            soci::use(row.disabled_at, "disabled_at"),
            soci::use(row.failing_since, "failing_since"),
            soci::use(row.last_error, "last_error"), soci::use(row.id, "id"));
    return from_row(row);
  });
}

std::vector<webhook_record> renew_secrets(connection& c,
                                          const greenroom::renew_secrets& x) {
  return in_transaction(c, [&](soci::session& sql) {
    std::vector<webhook_record> result;
    for (std::size_t place = 0; place < x.secrets.size(); ++place) {
      const auto id = session_webhook_id(x.session_id, place);
      for (const auto& row : fetch_rows<webhook_row>(
             sql,
             "UPDATE webhooks SET secret = :secret WHERE id = :id"
             " AND project_id = :project AND session_id = :session RETURNING "
               + columns_of<webhook_row>(),
             soci::use(x.secrets[place], "secret"), soci::use(id, "id"),
             soci::use(x.project_id, "project"),
             soci::use(x.session_id, "session")))
        result.push_back(from_row(row));
    }
    return result;
  });
}

void remove_webhook(connection& c, const std::string& project_id,
                    const std::string& webhook_id) {
  in_transaction(c, [&](soci::session& sql) {
    const auto row = webhook_by_id(sql, project_id, webhook_id);
    execute(sql, "DELETE FROM webhook_deliveries WHERE webhook_id = :id",
            soci::use(row.id, "id"));
    execute(sql, "DELETE FROM webhooks WHERE id = :id",
            soci::use(row.id, "id"));
  });
}

} // namespace greenroom::store
