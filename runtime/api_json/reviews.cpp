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

} // namespace

ordered_json review_json(const review_record& review) {
  ordered_json out;
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
  put(out, "decided_by", review.decided_by);
  out["created_at"] = format_rfc3339(review.created_at);
  if (review.ended_at != 0)
    out["ended_at"] = format_rfc3339(review.ended_at);
  out["output"] =
    "/projects/" + review.project_id + "/reviews/" + review.id + "/output";
  return out;
}

} // namespace greenroom
