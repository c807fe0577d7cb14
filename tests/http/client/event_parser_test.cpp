// Events in whatever pieces they come.
#include "http/client/event_parser.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace greenroom::http::client;

namespace {

std::vector<server_event> all_of(event_parser& from) {
  std::vector<server_event> result;
  while (auto one = from.next())
    result.push_back(*one);
  return result;
}

} // namespace

TEST_CASE("the client reads events, however they are cut") {
  const std::string text = ": hello\n\nevent: a\ndata: one\nid: 1-1\n\n"
                           "data:two\ndata: lines\r\nid: 1-2\r\n\r\n"
                           "id: 1-3\n\n";
  for (std::size_t size = 1; size <= text.size(); ++size) {
    event_parser parser;
    for (std::size_t at = 0; at < text.size(); at += size)
      parser.feed(std::string_view{text}.substr(at, size));
    auto events = all_of(parser);
    REQUIRE(events.size() == 2);
    CHECK(events[0].type == "a");
    CHECK(events[0].data == "one");
    CHECK(events[0].id == "1-1");
    CHECK(events[1].data == "two\nlines");
    CHECK(events[1].id == "1-2");
    // A block without data is no event, but its id counts.
    CHECK(parser.last_id() == "1-3");
  }
}

TEST_CASE("an id that comes before any event counts at once") {
  event_parser parser;
  parser.feed("retry: 1000\nid: 1-5\n");
  CHECK(parser.last_id() == "1-5");
  // An event's own does when it is whole.
  parser.feed(":\nevent: a\ndata: one\nid: 1-6\n");
  CHECK(parser.last_id() == "1-5");
  parser.restart();
  CHECK(parser.last_id() == "1-5");
  parser.feed("id: 1-5\nevent: a\ndata: one\nid: 1-6\n\n");
  CHECK(parser.last_id() == "1-6");
  CHECK(all_of(parser)[0].id == "1-6");
}

TEST_CASE("what a broken connection left half is forgotten by the client") {
  event_parser parser;
  parser.feed("data: one\nid: 1-1\n\ndata: two\nid: 1-2\n");
  CHECK(all_of(parser).size() == 1);
  parser.restart();
  CHECK(parser.last_id() == "1-1");
  parser.feed("data: two\nid: 1-2\n\n");
  auto events = all_of(parser);
  REQUIRE(events.size() == 1);
  CHECK(events[0].data == "two");
  CHECK(parser.last_id() == "1-2");
}
