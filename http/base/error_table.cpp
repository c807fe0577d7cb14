#include "http/base/error_table.hpp"

#include "http/base/reply.hpp"

#include <algorithm>

namespace greenroom::http {

namespace {

constexpr millis soon = 1000;

constexpr error_advice table[] = {
  {errc::bad_request, "",
   "Correct what the message names, then send the request again."},
  {errc::unauthorized, "",
   "Send a valid key as Authorization: Bearer KEY; an administrator makes one "
   "with POST /keys."},
  {errc::forbidden, "",
   "Use a key that may do this; GET /whoami shows what the key that you sent "
   "may do, and an administrator makes others."},
  {errc::not_found, "",
   "Check the path and its ids against the lists that the key can read, such "
   "as GET /projects and GET /sessions; /openapi.json has every route."},
  {errc::method_not_allowed, "",
   "Use one of the methods that the Allow header names."},
  {errc::session_exists, "",
   "End a session of the project first (GET …/sessions?status=active lists "
   "them), or have an administrator raise max_active_sessions."},
  {errc::checkout_exists, "",
   "Work in the session that has the branch, end that session first, or take "
   "another name; git cannot keep a and a/b side by side."},
  {errc::branch_exists, "",
   "Take another name for new_branch, or open the branch that exists with "
   "branch."},
  {errc::exec_exists, "",
   "Take another exec_id, or leave it out and one is made."},
  {errc::project_exists, "",
   "Take another id, or change that project with PATCH /projects/{id}."},
  {errc::conflict, "",
   "Read the resource again: it has changed, or its state does not allow this "
   "now."},
  {errc::body_too_large, "",
   "Send a smaller body, or have an administrator raise http.max_body."},
  {errc::unsupported_media_type, "",
   "Send JSON with Content-Type: application/json."},
  {errc::overloaded, "", "Send the request again after retry_after_ms.", true,
   soon},
  {errc::unavailable, "",
   "Send the request again after retry_after_ms; if it goes on, GET /readyz "
   "says what the server lacks.",
   true, soon},
  {errc::timeout, "",
   "Send the request again, a POST with the same Idempotency-Key so that it "
   "takes effect once.",
   true, soon},
  {errc::internal, "",
   "Report it with the request id of this answer, by which the server's log "
   "has the cause."},
  {errc::key_reused, "",
   "Use a new Idempotency-Key for each new request, and the same one only to "
   "repeat a request as it was."},
  {errc::operation_in_progress, "",
   "End the operation in the session, or abort it, with one of the commands "
   "that the message names; then check in again."},
  {errc::rate_limited, "",
   "Send the request again after retry_after_ms; have an administrator raise "
   "the limit that the message names if that is too slow.",
   true, soon},
  {errc::quota_exceeded, "",
   "End what the message names and is not needed any more, or have an "
   "administrator raise the limit."},

  {errc::bad_request, "session is not active",
   "Create another session; the work of one that is over is in its branch, or "
   "under the rescue_refs that GET of the session names."},
  {errc::bad_request, "project pod is not running",
   "Have an administrator start the project: PATCH /projects/{id} with "
   "{\"status\": \"running\"}."},
  {errc::bad_request, "cannot checkout protected branch",
   "Take a branch of your own: new_branch with a new name, and from_ref with "
   "the protected branch."},
  {errc::bad_request, "expires_in must be a valid duration (e.g., 24h, 7d)",
   "Give whole days from 1d to 30d, or a duration like 90s, 90m or 1h30m; 0 "
   "and less is none."},
  {errc::bad_request, "expires_in cannot exceed 30 days",
   "Take at most 30d, counted from now, and extend the session later; from "
   "its creation on it lives 30 days at most."},
  {errc::not_found, "branch not found",
   "Check the name with git ls-remote: branch takes a branch of the upstream, "
   "from_ref a branch, tag or commit of it or a full name such as "
   "refs/pull/7/head or refs/greenroom/rescue/…; new_branch makes a branch."},
  {errc::not_found, "project not found",
   "GET /projects lists the projects that the key can see; an administrator "
   "makes others with POST /projects."},
  {errc::not_found, "session not found",
   "GET /sessions lists the sessions that the key can see, also those that "
   "are over."},
  {errc::not_found, "exec not found", "GET …/execs lists the session's execs."},
  {errc::not_found, "route not found", "/openapi.json has every route."},
  {errc::unavailable, "this node serves no previews: set preview.listen",
   "Have an administrator set preview.listen; GET …/ports/{port}/tunnel "
   "reaches the port without it."},
  {errc::conflict,
   "a request with this Idempotency-Key is being served right now",
   "Send it again after retry_after_ms to get the answer of the first.", true,
   soon},
};

bool is_of(const error_advice& row, errc code) noexcept {
  return row.code == code && row.message.empty();
}

} // namespace

std::span<const error_advice> error_table() noexcept {
  return table;
}

const error_advice& advice_for(const refusal& what) noexcept {
  auto exact = std::ranges::find_if(table, [&](const error_advice& row) {
    return row.code == what.code && row.message == what.message;
  });
  if (exact != std::end(table) && !exact->message.empty())
    return *exact;
  auto general = std::ranges::find_if(
    table, [&](const error_advice& row) { return is_of(row, what.code); });
  return general != std::end(table) ? *general : table[0];
}

std::string errors_document() {
  std::string text =
    "# Errors\n\n"
    "Every answer that is no success has a JSON body with `error`: its `code`, "
    "a `message` that\nnames what was wrong, and `details`: `remediation`, "
    "what would help; `retryable`, whether\nthe same request may succeed "
    "later; and where it helps `retry_after_ms`.\n";
  for (auto& general : table) {
    if (!general.message.empty())
      continue;
    text += "\n## ";
    text += code_name(general.code);
    text += "\n\nStatus " + std::to_string(status_of(general.code)) + ", ";
    text += general.retryable ? "retryable" : "not retryable";
    text += ". ";
    text += general.remediation;
    text += '\n';
    for (auto& row : table)
      if (row.code == general.code && !row.message.empty()) {
        text += "\n- `";
        text += row.message;
        text += row.retryable == general.retryable ? "`: "
                : row.retryable                    ? "` (retryable): "
                                                   : "` (not retryable): ";
        text += row.remediation;
        text += '\n';
      }
  }
  return text;
}

} // namespace greenroom::http
