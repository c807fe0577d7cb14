#include "runtime/store/session_rows.hpp"

#include <nlohmann/json.hpp>

#include <stdexcept>
#include <type_traits>

namespace greenroom::store {

namespace {

using nlohmann::json;

std::string labels_to_json(const string_map& labels) {
  for (const auto& [name, value] : labels) {
    check_text("labels", name);
    check_text("labels", value);
  }
  return json(labels).dump();
}

std::string refs_to_json(const std::vector<rescue_ref>& refs) {
  if (refs.empty())
    return {};
  auto list = json::array();
  for (const auto& one : refs)
    list.push_back({one.ref, one.commit, one.holds});
  // A reference's name need not be UTF-8.
  return list.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::vector<rescue_ref> refs_from_json(const std::string& text) {
  std::vector<rescue_ref> result;
  if (text.empty())
    return result;
  for (const auto& one : json::parse(text))
    result.push_back({one.at(0).get<std::string>(),
                      one.at(1).get<std::string>(),
                      one.at(2).get<std::string>()});
  return result;
}

[[noreturn]] void throw_bad_row(const session_row& row, const char* column) {
  throw std::runtime_error("the store has session " + row.id
                           + " with a bad value for " + column);
}

} // namespace

session_row to_row(const session_record& session) {
  session_row row;
  row.id = session.id;
  row.project_id = session.project_id;
  row.node = session.node;
  row.status = to_string(session.status);
  row.status_reason = session.status_reason;
  row.branch = session.branch;
  row.new_branch = session.new_branch ? 1 : 0;
  row.base_commit = session.base_commit;
  row.created_by = session.created_by;
  row.author = session.author;
  row.created_at = session.created_at;
  row.expires_at = session.expires_at;
  row.ended_at = session.ended_at;
  row.feature_slug = session.feature_slug;
  row.on_expire = to_string(session.expiry);
  row.labels = labels_to_json(session.labels);
  row.preview_port = session.preview_port;
  row.token_hash = session.token_hash;
  row.commit_id = session.commit;
  row.review_id = session.review_id;
  row.rescue_refs = refs_to_json(session.rescue_refs);
  row.rescue_note = session.rescue_note;
  row.epoch = static_cast<long long>(session.epoch);
  row.version = static_cast<long long>(session.version);
  row.warned = session.warned;
  check_texts(row);
  return row;
}

session_record from_row(const session_row& row) {
  session_record session;
  session.id = row.id;
  session.project_id = row.project_id;
  session.node = row.node;
  if (!parse(row.status, session.status))
    throw_bad_row(row, "status");
  session.status_reason = row.status_reason;
  session.branch = row.branch;
  session.new_branch = row.new_branch != 0;
  session.base_commit = row.base_commit;
  session.created_by = row.created_by;
  session.author = row.author;
  session.created_at = row.created_at;
  session.expires_at = row.expires_at;
  session.ended_at = row.ended_at;
  session.feature_slug = row.feature_slug;
  if (!parse(row.on_expire, session.expiry))
    throw_bad_row(row, "on_expire");
  try {
    session.labels = json::parse(row.labels).get<string_map>();
  } catch (const json::exception&) {
    throw_bad_row(row, "labels");
  }
  session.preview_port = static_cast<std::uint16_t>(row.preview_port);
  session.token_hash = row.token_hash;
  session.commit = row.commit_id;
  session.review_id = row.review_id;
  try {
    session.rescue_refs = refs_from_json(row.rescue_refs);
  } catch (const json::exception&) {
    throw_bad_row(row, "rescue_refs");
  }
  session.rescue_note = row.rescue_note;
  session.epoch = static_cast<std::uint64_t>(row.epoch);
  session.version = static_cast<std::uint64_t>(row.version);
  session.warned = row.warned;
  return session;
}

} // namespace greenroom::store
