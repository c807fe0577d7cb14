// Sessions by a word, and results as tables, JSON and names.
#include "http/client/errors.hpp"
#include "http/client/id_choice.hpp"
#include "http/client/printable.hpp"
#include "http/client/printing.hpp"
#include "http/client/session_choice.hpp"

#include <catch2/catch.hpp>

using namespace greenroom::http::client;
using namespace std::chrono_literals;

namespace {

json session(const char* id, const char* branch, const char* status) {
  return {
    {"id", id}, {"project_id", "demo"}, {"branch", branch}, {"status", status}};
}

} // namespace

TEST_CASE("a session is meant by id, prefix or branch") {
  auto all = json::array(
    {session("abc1", "fix", "active"), session("abd2", "fix", "ended"),
     session("xyz3", "other", "ended"), session("q", "twice", "active"),
     session("r", "twice", "active"), session("xyw4", "other", "expired")});
  CHECK(match_session(all, "abc1")->id == "abc1");
  CHECK(match_session(all, "fix")->id == "abc1"); // the live one
  CHECK(match_session(all, "other")->id == "xyz3");
  CHECK(match_session(all, "xyz")->id == "xyz3");
  CHECK(match_session(all, "ab")->id == "abc1"); // the live one here, too
  CHECK_FALSE(match_session(all, "none"));
  CHECK_THROWS_WITH(match_session(all, "xy"), Catch::Contains("xyw4"));
  CHECK_THROWS_AS(match_session(all, "twice"), usage_error);
}

TEST_CASE("tables line up, and nothing is cut") {
  CHECK(table({{"A", "LONGER"}, {"bcd", "e"}, {"ü", "f"}})
        == "A    LONGER\nbcd  e\nü    f\n");
  // Wide characters take two places, what combines takes none.
  CHECK(table({{"A", "B"}, {"中文", "c"}, {"e\u0301\xff", "d"}})
        == "A     B\n中文  c\ne\u0301\xff    d\n");
  auto all = json::array({session("abc1", "fix", "active")});
  all[0]["labels"] = nullptr;
  std::vector<column> columns{field_column("ID", "id"),
                              field_column("LABELS", "labels"),
                              field_column("NONE", "none")};
  printing how;
  CHECK(shown(all, columns, how) == "ID    LABELS  NONE\nabc1  -       -\n");
  how.format = output_format::as_names;
  CHECK(shown(all, columns, how) == "abc1\n");
  how.format = output_format::as_json;
  how.fields = {"status", "none"};
  CHECK(json::parse(shown(all, columns, how))
        == json::array({{{"status", "active"}, {"none", nullptr}}}));
  CHECK(json::parse(shown(all[0], columns, how)).is_object());
}

TEST_CASE("a field that is nowhere is told of") {
  auto all = json::array({{{"id", "a"}}, {{"id", "b"}, {"exit_code", 0}}});
  CHECK(unknown_fields(all, {"id", "exit_code"}).empty());
  CHECK(unknown_fields(all, {}).empty());
  CHECK(unknown_fields(json::array(), {"none"}).empty());
  CHECK(unknown_fields(all, {"stauts", "id", "x"})
        == "there is no field \"stauts\", \"x\" here, but exit_code, id");
  CHECK_FALSE(unknown_fields(all[0], {"exit_code"}).empty());
}

TEST_CASE("what others have written does not steer the terminal") {
  CHECK(printable("\x1b]52;c;cm0=\x07") == "\\x1b]52;c;cm0=\\x07");
  CHECK(printable("a\nb\tc\rd\x7f") == "a\\nb\\tc\\x0dd\\x7f");
  CHECK(printable("a\nb\tc\x1b", "\n\t") == "a\nb\tc\\x1b");
  // Control characters and turns of direction beyond ASCII; letters stay.
  CHECK(printable("\u009b31m \u202e \u2066")
        == "\\xc2\\x9b31m "
           "\\xe2\\x80\\xae "
           "\\xe2\\x81\\xa6");
  CHECK(printable("\u00a0ü 中 \u2029\xc2") == "\u00a0ü 中 \u2029\xc2");
  CHECK(table({{"A", "B"}, {"\x1b[2J", "x"}}) == "A        B\n\\x1b[2J  x\n");
  auto all = json::array({session("abc1", "fix", "active")});
  all[0]["status_reason"] = "by \"\x1b[8m\"";
  CHECK(shown(all, {field_column("WHY", "status_reason")}, {})
        == "WHY\nby \"\\x1b[8m\"\n");
}

TEST_CASE("a key is shown by its name, where that is known") {
  auto by = key_column("BY", "by");
  CHECK(by.title == "BY");
  CHECK(by.text({{"by", "k1"}, {"by_name", "Ada"}}) == "Ada");
  CHECK(by.text({{"by", "k1"}}) == "k1");
  CHECK(by.text({{"by_name", "clock"}}) == "clock");
  CHECK(by.text(json::object()) == "-");
}

TEST_CASE("times are said as ages") {
  auto now = std::chrono::system_clock::from_time_t(1'000'000'000);
  CHECK(age("2001-09-09T01:46:40.000Z", now) == "0s");
  CHECK(age("2001-09-09T01:41:40Z", now) == "5m");
  CHECK(age("2001-09-08T01:46:40Z", now) == "24h");
  CHECK(age("2001-09-09T03:46:40Z", now) == "in 2h");
  CHECK(age("2001-09-10T01:46:39Z", now) == "in 24h");
  CHECK(age("2001-09-08T01:46:41Z", now) == "23h");
  CHECK(age("never", now) == "never");

  // What has happened is never ahead, whatever the clocks say.
  json later{{"at", "2199-01-01T00:00:00Z"}};
  CHECK(past_column("AGE", "at").text(later) == "0s");
  CHECK(age_column("EXPIRES", "at").text(later).starts_with("in "));
  json before{{"at", "2001-01-01T00:00:00Z"}};
  CHECK(past_column("AGE", "at").text(before)
        == age_column("AGE", "at").text(before));
  CHECK(past_column("AGE", "none").text(before) == "-");
}

TEST_CASE("an id is meant by a prefix that no other has") {
  const auto rows = json::array(
    {{{"exec_id", "abc1"}}, {{"exec_id", "abc2"}}, {{"exec_id", "abc"}}});
  CHECK(match_id(rows, "exec_id", "abc1") == "abc1");
  CHECK(match_id(rows, "exec_id", "abc") == "abc"); // it is one
  CHECK(match_id(rows, "exec_id", "none") == "none");
  CHECK_THROWS_MATCHES(match_id(rows, "exec_id", "ab"), usage_error,
                       Catch::Message("\"ab\" can mean several:\n  abc1\n  "
                                      "abc2\n  abc"));
}

TEST_CASE("fields of the API are told as options") {
  CHECK(in_options("from_ref needs new_branch")
        == "--from needs the new branch");
  CHECK(in_options("until must be a, not my_from_ref or from_refs")
        == "--for must be a, not my_from_ref or from_refs");
  CHECK(in_options("nothing of it lasts until noon")
        == "nothing of it lasts until noon");
}
