#include "runtime/store/audit.hpp"

#include "messages/ids.hpp"
#include "runtime/store/cursor.hpp"
#include "runtime/store/rows.hpp"

#include <algorithm>
#include <vector>

namespace greenroom::store {

namespace {

struct audit_row {
  std::string id;
  long long created_at = 0;
  std::string node;
  std::string key_id;
  std::string key_name;
  std::string address;
  std::string request_id;
  std::string method;
  std::string route;
  std::string project_id;
  std::string session_id;
  std::string object;
  long long status = 0;
  std::string code;
  long long requests = 0;
  long long bytes = 0;
};

/// The columns in the order of the table.
template <class F>
void each_column(audit_row& row, F&& f) {
  f("id", row.id);
  f("created_at", row.created_at);
  f("node", row.node);
  f("key_id", row.key_id);
  f("key_name", row.key_name);
  f("address", row.address);
  f("request_id", row.request_id);
  f("method", row.method);
  f("route", row.route);
  f("project_id", row.project_id);
  f("session_id", row.session_id);
  f("object", row.object);
  f("status", row.status);
  f("code", row.code);
  f("requests", row.requests);
  f("bytes", row.bytes);
}

audit_row to_row(const audit_entry& entry) {
  return {entry.id,
          entry.time,
          entry.node,
          entry.key_id,
          as_text(entry.key_name),
          entry.address,
          as_text(entry.request_id),
          entry.method,
          entry.route,
          entry.project_id,
          entry.session_id,
          entry.object,
          entry.status,
          entry.code,
          static_cast<long long>(entry.requests),
          static_cast<long long>(entry.bytes)};
}

audit_entry from_row(const audit_row& row) {
  return {row.id,
          row.created_at,
          row.node,
          row.key_id,
          row.key_name,
          row.address,
          row.request_id,
          row.method,
          row.route,
          row.project_id,
          row.session_id,
          row.object,
          static_cast<std::uint16_t>(row.status),
          row.code,
          static_cast<std::uint64_t>(row.requests),
          static_cast<std::uint64_t>(row.bytes)};
}

std::string listing_sql(const query_audit& query) {
  auto text = "SELECT " + columns_of<audit_row>()
              + " FROM audit WHERE created_at >= :since";
  if (!query.projects.empty()) {
    text += " AND project_id IN (";
    for (std::size_t i = 0; i < query.projects.size(); ++i)
      text += (i == 0 ? ":project" : ", :project") + std::to_string(i);
    text += ")";
  }
  if (!query.session_id.empty())
    text += " AND session_id = :session";
  if (!query.key_id.empty())
    text += " AND key_id = :key";
  if (!query.cursor.empty())
    text += " AND (created_at, id) < (:created, :id)";
  return text + " ORDER BY created_at DESC, id DESC LIMIT :count";
}

} // namespace

audit_entry unasked_entry(const char* who, const std::string& node,
                          const char* method, const char* route, unix_ms now) {
  audit_entry entry;
  entry.id = make_id();
  entry.time = now;
  entry.node = node;
  entry.key_name = who;
  entry.method = method;
  entry.route = route;
  entry.status = 200;
  return entry;
}

void add_audit(connection& c, std::span<const audit_entry> entries) {
  in_transaction(c, [&](soci::session& sql) {
    for (const auto& entry : entries) {
      auto row = to_row(entry);
      insert_row(sql, "audit", row, " ON CONFLICT DO NOTHING");
    }
  });
}

audit_page list_audit(connection& c, const query_audit& query) {
  const auto after = parse_cursor(query.cursor);
  const auto limit = query.limit == 0 ? audit_page_size : query.limit;
  // One more than asked for tells whether there is more.
  const auto count = static_cast<long long>(limit) + 1;
  const long long since = query.since;
  audit_page result;
  result.entries = reading(c, [&](soci::session& sql) {
    std::vector<audit_entry> entries;
    auto bind = [&](soci::statement& statement) {
      statement.exchange(soci::use(since, "since"));
      for (std::size_t i = 0; i < query.projects.size(); ++i)
        statement.exchange(
          soci::use(query.projects[i], "project" + std::to_string(i)));
      if (!query.session_id.empty())
        statement.exchange(soci::use(query.session_id, "session"));
      if (!query.key_id.empty())
        statement.exchange(soci::use(query.key_id, "key"));
      if (!query.cursor.empty()) {
        statement.exchange(soci::use(after.created_at, "created"));
        statement.exchange(soci::use(after.id, "id"));
      }
      statement.exchange(soci::use(count, "count"));
    };
    each_row<audit_row>(sql, listing_sql(query), bind,
                        [&](const audit_row& row) {
                          entries.push_back(from_row(row));
                          return true;
                        });
    return entries;
  });
  if (result.entries.size() > limit) {
    result.entries.pop_back();
    const auto& last = result.entries.back();
    result.next_cursor = make_cursor({last.time, last.id});
  }
  return result;
}

std::uint64_t drop_audit(connection& c, unix_ms before, std::uint64_t max) {
  return in_transaction(c, [&](soci::session& sql) {
    const long long time = before;
    auto gone = execute(sql, "DELETE FROM audit WHERE created_at < :before",
                        soci::use(time, "before"));
    const auto kept = static_cast<long long>(max);
    gone +=
      execute(sql,
              "DELETE FROM audit WHERE id IN (SELECT id FROM audit"
              " ORDER BY created_at DESC, id DESC LIMIT 1000000 OFFSET :kept)",
              soci::use(kept, "kept"));
    return static_cast<std::uint64_t>(gone);
  });
}

} // namespace greenroom::store
