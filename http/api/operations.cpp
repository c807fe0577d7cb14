#include "http/api/handlers.hpp"
#include "http/api/openapi.hpp"
#include "http/edge/thread_context.hpp"
#include "runtime/base/version.hpp"

#include <nlohmann/json.hpp>

namespace greenroom::http::handlers {

using ordered_json = nlohmann::ordered_json;

void healthz(const exchange_ptr& ex) {
  ex->reply(200, R"({"status":"ok"})");
}

void readyz(const exchange_ptr& ex) {
  auto reasons = ex->env.ready ? ex->env.ready() : std::vector<std::string>{};
  if (reasons.empty()) {
    ordered_json answer{{"status", "ready"}};
    auto warnings =
      ex->env.warnings ? ex->env.warnings() : std::vector<std::string>{};
    if (!warnings.empty())
      answer["warnings"] = warnings;
    ex->reply(200, answer.dump());
    return;
  }
  ex->send(error_response({errc::unavailable, "not ready: " + reasons.front()},
                          ex->id, now_ms(),
                          ordered_json{{"reasons", reasons}}.dump()));
}

void version(const exchange_ptr& ex) {
  ex->reply(
    200, ordered_json{{"name", "greenroom"}, {"version", greenroom::version()}}
           .dump());
}

void openapi(const exchange_ptr& ex) {
  response answer;
  answer.body = openapi_document();
  ex->send(std::move(answer));
}

} // namespace greenroom::http::handlers
