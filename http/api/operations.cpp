#include "http/api/credentials.hpp"
#include "http/api/documents.hpp"
#include "http/api/handlers.hpp"
#include "http/base/error_table.hpp"
#include "http/base/parse.hpp"
#include "http/base/without_paths.hpp"
#include "http/edge/thread_context.hpp"
#include "runtime/auth/api_keys.hpp"
#include "runtime/base/version.hpp"

#include <nlohmann/json.hpp>

#include <functional>
#include <memory>
#include <string>
#include <utility>

namespace greenroom::http::handlers {

using ordered_json = nlohmann::ordered_json;

namespace {

// A reason for people without a key: what it says of this machine's files is
// not theirs to know.
std::vector<std::string>
shown_to(const exchange& ex,
         const std::function<std::vector<std::string>()>& texts) {
  auto result = texts ? texts() : std::vector<std::string>{};
  auto keys = ex.env.keys.snapshot();
  if (find_key(credentials_of(ex.in), ex.env.keys, *keys) == nullptr)
    for (auto& text : result)
      text = without_paths(text);
  return result;
}

} // namespace

void errors(const exchange_ptr& ex) {
  response answer;
  answer.content_type = "text/markdown; charset=utf-8";
  static const auto text =
    std::make_shared<const std::string>(errors_document());
  answer.shared = {text, *text};
  ex->send(std::move(answer));
}

void guide(const exchange_ptr& ex) {
  response answer;
  answer.content_type = "text/markdown; charset=utf-8";
  answer.shared = {nullptr, guide_document()};
  ex->send(std::move(answer));
}

void healthz(const exchange_ptr& ex) {
  ex->reply(200, R"({"status":"ok"})");
}

void readyz(const exchange_ptr& ex) {
  auto reasons = shown_to(*ex, ex->env.ready);
  if (reasons.empty()) {
    ordered_json answer{{"status", "ready"}};
    auto warnings = shown_to(*ex, ex->env.warnings);
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
  answer.shared = {nullptr, openapi_document()};
  ex->send(std::move(answer));
}

} // namespace greenroom::http::handlers
