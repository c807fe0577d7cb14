// What is printed of a list that is kept up to date.
#include "http/client/live_list.hpp"

#include <catch2/catch.hpp>

using namespace greenroom::http::client;

namespace {

json row(const char* id, const char* status) {
  return {{"id", id}, {"status", status}};
}

live_list sessions() {
  live_list result;
  result.columns = {field_column("ID", "id"), field_column("STATUS", "status")};
  result.wanted = [](const json& one) { return one["status"] != "ended"; };
  return result;
}

} // namespace

TEST_CASE("a list that is piped tells what changes, row by row") {
  auto list = sessions();
  live_view view{list, {}, false};
  auto all = json::array({row("abc", "active"), row("old", "ended")});
  CHECK(view.next(all) == "ID   STATUS\nabc  active\n");
  CHECK(view.next(all).empty());
  all.insert(all.begin(), row("longer", "creating"));
  CHECK(view.next(all) == "longer  creating\n");
  all[1]["status"] = "ended";
  CHECK(view.next(all) == "abc     ended\n"); // a last time
  all[1]["more"] = true;
  CHECK(view.next(all).empty());
}

TEST_CASE("a list on a terminal is drawn anew where it changes") {
  auto list = sessions();
  live_view view{list, {}, true};
  auto all = json::array({row("abc", "active"), row("old", "ended")});
  CHECK(view.next(all) == "\033[H\033[JID   STATUS\nabc  active\n");
  CHECK(view.next(all).empty());
  all[0]["status"] = "ended";
  CHECK(view.next(all) == "\033[H\033[JID  STATUS\n");
}

TEST_CASE("a live list gives programs what is new as JSON or ids") {
  auto list = sessions();
  printing how;
  how.format = output_format::as_names;
  live_view names{list, how, true};
  auto all = json::array({row("abc", "active"), row("def", "active")});
  CHECK(names.next(all) == "abc\ndef\n");
  how.format = output_format::as_json;
  how.fields = {"status"};
  live_view objects{list, how, false};
  CHECK(json::parse(objects.next(json::array({row("abc", "active")})))
        == json{{"status", "active"}});
}
