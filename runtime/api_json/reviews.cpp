#include "runtime/api_json/reviews.hpp"

#include "runtime/base/timestamps.hpp"

#include <nlohmann/json.hpp>

namespace greenroom {

using nlohmann::ordered_json;

namespace {

void put(ordered_json& out, const char* name, const std::string& text) {
  if (!text.empty())
    out[name] = text;
}

// A review keeps the name of who decided, before that of who made it. One that
// is judged anew may still have that of who decided first, and one that a
// session has made as it expired has the id in its place.
std::string kept_name(const review_record& review, const std::string& key_id) {
  const auto is_theirs = review.decided_by.empty()
                           ? review.attempt == 1
                           : key_id == review.decided_by;
  return is_theirs && review.by_name != key_id ? review.by_name : std::string{};
}

} // namespace

ordered_json review_json(const review_record& review,
                         const key_namer& name_of) {
  ordered_json out;
  auto put_name = [&](const char* field, const std::string& key_id) {
    if (key_id.empty())
      return;
    auto name = name_of(key_id);
    put(out, field, name.empty() ? kept_name(review, key_id) : name);
  };
  out["id"] = review.id;
  out["project_id"] = review.project_id;
  out["session_id"] = review.session_id;
  out["status"] = to_string(review.status);
  put(out, "status_reason", review.status_reason);
  out["branch"] = review.branch;
  out["target"] = review.target;
  out["commit"] = review.commit;
  out["base"] = review.base;
  out["auto_merge"] = review.auto_merge;
  out["skipped"] = review.skipped;
  put(out, "comment", review.comment);
  put(out, "merge_commit", review.merge_commit);
  if (!review.files.empty())
    out["files"] = review.files;
  if (review.exit_code >= 0)
    out["exit_code"] = review.exit_code;
  out["attempt"] = review.attempt;
  out["created_by"] = review.created_by;
  put_name("created_by_name", review.created_by);
  put(out, "decided_by", review.decided_by);
  put_name("decided_by_name", review.decided_by);
  out["created_at"] = format_rfc3339(review.created_at);
  if (review.ended_at != 0)
    out["ended_at"] = format_rfc3339(review.ended_at);
  out["output"] =
    "/projects/" + review.project_id + "/reviews/" + review.id + "/output";
  return out;
}

} // namespace greenroom
