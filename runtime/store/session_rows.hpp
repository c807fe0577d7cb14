// A session as a row: how records become columns and back.
#pragma once

#include "messages/records.hpp"
#include "runtime/store/rows.hpp"

#include <string>
#include <vector>

namespace greenroom::store {

/// The columns of a session in the types that SOCI exchanges. The slot is the
/// database's own affair and in no record.
struct session_row {
  std::string id;
  std::string project_id;
  std::string node;
  std::string status;
  std::string status_reason;
  std::string branch;
  long long new_branch = 0;
  std::string base_commit;
  std::string created_by;
  std::string author;
  long long created_at = 0;
  long long expires_at = 0;
  long long ended_at = 0;
  std::string feature_slug;
  std::string on_expire;
  std::string labels; // JSON
  long long preview_port = 0;
  std::string token_hash;
  std::string commit_id;
  std::string review_id;
  std::string rescue_refs; // JSON; empty: none
  std::string rescue_note;
  long long epoch = 0;
  long long version = 0;
  long long warned = 0;
};

/// Calls `f(name, field)` for each column: the one list of them all.
template <class F>
void each_column(session_row& row, F&& f) {
  f("id", row.id);
  f("project_id", row.project_id);
  f("node", row.node);
  f("status", row.status);
  f("status_reason", row.status_reason);
  f("branch", row.branch);
  f("new_branch", row.new_branch);
  f("base_commit", row.base_commit);
  f("created_by", row.created_by);
  f("author", row.author);
  f("created_at", row.created_at);
  f("expires_at", row.expires_at);
  f("ended_at", row.ended_at);
  f("feature_slug", row.feature_slug);
  f("on_expire", row.on_expire);
  f("labels", row.labels);
  f("preview_port", row.preview_port);
  f("token_hash", row.token_hash);
  f("commit_id", row.commit_id);
  f("review_id", row.review_id);
  f("rescue_refs", row.rescue_refs);
  f("rescue_note", row.rescue_note);
  f("epoch", row.epoch);
  f("version", row.version);
  f("warned", row.warned);
}

/// Refuses text with NUL.
session_row to_row(const session_record& session);

/// Throws std::runtime_error for what this program cannot have written.
session_record from_row(const session_row& row);

/// The rows of a statement that returns session_columns().
template <class... Uses>
std::vector<session_record> fetch_sessions(soci::session& sql,
                                           const std::string& text,
                                           const Uses&... uses) {
  std::vector<session_record> result;
  for (const auto& row : fetch_rows<session_row>(sql, text, uses...))
    result.push_back(from_row(row));
  return result;
}

} // namespace greenroom::store
