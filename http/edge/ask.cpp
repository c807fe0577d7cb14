#include "http/edge/ask.hpp"

#include "http/base/json_body.hpp"
#include "http/base/limit_reached.hpp"
#include "http/base/reply.hpp"

namespace greenroom::http::handlers {

ask_error too_many() {
  return ask_error{{errc::overloaded, "too many requests are being worked on"}};
}

bool is_away(const ask_error& why) {
  const auto code = to_refusal(why).code;
  return code == errc::unavailable || code == errc::timeout;
}

void refuse_with(const exchange_ptr& ex, const ask_error& why) {
  auto& bridge = ex->env.bridge;
  // A handle that does not answer any more must not be used again. Nor must a
  // project's where its node may be the owner no longer: one that is cut off
  // from the store does not know, and keeps its actors.
  if (why.is_gone())
    bridge.sessions.erase(ex->session_id());
  if (is_away(why))
    bridge.projects.erase(ex->project_id());
  ex->refuse(to_refusal(why));
}

void refuse_with(const exchange_ptr& ex, const refused& why) {
  const refusal what{why.code(), why.what()};
  if (auto* malformed = dynamic_cast<const malformed_body*>(&why))
    ex->send(error_response(what, ex->id, now_ms(), malformed->details()));
  else if (auto* reached = dynamic_cast<const limit_reached*>(&why)) {
    auto answer = error_response(what, ex->id, now_ms());
    answer.headers.emplace_back("RateLimit-Limit",
                                std::to_string(reached->limit()));
    answer.headers.emplace_back("RateLimit-Remaining", "0");
    answer.headers.emplace_back("RateLimit-Reset", "1");
    ex->send(std::move(answer));
  } else
    ex->refuse(what);
}

} // namespace greenroom::http::handlers
