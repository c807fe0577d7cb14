#include "runtime/store/reviews.hpp"

#include "messages/errors.hpp"
#include "runtime/store/audit.hpp"
#include "runtime/store/cursor.hpp"
#include "runtime/store/project_rows.hpp"
#include "runtime/store/rows.hpp"
#include "runtime/store/webhook_rows.hpp"

#include <nlohmann/json.hpp>

#include <stdexcept>

namespace greenroom::store {

namespace {

using nlohmann::json;
using texts = std::vector<std::string>;

struct review_row {
  std::string id;
  std::string project_id;
  std::string session_id;
  std::string branch;
  std::string target;
  std::string commit_id;
  std::string base;
  std::string status;
  std::string status_reason;
  long long auto_merge = 0;
  long long skipped = 0;
  std::string created_by;
  std::string decided_by;
  std::string by_name;
  std::string by_author;
  std::string comment;
  std::string merge_commit;
  std::string files; // JSON
  long long exit_code = 0;
  long long attempt = 0;
  long long created_at = 0;
  long long ended_at = 0;
};

// Calls `f(name, field)` for each column: the one list of them all.
template <class F>
void each_column(review_row& row, F&& f) {
  f("id", row.id);
  f("project_id", row.project_id);
  f("session_id", row.session_id);
  f("branch", row.branch);
  f("target", row.target);
  f("commit_id", row.commit_id);
  f("base", row.base);
  f("status", row.status);
  f("status_reason", row.status_reason);
  f("auto_merge", row.auto_merge);
  f("skipped", row.skipped);
  f("created_by", row.created_by);
  f("decided_by", row.decided_by);
  f("by_name", row.by_name);
  f("by_author", row.by_author);
  f("comment", row.comment);
  f("merge_commit", row.merge_commit);
  f("files", row.files);
  f("exit_code", row.exit_code);
  f("attempt", row.attempt);
  f("created_at", row.created_at);
  f("ended_at", row.ended_at);
}

std::string changing_sql() {
  std::string changes;
  review_row row;
  each_column(row, [&](const std::string& name, auto&) {
    if (name != "id")
      changes.append(changes.empty() ? "" : ", ")
        .append(name + " = excluded." + name);
  });
  return " ON CONFLICT (id) DO UPDATE SET " + changes;
}

review_row to_row(const review_record& review) {
  review_row row;
  row.id = review.id;
  row.project_id = review.project_id;
  row.session_id = review.session_id;
  row.branch = review.branch;
  row.target = review.target;
  row.commit_id = review.commit;
  row.base = review.base;
  row.status = to_string(review.status);
  row.status_reason = review.status_reason;
  row.auto_merge = review.auto_merge ? 1 : 0;
  row.skipped = review.skipped ? 1 : 0;
  row.created_by = review.created_by;
  row.decided_by = review.decided_by;
  row.by_name = review.by_name;
  row.by_author = review.by_author;
  row.comment = review.comment;
  row.merge_commit = review.merge_commit;
  // A path may be any bytes; text has to be UTF-8.
  row.files =
    json(review.files).dump(-1, ' ', false, json::error_handler_t::replace);
  row.exit_code = review.exit_code;
  row.attempt = review.attempt;
  row.created_at = review.created_at;
  row.ended_at = review.ended_at;
  check_texts(row);
  return row;
}

[[noreturn]] void throw_bad_row(const review_row& row, const char* column) {
  throw std::runtime_error("the store has review " + row.id
                           + " with a bad value for " + column);
}

review_record from_row(const review_row& row) {
  review_record review;
  review.id = row.id;
  review.project_id = row.project_id;
  review.session_id = row.session_id;
  review.branch = row.branch;
  review.target = row.target;
  review.commit = row.commit_id;
  review.base = row.base;
  if (!parse(row.status, review.status))
    throw_bad_row(row, "status");
  review.status_reason = row.status_reason;
  review.auto_merge = row.auto_merge != 0;
  review.skipped = row.skipped != 0;
  review.created_by = row.created_by;
  review.decided_by = row.decided_by;
  review.by_name = row.by_name;
  review.by_author = row.by_author;
  review.comment = row.comment;
  review.merge_commit = row.merge_commit;
  try {
    review.files = json::parse(row.files).get<texts>();
  } catch (const json::exception&) {
    throw_bad_row(row, "files");
  }
  review.exit_code = static_cast<std::int32_t>(row.exit_code);
  review.attempt = static_cast<std::uint32_t>(row.attempt);
  review.created_at = row.created_at;
  review.ended_at = row.ended_at;
  return review;
}

// The rows of a statement that returns them; `bind` adds what it uses.
template <class Bind>
std::vector<review_record> fetch(soci::session& sql, const std::string& text,
                                 Bind&& bind) {
  std::vector<review_record> result;
  each_row<review_row>(sql, text, bind, [&](const review_row& row) {
    result.push_back(from_row(row));
    return true;
  });
  return result;
}

/// What this step of a review has to announce by itself. How a review begins is
/// told by the session that it is of, and so is a merge that nobody judges.
std::optional<event_kind> announcement_of(soci::session& sql,
                                          const review_record& review) {
  std::string status;
  sql << "SELECT status FROM reviews WHERE id = :id", soci::into(status),
    soci::use(review.id, "id");
  auto before = review_status::queued;
  if (!sql.got_data() || !parse(status, before) || review.skipped
      || before == review.status)
    return std::nullopt;
  if (review.ended_at != 0)
    return event_kind::review_finished;
  if (review.status == review_status::running)
    return event_kind::review_started;
  return std::nullopt;
}

/// What the review's command has decided, and what came of the merge that it
/// let through. A person who decides has an entry of the request.
void add_audit_of_review(connection& c, const review_record& review,
                         const std::string& node) {
  using enum review_status;
  auto status = review.status;
  auto route = status == approved   ? "/projects/{id}/reviews/{rid}/approve"
               : status == rejected ? "/projects/{id}/reviews/{rid}/reject"
                                    : "/projects/{id}/reviews/{rid}/merge";
  auto entry =
    unasked_entry(reviewer_in_audit, node, "POST", route, review.ended_at);
  entry.project_id = review.project_id;
  entry.session_id = review.session_id;
  entry.object = review.id;
  if (status == conflict || status == stale || status == failed) {
    entry.status = status == failed ? 500 : 409;
    entry.code = code_name(status == failed ? errc::internal : errc::conflict);
  }
  add_audit(c, {&entry, 1});
}

} // namespace

void put_review(connection& c, const review_record& review,
                const std::string& as, const std::string& node) {
  auto row = to_row(review);
  in_transaction(c, [&](soci::session& sql) {
    if (!as.empty())
      hold_project(c, sql, review.project_id, as);
    const auto news = announcement_of(sql, review);
    insert_row(sql, "reviews", row, changing_sql());
    if (!news)
      return;
    const auto ends = *news == event_kind::review_finished;
    announce_review(sql, *news, review, ends ? review.ended_at : now_ms());
    if (ends && review.decided_by.empty())
      add_audit_of_review(c, review, node);
  });
}

std::optional<review_record> find_review(connection& c,
                                         const std::string& project_id,
                                         const std::string& id) {
  auto rows = reading(c, [&](soci::session& sql) {
    return fetch(sql,
                 "SELECT " + columns_of<review_row>()
                   + " FROM reviews WHERE id = :id",
                 [&](soci::statement& statement) {
                   statement.exchange(soci::use(id, "id"));
                 });
  });
  if (rows.empty()
      || (!project_id.empty() && rows.front().project_id != project_id))
    return std::nullopt;
  return std::move(rows.front());
}

std::string review_listing_sql(const review_query& query) {
  auto text = "SELECT " + columns_of<review_row>()
              + " FROM reviews WHERE project_id = :project";
  if (query.status)
    text += " AND status = :status";
  if (!query.cursor.empty())
    text += " AND (created_at, id) < (:created, :id)";
  text += " ORDER BY created_at DESC, id DESC";
  if (query.limit > 0)
    text += " LIMIT :count";
  return text;
}

review_list list_reviews(connection& c, const review_query& query) {
  const auto after = parse_cursor(query.cursor);
  const std::string status{query.status ? to_string(*query.status) : ""};
  // One more than asked for tells whether there is more.
  const auto count = static_cast<long long>(query.limit) + 1;
  review_list result;
  result.reviews = reading(c, [&](soci::session& sql) {
    return fetch(sql, review_listing_sql(query),
                 [&](soci::statement& statement) {
                   statement.exchange(soci::use(query.project_id, "project"));
                   if (query.status)
                     statement.exchange(soci::use(status, "status"));
                   if (!query.cursor.empty()) {
                     statement.exchange(soci::use(after.created_at, "created"));
                     statement.exchange(soci::use(after.id, "id"));
                   }
                   if (query.limit > 0)
                     statement.exchange(soci::use(count, "count"));
                 });
  });
  if (query.limit > 0 && result.reviews.size() > query.limit) {
    result.reviews.pop_back();
    const auto& last = result.reviews.back();
    result.next_cursor = make_cursor({last.created_at, last.id});
  }
  return result;
}

} // namespace greenroom::store
