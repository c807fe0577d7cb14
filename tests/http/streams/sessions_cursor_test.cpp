#include "http/streams/sessions_cursor.hpp"

#include "messages/errors.hpp"

#include <catch2/catch.hpp>

using namespace greenroom;
using namespace greenroom::http;

namespace {

const std::string a(20, 'a');
const std::string b(20, 'b');

} // namespace

TEST_CASE("a cursor of several sessions comes back as it was") {
  sessions_cursor cursor{17, {{a, 3}, {b, 0}}};
  auto text = to_string(cursor);
  CHECK(text == "17." + a + "-3." + b + "-0");
  CHECK(parse_sessions_cursor("x", text) == cursor);
  CHECK(parse_sessions_cursor("x", "17") == sessions_cursor{17, {}});
  cursor.project_event = 9;
  text = to_string(cursor);
  CHECK(text == "17.p-9." + a + "-3." + b + "-0");
  CHECK(parse_sessions_cursor("x", text) == cursor);
  CHECK_THROWS(parse_sessions_cursor("x", "17.p-9.p-9"));
  CHECK_THROWS(parse_sessions_cursor("x", "17.p-x"));
}

TEST_CASE("what is no cursor is refused, by name") {
  for (auto text :
       {std::string{}, std::string{"x"}, std::string{"-1"}, std::string{"1."},
        "1." + a, "1." + a + "-", "1." + a + "-x", std::string{"1.short-1"},
        "1." + a + "-1.", std::string{"3-17"}}) {
    INFO(text);
    CHECK_THROWS_WITH(parse_sessions_cursor("Last-Event-ID", text),
                      Catch::Contains("Last-Event-ID must be the id"));
  }
}

TEST_CASE("what is old is left out of a session's events, up to a number") {
  auto event = [](const std::string& time, int seq) {
    return "event: x\ndata: {\"time\":\"" + time + "\"}\nid: 3-"
           + std::to_string(seq) + "\n\n";
  };
  std::string seen;
  auto shown = [&](const old_events& old) {
    seen.clear();
    auto text = with_ids(
      event("2020-01-01", 1) + event("2020-01-03", 2) + event("2020-01-01", 3)
        + event("2020-01-01", 4) + "event: y\ndata: {}\nid: 3-5\n\n",
      [&](std::uint64_t seq) {
        seen += std::to_string(seq) + ' ';
        return std::to_string(seq);
      },
      old);
    std::string ids;
    for (std::size_t at = 0; (at = text.find("id: ", at)) != text.npos; ++at)
      ids += text[at + 4];
    return ids;
  };
  CHECK(shown({}) == "12345");
  CHECK(shown({3, "2020-01-02"}) == "245");
  CHECK(seen == "2 3 4 5 "); // the last of the old ones, too
  CHECK(shown({9, "2020-01-02"}) == "25");
}

TEST_CASE("events get other ids, and nothing between them is kept") {
  std::string seen;
  auto text =
    with_ids("retry: 1000\nid: 3-16\n:\nevent: exec.output\ndata: {\"id\": 1}\n"
             "id: 3-17\n\nevent: x\ndata: id: 4-4\nid: 3-18\n\n",
             [&](std::uint64_t seq) {
               seen += std::to_string(seq) + ' ';
               return "c" + std::to_string(seq);
             });
  CHECK(seen == "17 18 ");
  CHECK(text
        == "event: exec.output\ndata: {\"id\": 1}\nid: c17\n\n"
           "event: x\ndata: id: 4-4\nid: c18\n\n");
}
