#include "runtime/store/sessions.hpp"

#include "messages/upkeep.hpp"
#include "runtime/store/audit.hpp"
#include "runtime/store/cursor.hpp"
#include "runtime/store/exec_rows.hpp"
#include "runtime/store/outbox_rows.hpp"
#include "runtime/store/preview_rows.hpp"
#include "runtime/store/project_rows.hpp"
#include "runtime/store/session_rows.hpp"
#include "runtime/store/session_sql.hpp"
#include "runtime/store/webhook_rows.hpp"

#include <algorithm>
#include <functional>
#include <tuple>

namespace greenroom::store {

namespace {

const std::string& insert_sql() {
  static const std::string text = [] {
    // Equal branches are for the index; that git could not keep this branch and
    // a live one as files and directories, a beside a/b, is for this condition.
    return "INSERT INTO sessions (slot, home_epoch, "
           + columns_of<session_row>() + ") SELECT :slot, :epoch, "
           + columns_of<session_row>(":")
           + " WHERE NOT EXISTS (SELECT 1 FROM sessions"
             " WHERE project_id = :project_id AND "
           + std::string{is_live_sql}
           + " AND (substr(branch, 1, length(:branch) + 1) = :branch || '/'"
             " OR substr(:branch, 1, length(branch) + 1) = branch || '/'))"
             " ON CONFLICT DO NOTHING";
  }();
  return text;
}

// Everything but what says which session it is, and who may write it.
bool is_written_by_update(std::string_view column) {
  return column != "id" && column != "project_id" && column != "epoch";
}

const std::string& update_sql() {
  static const std::string text = [] {
    std::string changes;
    session_row row;
    each_column(row, [&](std::string_view name, auto&) {
      if (is_written_by_update(name))
        changes.append(changes.empty() ? "" : ", ")
          .append(name)
          .append(" = :")
          .append(name);
    });
    return "UPDATE sessions SET " + changes
           + " WHERE id = :this_id AND epoch = :this_epoch"
             " AND version = :version_before";
  }();
  return text;
}

bool is_known(soci::session& sql, const std::string& id) {
  int count = 0;
  sql << "SELECT COUNT(*) FROM sessions WHERE id = :id", soci::into(count),
    soci::use(id, "id");
  return count > 0;
}

struct occupancy {
  std::uint32_t live = 0;
  long long free_slot = 0; // the lowest
  bool has_branch = false; // or one that cannot be beside it
};

/// True for branches of which git keeps only one: a reference is a file, and
/// what is before a slash a directory.
bool collide(const std::string& a, const std::string& b) {
  return a == b || a.starts_with(b + '/') || b.starts_with(a + '/');
}

occupancy look(soci::session& sql, const std::string& project_id,
               const std::string& wanted_branch) {
  occupancy result;
  long long slot = 0;
  std::string branch;
  soci::statement statement{sql};
  statement.exchange(soci::into(slot));
  statement.exchange(soci::into(branch));
  statement.exchange(soci::use(project_id, "project"));
  statement.alloc();
  statement.prepare("SELECT slot, branch FROM sessions"
                    " WHERE project_id = :project AND "
                      + std::string{is_live_sql} + " ORDER BY slot",
                    once);
  statement.define_and_bind();
  statement.execute();
  while (statement.fetch()) {
    ++result.live;
    if (slot == result.free_slot)
      ++result.free_slot;
    result.has_branch = result.has_branch || collide(branch, wanted_branch);
  }
  return result;
}

bool insert_in_slot(soci::session& sql, session_row& row, long long slot) {
  soci::statement statement{sql};
  statement.exchange(soci::use(slot, "slot"));
  use_row(statement, row);
  return execute_bound(statement, insert_sql()) == 1;
}

/// Whether a row goes into the page is not always for the database to say.
bool has_count(const session_query& query) {
  return query.limit > 0 && query.label.empty();
}

bool has_label(const session_record& session, const std::string& label) {
  auto equals = label.find('=');
  auto found = session.labels.find(label.substr(0, equals));
  return found != session.labels.end()
         && (equals == std::string::npos
             || found->second == label.substr(equals + 1));
}

auto by_age(const session_record& session) {
  return std::tie(session.created_at, session.id);
}

template <class... Uses>
std::vector<std::string> fetch_ids(soci::session& sql, const std::string& text,
                                   const Uses&... uses) {
  std::vector<std::string> result;
  std::string id;
  soci::statement statement{sql};
  statement.exchange(soci::into(id));
  (statement.exchange(uses), ...);
  statement.alloc();
  statement.prepare(text, once);
  statement.define_and_bind();
  statement.execute();
  while (statement.fetch())
    result.push_back(id);
  return result;
}

/// The sessions of a key that live. Others that would insert one of it wait
/// until this transaction is over, where the database knows the key.
std::vector<std::string> made_by(connection& c, soci::session& sql,
                                 const std::string& key_id) {
  std::string held;
  sql << "SELECT id FROM keys WHERE id = :id" + c.self().for_update,
    soci::into(held), soci::use(key_id, "id");
  return fetch_ids(sql,
                   "SELECT id FROM sessions WHERE created_by = :key AND "
                     + std::string{is_live_sql}
                     + " ORDER BY created_at DESC, id DESC",
                   soci::use(key_id, "key"));
}

bool ends(const std::vector<session_event>& events) {
  return std::ranges::find(events, event_kind::session_ended,
                           &session_event::kind)
         != events.end();
}

/// Nobody asked for it: it was due.
void add_audit_of_expiry(connection& c, const session_record& session) {
  const bool checked_in = !session.commit.empty();
  auto entry =
    unasked_entry(clock_in_audit, session.node, checked_in ? "POST" : "DELETE",
                  checked_in ? "/projects/{id}/sessions/{sid}/checkin"
                             : "/projects/{id}/sessions/{sid}",
                  session.ended_at);
  entry.project_id = session.project_id;
  entry.session_id = session.id;
  add_audit(c, {&entry, 1});
}

/// Whether `node` may have the session. Its project is held for that: a
/// condition of the statement that takes the session would see the owner as it
/// was when that began to wait for the row.
bool may_have(connection& c, soci::session& sql, const std::string& id,
              const std::string& node) {
  std::string owner;
  sql << "SELECT owner FROM projects WHERE id ="
         " (SELECT project_id FROM sessions WHERE id = :id)"
           + c.self().for_update,
    soci::into(owner), soci::use(id, "id");
  return !sql.got_data() || owner.empty() || owner == node;
}

// And none of its reviews waits.
std::string is_over_sql() {
  return "ended_at > 0 AND NOT (" + std::string{is_live_sql}
         + ") AND NOT EXISTS (SELECT 1 FROM reviews"
           " WHERE session_id = sessions.id"
           " AND reviews.status IN ('queued', 'running'))";
}

void drop_rows(soci::session& sql, const std::string& id, dropped& result) {
  for (auto& review : fetch_ids(sql,
                                "DELETE FROM reviews WHERE session_id = :id"
                                " RETURNING id",
                                soci::use(id, "id")))
    result.reviews.push_back(std::move(review));
  drop_outbox(sql, id);
  drop_execs(sql, id);
  drop_previews(sql, id);
  execute(sql, "DELETE FROM sessions WHERE id = :id", soci::use(id, "id"));
}

} // namespace

// -- SQL ----------------------------------------------------------------------

std::string listing_sql(const session_query& query) {
  auto text = "SELECT " + columns_of<session_row>()
              + " FROM sessions WHERE project_id = :project";
  if (query.status)
    text += " AND status = :status";
  if (!query.feature_slug.empty())
    text += " AND feature_slug = :slug";
  if (!query.created_by.empty())
    text += " AND created_by = :creator";
  if (!query.cursor.empty())
    text += " AND (created_at, id) < (:created, :id)";
  text += " ORDER BY created_at DESC, id DESC";
  if (has_count(query))
    text += " LIMIT :count";
  return text;
}

std::string live_sql() {
  // Not ordered: for an order the database would rather walk through all that
  // ever were in the project than sort the few that live.
  return "SELECT " + columns_of<session_row>()
         + " FROM sessions WHERE project_id = :project AND "
         + std::string{is_live_sql};
}

std::string take_live_sql() {
  return "UPDATE sessions SET epoch = epoch + 1 WHERE node = :node AND "
         + std::string{is_live_sql} + " RETURNING " + columns_of<session_row>();
}

std::string ended_before_sql() {
  return "SELECT id FROM sessions WHERE ended_at < :before AND " + is_over_sql()
         + " AND (node = :node OR NOT EXISTS (SELECT 1 FROM nodes"
           " WHERE name = sessions.node AND ABS(lease_until) > :before))"
           " ORDER BY ended_at LIMIT :count";
}

std::string ended_sql() {
  // Each half by its own index.
  auto half = [](const std::string& table, const char* is_review,
                 std::string_view over) {
    return std::string{"SELECT * FROM (SELECT project_id, id, ended_at, "}
           + is_review + " AS is_review FROM " + table
           + " WHERE ended_at > 0 AND ended_at >= :since"
             " AND (ended_at > :since OR id > :id)"
           + std::string{over} + " ORDER BY ended_at, id LIMIT :count) AS "
           + table + "_over";
  };
  return half("sessions", "0", " AND NOT (" + std::string{is_live_sql} + ")")
         + " UNION ALL " + half("reviews", "1", "")
         + " ORDER BY ended_at, id LIMIT :count";
}

// -- writes -------------------------------------------------------------------

insert_result insert_session(connection& c, const session_record& session,
                             std::uint32_t max_active, std::uint32_t max_of_key,
                             const std::vector<session_webhook>& webhooks) {
  auto row = to_row(session);
  return in_transaction(c, [&](soci::session& sql) {
    if (!hold_project(c, sql, session.project_id, session.node))
      throw refused(errc::not_found, "project not found");
    // The look is for choosing a slot and for the right answer; that nobody
    // else gets slot or branch is for the constraints. Who loses a race to
    // another connection looks again.
    constexpr int attempts = 100;
    for (int i = 0; i < attempts; ++i) {
      auto found = look(sql, session.project_id, session.branch);
      if (found.live >= max_active || found.free_slot >= max_active)
        return insert_result::no_slot;
      if (found.has_branch)
        return insert_result::branch_taken;
      if (max_of_key != 0
          && made_by(c, sql, session.created_by).size() >= max_of_key)
        return insert_result::key_full;
      if (insert_in_slot(sql, row, found.free_slot)) {
        add_session_webhooks(sql, session, webhooks);
        return insert_result::ok;
      }
      if (is_known(sql, session.id))
        throw refused(errc::conflict,
                      "session \"" + session.id + "\" exists already");
    }
    throw unavailable("a session lost every race for a slot");
  });
}

std::vector<std::string> live_of_key(connection& c, const std::string& key_id) {
  return in_transaction(
    c, [&](soci::session& sql) { return made_by(c, sql, key_id); });
}

bool update_session(connection& c, const session_record& session,
                    const std::vector<session_event>& events) {
  auto row = to_row(session);
  const auto before = row.version - 1;
  return in_transaction(c, [&](soci::session& sql) {
    soci::statement statement{sql};
    each_column(row, [&](const char* name, auto& field) {
      if (is_written_by_update(name))
        statement.exchange(soci::use(field, name));
    });
    statement.exchange(soci::use(row.id, "this_id"));
    statement.exchange(soci::use(row.epoch, "this_epoch"));
    statement.exchange(soci::use(before, "version_before"));
    if (execute_bound(statement, update_sql()) == 1) {
      add_to_outbox(sql, session.id, session.version, events);
      queue_deliveries(sql, session, events);
      if (session.status == session_status::expired && ends(events))
        add_audit_of_expiry(c, session);
      return true;
    }
    // Perhaps it is there already: a writer that never heard of its success
    // writes the same again.
    auto stored = fetch_sessions(sql,
                                 "SELECT " + columns_of<session_row>()
                                   + " FROM sessions WHERE id = :id",
                                 soci::use(row.id, "id"));
    return !stored.empty() && stored.front() == from_row(row);
  });
}

void own_all_sessions(connection& c, const std::string& node) {
  check_text("node", node);
  in_transaction(c, [&](soci::session& sql) {
    sql << "UPDATE sessions SET node = :node, home_epoch = epoch + 1"
           " WHERE node <> :same"
           " AND status IN ('creating', 'active', 'checking_in')",
      soci::use(node, "node"), soci::use(node, "same");
    sql << "UPDATE projects SET owner = '' WHERE owner <> ''";
    return true;
  });
}

std::optional<session_record> take_session(connection& c, const std::string& id,
                                           const std::string& node) {
  check_text("id", id);
  check_text("node", node);
  auto rows = in_transaction(c, [&](soci::session& sql) {
    if (!may_have(c, sql, id, node))
      return std::vector<session_record>{};
    return fetch_sessions(sql,
                          "UPDATE sessions SET " + std::string{to_node_sql}
                            + " WHERE id = :id RETURNING "
                            + columns_of<session_row>(),
                          soci::use(node, "node"), soci::use(id, "id"));
  });
  if (rows.empty())
    return std::nullopt;
  return std::move(rows.front());
}

std::vector<session_record> take_live_sessions(connection& c,
                                               const std::string& node) {
  check_text("node", node);
  auto rows = in_transaction(c, [&](soci::session& sql) {
    return fetch_sessions(sql, take_live_sql(), soci::use(node, "node"));
  });
  std::ranges::sort(rows, {}, by_age);
  return rows;
}

// -- reads --------------------------------------------------------------------

std::optional<session_record> find_session(connection& c,
                                           const std::string& id) {
  auto rows = reading(c, [&](soci::session& sql) {
    return fetch_sessions(sql,
                          "SELECT " + columns_of<session_row>()
                            + " FROM sessions WHERE id = :id",
                          soci::use(id, "id"));
  });
  if (rows.empty())
    return std::nullopt;
  return std::move(rows.front());
}

std::uint64_t home_epoch(connection& c, const std::string& id) {
  return reading(c, [&](soci::session& sql) {
    long long result = 0;
    sql << "SELECT home_epoch FROM sessions WHERE id = :id", soci::into(result),
      soci::use(id, "id");
    return static_cast<std::uint64_t>(result);
  });
}

std::vector<session_record> live_sessions(connection& c,
                                          const std::string& project_id) {
  auto rows = reading(c, [&](soci::session& sql) {
    return fetch_sessions(sql, live_sql(), soci::use(project_id, "project"));
  });
  std::ranges::sort(rows, std::greater<>{}, by_age);
  return rows;
}

session_list list_sessions(connection& c, const session_query& query) {
  const auto after = parse_cursor(query.cursor);
  const std::string status{query.status ? to_string(*query.status) : ""};
  // One more than asked for tells whether there is more.
  const auto count = static_cast<long long>(query.limit) + 1;
  session_list result;
  result.sessions = reading(c, [&](soci::session& sql) {
    std::vector<session_record> rows;
    auto bind = [&](soci::statement& statement) {
      statement.exchange(soci::use(query.project_id, "project"));
      if (query.status)
        statement.exchange(soci::use(status, "status"));
      if (!query.feature_slug.empty())
        statement.exchange(soci::use(query.feature_slug, "slug"));
      if (!query.created_by.empty())
        statement.exchange(soci::use(query.created_by, "creator"));
      if (!query.cursor.empty()) {
        statement.exchange(soci::use(after.created_at, "created"));
        statement.exchange(soci::use(after.id, "id"));
      }
      if (has_count(query))
        statement.exchange(soci::use(count, "count"));
    };
    each_row<session_row>(
      sql, listing_sql(query), bind, [&](const session_row& row) {
        auto session = from_row(row);
        if (query.label.empty() || has_label(session, query.label))
          rows.push_back(std::move(session));
        return query.limit == 0 || rows.size() <= query.limit;
      });
    return rows;
  });
  if (query.limit > 0 && result.sessions.size() > query.limit) {
    result.sessions.pop_back();
    const auto& last = result.sessions.back();
    result.next_cursor = make_cursor({last.created_at, last.id});
  }
  return result;
}

// -- the end ------------------------------------------------------------------

dropped drop_ended(connection& c, unix_ms before, std::uint32_t limit,
                   const drop_rules& rules) {
  check_text("node", rules.node);
  return in_transaction(c, [&](soci::session& sql) {
    dropped result;
    const long long time = before;
    // Those that stay come first again each time, and are few.
    for (long long count = std::max<long long>(limit, 1);; count *= 2) {
      result.sessions =
        fetch_ids(sql, ended_before_sql(), soci::use(time, "before"),
                  soci::use(rules.node, "node"), soci::use(count, "count"));
      const auto all = static_cast<long long>(result.sessions.size());
      std::erase_if(result.sessions,
                    [&](const auto& id) { return rules.except.contains(id); });
      if (!result.sessions.empty() || all < count)
        break;
    }
    if (result.sessions.size() > limit)
      result.sessions.resize(limit);
    for (const auto& id : result.sessions)
      drop_rows(sql, id, result);
    return result;
  });
}

dropped drop_sessions(connection& c, const std::vector<std::string>& ids,
                      const std::string& node) {
  check_text("node", node);
  return in_transaction(c, [&](soci::session& sql) {
    dropped result;
    for (const auto& id : ids) {
      check_text("id", id);
      for (auto& one : fetch_ids(sql,
                                 "SELECT id FROM sessions WHERE id = :id"
                                 " AND node = :node AND "
                                   + is_over_sql(),
                                 soci::use(id, "id"), soci::use(node, "node")))
        result.sessions.push_back(std::move(one));
    }
    for (const auto& id : result.sessions)
      drop_rows(sql, id, result);
    return result;
  });
}

std::vector<ended_session> list_ended(connection& c,
                                      const greenroom::list_ended& what) {
  check_text("id", what.id);
  return reading(c, [&](soci::session& sql) {
    std::vector<ended_session> result;
    ended_session one;
    long long ended_at = 0;
    int is_review = 0;
    const long long since = what.ended_at;
    const long long count = what.limit;
    soci::statement statement{sql};
    statement.exchange(soci::into(one.project_id));
    statement.exchange(soci::into(one.id));
    statement.exchange(soci::into(ended_at));
    statement.exchange(soci::into(is_review));
    statement.exchange(soci::use(since, "since"));
    statement.exchange(soci::use(what.id, "id"));
    statement.exchange(soci::use(count, "count"));
    statement.alloc();
    statement.prepare(ended_sql(), once);
    statement.define_and_bind();
    statement.execute();
    while (statement.fetch()) {
      one.ended_at = ended_at;
      one.is_review = is_review != 0;
      result.push_back(one);
    }
    return result;
  });
}

} // namespace greenroom::store
