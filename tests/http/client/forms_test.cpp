#include "http/client/forms.hpp"

#include "http/client/errors.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

namespace form = greenroom::http::client::form;

TEST_CASE("words of the command line that have their form are taken") {
  using check = std::string (*)(const std::string&);
  const std::vector<std::pair<check, std::vector<std::string>>> good{
    {form::duration, {"90s", "1h30m", "1.5h", "250ms", "7d"}},
    {form::project, {"a", "demo-2"}},
    {form::signal, {"INT", "SIGTERM", "1", "64"}},
    {form::http_url, {"http://a", "https://a.example:1/b"}},
    {form::variable, {"A=", "_a1=b=c"}},
  };
  for (auto& [is_wrong, words] : good)
    for (auto& word : words) {
      INFO(word);
      CHECK(is_wrong(word) == "");
    }
}

TEST_CASE("words of the command line that have not are told what would do") {
  struct {
    std::string fault;
    const char* expected;
  } const all[] = {
    {form::duration("soon"), "must be a duration like 90s, 1h30m or 7d, not "
                             "\"soon\""},
    {form::duration(""), "a duration"},
    {form::duration("-1s"), "a duration"},
    {form::project("Demo"), "lower-case"},
    {form::project("../x"), "lower-case"},
    {form::signal(""), "like INT"},
    {form::signal("int"), "like INT"},
    {form::signal("0"), "1 to 64"},
    {form::signal("65"), "1 to 64"},
    {form::http_url("example.org"), "http(s)://HOST"},
    {form::http_url("https://"), "http(s)://HOST"},
    {form::variable("=a"), "NAME=VALUE"},
    {form::variable("1A=secret"), "not \"1A\""},
  };
  for (auto& one : all) {
    INFO(one.expected);
    CHECK_THAT(one.fault, Catch::Contains(one.expected));
  }
  CHECK_NOTHROW(form::require("it", ""));
  CHECK_THROWS_AS(form::require("it", "must be else"),
                  greenroom::http::client::usage_error);
}
