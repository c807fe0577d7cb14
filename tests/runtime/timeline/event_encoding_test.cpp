#include "runtime/timeline/event_encoding.hpp"

#include "runtime/base/timestamps.hpp"
#include "tests/runtime/timeline/base64.hpp"
#include "tests/runtime/timeline/sample_session.hpp"
#include "tests/runtime/timeline/sse_parser.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <random>
#include <string>
#include <vector>

using namespace greenroom;
using nlohmann::json;
using test::encoded;
using test::parse_sse;
using test::sample_session;

namespace {

timeline_entry output(std::string_view bytes) {
  timeline_entry entry;
  entry.id = {3, 17};
  entry.kind = event_kind::exec_output;
  entry.time = 1'790'000'000'123;
  entry.exec_id = "build";
  entry.stream = output_stream::err;
  entry.offset = 4096;
  entry.length = static_cast<std::uint32_t>(bytes.size());
  return entry;
}

std::string output_json(const timeline_entry& entry, std::string_view bytes) {
  std::string result;
  append_output_json(result, "sid", entry, bytes);
  return result;
}

std::string joined(const std::vector<std::string_view>& parts) {
  std::string result;
  for (auto part : parts)
    result += part;
  return result;
}

} // namespace

TEST_CASE("text output is JSON with the text") {
  std::string_view text = "héllo\r\n\t\"x\"\\\x1b[0m\0!";
  auto data = output_json(output(text), text);
  CHECK(data.starts_with(
    R"({"time":")" + format_rfc3339(1'790'000'000'123)
    + R"(","session_id":"sid","exec_id":"build","stream":"stderr",)"
      R"("offset":4096,"data":"h)"));
  CHECK(json::parse(data)
        == json{{"time", format_rfc3339(1'790'000'000'123)},
                {"session_id", "sid"},
                {"exec_id", "build"},
                {"stream", "stderr"},
                {"offset", 4096},
                {"data", text},
                {"encoding", "utf-8"}});
}

TEST_CASE("output that is no UTF-8 is base64") {
  std::string_view bytes = "a\xff\xc3";
  auto data = json::parse(output_json(output(bytes), bytes));
  CHECK(data["encoding"] == "base64");
  CHECK(test::from_base64(data["data"].get<std::string>()) == bytes);
  CHECK_FALSE(data.contains("lost"));
}

TEST_CASE("text that JSON would make much longer is base64") {
  for (const auto& bytes :
       {std::string(1, '\0'), std::string(100'000, '\0'),
        std::string("a\0\0", 3), std::string(50, '\x1b') + "text"}) {
    auto data = json::parse(output_json(output(bytes), bytes));
    CHECK(data["encoding"] == "base64");
    CHECK(test::from_base64(data["data"].get<std::string>()) == bytes);
  }
  // What people read stays text, though it has much to escape.
  for (std::string_view text :
       {"\x1b[32mgreen\x1b[0m\n", R"({"a":"\\","b":""})", "\n\n\n", "\"\""}) {
    auto data = json::parse(output_json(output(text), text));
    CHECK(data["encoding"] == "utf-8");
    CHECK(data["data"] == text);
  }
}

TEST_CASE("lost bytes are told, and missing ones are lost") {
  auto entry = output("abc");
  entry.lost = 5;
  auto data = json::parse(output_json(entry, "abc"));
  CHECK(data["lost"] == 5);
  CHECK(data["data"] == "abc");
  data = json::parse(output_json(entry, "ab"));
  CHECK(data["lost"] == 8);
  CHECK(data["data"] == "");
  CHECK(data["encoding"] == "utf-8");
}

TEST_CASE("an event is a type, data on one line, and its id at the end") {
  std::string text = "before\n";
  append_sse(text, {3, 17}, event_kind::exec_output, R"({"a":1})");
  CHECK(text == "before\nevent: exec.output\ndata: {\"a\":1}\nid: 3-17\n\n");
}

TEST_CASE("a gap names what was asked for and what there is") {
  auto data = json::parse(gap_data_json(0, "sid", {1, 5}, {2, 90}));
  CHECK(data
        == json{{"time", "1970-01-01T00:00:00.000Z"},
                {"session_id", "sid"},
                {"requested", "1-5"},
                {"first_available", "2-90"}});
}

TEST_CASE("a batch is the text of its events, and where each begins") {
  sample_session session;
  session.happens(event_kind::session_created);
  session.happens(event_kind::exec_started, "e1");
  session.prints("e1", output_stream::out, "line 1\nline 2\r\n\r\n");
  session.prints("e2", output_stream::err, "\xff\n");
  auto batch = encoded(session, session.entries(), 0);
  CHECK(batch.after == 0);
  CHECK(batch.last == 4);
  CHECK_FALSE(batch.end);
  auto events = parse_sse(batch.text.view());
  REQUIRE(events.size() == 4);
  REQUIRE(batch.slices.size() == 4);
  for (std::size_t i = 0; i < 4; ++i) {
    const auto& entry = session.entries()[i];
    CHECK(events[i].id == to_string(entry.id));
    CHECK(events[i].type == to_string(entry.kind));
    CHECK(batch.slices[i].seq == i + 1);
    CHECK(batch.slices[i].kind == entry.kind);
    CHECK(batch.slices[i].exec_id == entry.exec_id);
    CHECK(batch.text.view()
            .substr(batch.slices[i].begin)
            .starts_with("event: " + events[i].type + "\n"));
  }
  CHECK(events[1].data == session.entries()[1].data);
  CHECK(json::parse(events[2].data)["data"] == "line 1\nline 2\r\n\r\n");
  CHECK(json::parse(events[2].data)["session_id"] == session.id);
  CHECK(json::parse(events[3].data)["encoding"] == "base64");
}

TEST_CASE("a batch may be empty, begin anywhere, and end the session") {
  sample_session session;
  for (auto kind : {event_kind::session_created, event_kind::session_extended,
                    event_kind::session_ended})
    session.happens(kind);
  auto none = encoded(session, {}, 7);
  CHECK(none.after == 7);
  CHECK(none.last == 7);
  CHECK(none.text.empty());
  CHECK(select(none, {}).empty());
  auto rest = encoded(session, std::span{session.entries()}.subspan(1), 1);
  CHECK(rest.last == 3);
  CHECK(rest.end);
  CHECK(parse_sse(rest.text.view()).front().id == "2-2");
  CHECK_THROWS_AS(encoded(session, session.entries(), 1), std::logic_error);
}

TEST_CASE("output whose log is gone or short is lost, not made up") {
  sample_session session;
  session.prints("e1", output_stream::out, "hello");
  session.prints("e2", output_stream::out, "hello");
  std::filesystem::remove_all(session.exec_dir("e1"));
  std::filesystem::resize_file(session.exec_dir("e2") / "stdout", 3);
  auto batch = encoded(session, session.entries(), 0);
  auto events = parse_sse(batch.text.view());
  REQUIRE(events.size() == 2);
  for (const auto& event : events) {
    auto data = json::parse(event.data);
    CHECK(data["data"] == "");
    CHECK(data["lost"] == 5);
  }
}

TEST_CASE("more execs than logs are kept open are encoded all the same") {
  sample_session session;
  for (int round = 0; round < 3; ++round)
    for (int i = 0; i < 20; ++i)
      session.prints("e" + std::to_string(i), output_stream::out,
                     std::to_string(round * 100 + i));
  auto batch = encoded(session, session.entries(), 0);
  auto events = parse_sse(batch.text.view());
  REQUIRE(events.size() == 60);
  for (int i = 0; i < 60; ++i)
    CHECK(json::parse(events[i].data)["data"]
          == std::to_string(i / 20 * 100 + i % 20));
}

TEST_CASE("a filter selects what encoding those events alone would give") {
  sample_session session;
  std::mt19937 random{3};
  for (int i = 0; i < 200; ++i) {
    auto exec = "e" + std::to_string(random() % 3);
    switch (random() % 4) {
      case 0:
        session.happens(event_kind::session_extended);
        break;
      case 1:
        session.happens(event_kind::exec_started, exec);
        break;
      default:
        session.prints(exec, output_stream::out, "x" + std::to_string(i));
    }
  }
  auto batch = encoded(session, session.entries(), 0);
  for (kind_set kinds :
       {kind_set{0}, bit(event_kind::exec_output),
        bit(event_kind::session_extended) | bit(event_kind::exec_started),
        bit(event_kind::preview_gone)})
    for (std::string exec : {"", "e1", "none"}) {
      event_filter filter{kinds, exec};
      std::string expected;
      std::size_t runs = 0;
      bool before = false;
      event_data data{session.dir(), std::string{session.id}};
      for (const auto& entry : session.entries()) {
        auto passes = filter.accepts(entry.kind, entry.exec_id);
        if (passes) {
          std::string data_json;
          data.append_json(data_json, entry);
          append_sse(expected, entry.id, entry.kind, data_json);
        }
        runs += passes && !before;
        before = passes;
      }
      auto parts = select(batch, filter);
      CHECK(joined(parts) == expected);
      CHECK(parts.size() == runs);
    }
  REQUIRE(select(batch, {}).size() == 1);
  CHECK(select(batch, {})[0] == batch.text.view());
}
