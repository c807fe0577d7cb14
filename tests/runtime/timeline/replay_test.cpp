#include "runtime/timeline/replay.hpp"

#include "runtime/timeline/event_encoding.hpp"
#include "tests/runtime/timeline/sample_session.hpp"
#include "tests/runtime/timeline/sse_parser.hpp"
#include "tests/support/temp_dir.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <string>
#include <vector>

using namespace greenroom;
using nlohmann::json;
using test::encoded;
using test::parse_sse;
using test::sample_session;

namespace {

constexpr std::size_t everything = SIZE_MAX;

// Two execs print in turns.
void print_lines(sample_session& session, int count) {
  for (int i = 0; i < count; ++i)
    session.prints(i % 3 == 0 ? "e1" : "e2",
                   i % 2 == 0 ? output_stream::out : output_stream::err,
                   "line " + std::to_string(i) + "\n");
}

} // namespace

TEST_CASE("what a lagging watcher reads is what the others were sent") {
  sample_session session;
  session.happens(event_kind::session_created);
  print_lines(session, 300);
  auto sent = encoded(session, session.entries(), 0);
  for (std::size_t max_bytes :
       {std::size_t{1}, std::size_t{1000}, everything}) {
    std::string text;
    std::uint64_t after = 0;
    for (;;) {
      auto batch =
        replay_events(session.dir(), session.id, after, {}, max_bytes);
      CHECK(batch.after == after);
      CHECK_FALSE(batch.end);
      if (batch.last == after)
        break;
      // An event here is well under 300 bytes.
      CHECK((max_bytes == everything || batch.text.size() < max_bytes + 300));
      text += batch.text.view();
      after = batch.last;
    }
    CHECK(after == 301);
    CHECK(text == sent.text.view());
  }
}

TEST_CASE("a filter leaves events out but counts them as read") {
  sample_session session;
  session.happens(event_kind::session_created);
  print_lines(session, 30);
  session.happens(event_kind::exec_exited, "e1");
  auto sent = encoded(session, session.entries(), 0);
  event_filter filter{0, "e1"};
  auto batch = replay_events(session.dir(), session.id, 0, filter, everything);
  CHECK(batch.last == 32);
  CHECK(batch.slices.size() == 11);
  std::string expected;
  for (auto part : select(sent, filter))
    expected += part;
  CHECK(batch.text.view() == expected);
  batch = replay_events(session.dir(), session.id, 0, {0, "none"}, everything);
  CHECK(batch.last == 32);
  CHECK(batch.text.empty());
}

TEST_CASE("logs of events that are left out are not read") {
  sample_session session;
  print_lines(session, 6);
  std::filesystem::remove_all(session.exec_dir("e2"));
  std::filesystem::create_directories(session.exec_dir("e2") / "stdout");
  std::filesystem::create_directories(session.exec_dir("e2") / "stderr");
  CHECK_THROWS_AS(replay_events(session.dir(), session.id, 0, {}, everything),
                  std::system_error);
  auto batch =
    replay_events(session.dir(), session.id, 0, {0, "e1"}, everything);
  CHECK(batch.slices.size() == 2);
}

TEST_CASE("the end is seen when it is reached, and by who comes later") {
  sample_session session;
  session.happens(event_kind::session_created);
  session.happens(event_kind::exec_exited, "e1");
  session.happens(event_kind::session_ended);
  auto read = [&](std::uint64_t after, const event_filter& filter,
                  std::size_t max_bytes) {
    return replay_events(session.dir(), session.id, after, filter, max_bytes);
  };
  CHECK_FALSE(read(0, {}, 1).end);
  CHECK_FALSE(read(1, {}, 1).end);
  CHECK(read(2, {}, 1).end);
  CHECK(read(0, {}, everything).end);
  CHECK(read(3, {}, everything).end);
  CHECK(read(3, {}, everything).last == 3);
  auto filtered = read(0, {bit(event_kind::exec_exited), ""}, everything);
  CHECK(filtered.end);
  CHECK(filtered.slices.size() == 1);
  CHECK_FALSE(read(99, {}, everything).end);
}

TEST_CASE("nothing is read of a session that has no timeline") {
  test::temp_dir dir;
  auto batch = replay_events(dir.path(), "sid", 0, {}, everything);
  CHECK(batch.last == 0);
  CHECK_FALSE(batch.end);
  auto page = read_timeline_json(dir.path(), "sid", 0, 10, everything, {});
  CHECK(page.json == "[]");
  CHECK(page.last_seq == 0);
  CHECK_FALSE(page.more);
}

TEST_CASE("one call reads a bounded part of a long timeline") {
  test::temp_dir dir;
  {
    std::vector<timeline_entry> entries(10'000);
    for (std::size_t i = 0; i < entries.size(); ++i) {
      entries[i].id = {1, i + 1};
      entries[i].kind = event_kind::session_extended;
      entries[i].data = '"' + std::string(1000, 'x') + '"';
    }
    timeline_writer{dir.path()}.append(entries);
  }
  event_filter nothing{bit(event_kind::git_pushed), ""};
  auto batch = replay_events(dir.path(), "sid", 0, nothing, everything);
  CHECK(batch.text.empty());
  CHECK(batch.last > 1000);
  CHECK(batch.last < 10'000);
  auto page = read_timeline_json(dir.path(), "sid", 0, 10, everything, nothing);
  CHECK(page.json == "[]");
  CHECK(page.last_seq == batch.last);
  CHECK(page.more);
}

TEST_CASE("the timeline is served as JSON in pages") {
  sample_session session;
  session.happens(event_kind::session_created);
  print_lines(session, 9);
  auto page =
    read_timeline_json(session.dir(), session.id, 0, 4, everything, {0, ""});
  CHECK(page.last_seq == 4);
  CHECK(page.more);
  auto events = json::parse(page.json);
  REQUIRE(events.size() == 4);
  CHECK(events[0]
        == json{{"id", "2-1"},
                {"type", "session.created"},
                {"data", json::parse(session.entries()[0].data)}});
  CHECK(events[1]["type"] == "exec.output");
  CHECK(events[1]["data"]["data"] == "line 0\n");
  CHECK(page.json.starts_with(R"([{"id":"2-1","type":"session.created",)"));
  page = read_timeline_json(session.dir(), session.id, 4, 100, everything, {});
  CHECK(json::parse(page.json).size() == 6);
  CHECK(page.last_seq == 10);
  CHECK_FALSE(page.more);
  page = read_timeline_json(session.dir(), session.id, 4, 100, 1, {});
  CHECK(json::parse(page.json).size() == 1);
  CHECK(page.more);
  page =
    read_timeline_json(session.dir(), session.id, 0, 2, everything, {0, "e1"});
  CHECK(json::parse(page.json).size() == 2);
  CHECK(page.last_seq == 5);
  page = read_timeline_json(session.dir(), session.id, 0, 0, everything, {});
  CHECK(page.json == "[]");
  CHECK(page.more);
}

TEST_CASE("a revived session goes on announcing where it was") {
  sample_session session;
  session.happens(event_kind::exec_started, "e1");
  session.prints("e1", output_stream::err, "early\xc3");
  session.happens(event_kind::exec_started, "silent");
  session.happens(event_kind::exec_started, "e2");
  for (int i = 0; i < 1500; ++i)
    session.prints("e2", output_stream::out, "x\n");
  const std::vector<std::string> ids{"e1", "e2", "silent", "unknown"};
  auto splitters = resume_splitters(session.dir(), ids);
  REQUIRE(splitters.size() == 4);
  CHECK(splitters.at("e1").progress() == session.splitter("e1").progress());
  CHECK(splitters.at("e2").progress() == session.splitter("e2").progress());
  CHECK(splitters.at("e2").records() == 1500);
  CHECK(splitters.at("silent").records() == 0);
  CHECK(splitters.at("unknown").records() == 0);
}
