#include "http/base/error_table.hpp"

#include "http/api/documents.hpp"
#include "http/base/reply.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <set>
#include <string>
#include <vector>

using namespace greenroom;
using namespace greenroom::http;
using nlohmann::json;

namespace {

/// Every code there is: those behind the last one have no name of their own.
std::vector<errc> all_codes() {
  std::vector<errc> result;
  for (int i = 1; i < 256; ++i)
    if (auto code = static_cast<errc>(i);
        code_name(code) != "INTERNAL" || code == errc::internal)
      result.push_back(code);
  return result;
}

json error_of(const refusal& what, std::string_view details = {}) {
  return json::parse(error_response(what, "r1", 0, details).body)["error"];
}

} // namespace

TEST_CASE("every error code has advice of its own, in one sentence") {
  std::set<std::string> seen;
  for (auto code : all_codes()) {
    CAPTURE(code_name(code));
    auto& advice = advice_for({code, "whatever it was"});
    CHECK(advice.code == code);
    CHECK(advice.message.empty());
  }
  for (auto& row : error_table()) {
    CAPTURE(code_name(row.code), row.message);
    std::string text{row.remediation};
    CHECK(text.size() > 20);
    CHECK((text.ends_with('.') && text.find('\n') == text.npos));
    CHECK(seen
            .insert(std::string{code_name(row.code)} + ' '
                    + std::string{row.message})
            .second);
    CHECK((row.retryable || row.retry_after == 0));
  }
}

TEST_CASE("an error carries its advice, and what its own details are") {
  auto missing = error_of({errc::not_found, "no such thing"});
  CHECK(missing["code"] == "NOT_FOUND");
  CHECK(missing["message"] == "no such thing");
  CHECK(missing["details"]["retryable"] == false);
  CHECK(missing["details"]["remediation"]
        == advice_for({errc::not_found, ""}).remediation);
  CHECK_FALSE(missing["details"].contains("retry_after_ms"));

  auto busy = error_of({errc::overloaded, "busy"}, R"({"reasons":["x"]})");
  CHECK(busy["details"]["retryable"] == true);
  CHECK(busy["details"]["retry_after_ms"] == 1000);
  CHECK(busy["details"]["reasons"] == json{"x"});
  CHECK(error_of({errc::internal, "x"}, "{}")["details"].size() == 2);

  // What only another configuration mends is not to be tried again.
  auto unserved =
    error_of({errc::unavailable, "this node serves no previews: set "
                                 "preview.listen"});
  CHECK(unserved["details"]["retryable"] == false);

  auto over = error_of({errc::bad_request, "session is not active"});
  CHECK(over["details"]["remediation"]
        != error_of({errc::bad_request, "x"})["details"]["remediation"]);
}

TEST_CASE("what can be sent again soon says so in a header too") {
  auto has_retry_after = [](errc code) {
    for (auto& [name, value] : error_response({code, "x"}, "r", 0).headers)
      if (name == "Retry-After")
        return value == "1";
    return false;
  };
  for (auto code : all_codes()) {
    CAPTURE(code_name(code));
    CHECK(has_retry_after(code) == (advice_for({code, "x"}).retry_after > 0));
  }
}

TEST_CASE("the documents have every error code and no other") {
  json names = json::array();
  for (auto code : all_codes())
    names.push_back(code_name(code));
  auto document = json::parse(openapi_document());
  CHECK(document["components"]["schemas"]["ErrorCode"]["enum"] == names);

  auto page = errors_document();
  for (auto& row : error_table()) {
    CAPTURE(code_name(row.code), row.message);
    CHECK(page.find("\n## " + std::string{code_name(row.code)} + "\n")
          != page.npos);
    CHECK(page.find(row.remediation) != page.npos);
    CHECK(page.find(row.message) != page.npos);
  }
}
