#include "http/client/forms.hpp"

#include "http/client/errors.hpp"
#include "runtime/auth/scopes.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

namespace form = greenroom::http::client::form;

TEST_CASE("words of the command line that have their form are taken") {
  using check = std::string (*)(const std::string&);
  const std::vector<std::pair<check, std::vector<std::string>>> good{
    {form::duration, {"90s", "1h30m", "1.5h", "250ms", "7d"}},
    {form::lifetime, {"90m", "24h", "30d", "1d"}},
    {form::project, {"a", "demo-2"}},
    {form::session_status,
     {"creating", "active", "checking_in", "ended", "expired", "terminated",
      "failed"}},
    {form::review_status,
     {"queued", "running", "approved", "rejected", "merged", "conflict",
      "stale", "failed"}},
    {form::delivery_status, {"pending", "delivered", "failed"}},
    {form::goal,
     {"ended", "setup:done", "preview:ready", "review:finished", "port:1",
      "port:65535", "exec:a_B-9:exited"}},
    {form::event_types,
     {"session.created", "session.moved", "exec.exited,session.ended",
      "webhook.disabled"}},
    {form::event_place, {"earliest", "now", "3-17"}},
    {form::webhook_type, {"session.ended", "webhook.disabled"}},
    {form::signal, {"INT", "SIGTERM", "1", "64"}},
    {form::http_url, {"http://a", "https://a.example:1/b"}},
    {form::variable, {"A=", "_a1=b=c"}},
  };
  for (auto& [is_wrong, words] : good)
    for (auto& word : words) {
      INFO(word);
      CHECK(is_wrong(word) == "");
    }
  for (auto scope : greenroom::all_scopes)
    CHECK(form::scope(std::string{scope}) == "");
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
    {form::lifetime("31d"), "from 1d to 30d"},
    {form::lifetime("721h"), "no longer than 30 days"},
    {form::project("Demo"), "lower-case"},
    {form::project("../x"), "lower-case"},
    {form::session_status("live"),
     "creating, active, checking_in, ended, expired, terminated or failed"},
    {form::review_status("open"), "queued, running, approved, rejected"},
    {form::delivery_status("sent"), "pending, delivered or failed"},
    {form::goal("bogus"), "exec:ID:exited, setup:done, port:N"},
    {form::goal("port:0"), "port:N"},
    {form::goal("port:65536"), "port:N"},
    {form::goal("port:80x"), "port:N"},
    {form::goal("exec::exited"), "exec:ID:exited"},
    {form::goal("exec:a b:exited"), "exec:ID:exited"},
    {form::goal(""), "or ended"},
    {form::event_types("exec.ended"), "exec.started"},
    {form::event_types("exec.exited,"), "session.created"},
    {form::event_place("3"), "3-17"},
    {form::webhook_type("exec.exited"), "session.ended"},
    {form::scope("root"), "metrics:read or admin"},
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
