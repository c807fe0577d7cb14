#include "runtime/timeline/output_event_splitter.hpp"

#include "runtime/base/utf8.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <random>
#include <string>
#include <vector>

using namespace greenroom;

namespace {

constexpr auto out = output_stream::out;
constexpr auto err = output_stream::err;

// An output log in memory.
struct fake_log {
  std::array<std::string, output_streams> bytes;
  std::vector<output_record> records;

  void print(output_stream stream, std::string_view text,
             std::uint64_t lost = 0) {
    auto& file = bytes[index_of(stream)];
    records.push_back({static_cast<unix_ms>(records.size() + 1), stream,
                       file.size(), static_cast<std::uint32_t>(text.size()),
                       lost, 0});
    file += text;
  }

  read_output reader() const {
    return
      [this](output_stream stream, std::uint64_t offset, std::span<char> to) {
        auto& file = bytes[index_of(stream)];
        auto n = std::min<std::size_t>(to.size(), file.size() - offset);
        std::memcpy(to.data(), file.data() + offset, n);
        return n;
      };
  }

  std::string text(const timeline_entry& event) const {
    return bytes[index_of(event.stream)].substr(event.offset, event.length);
  }

  // The events' texts, each behind its stream's letter and what was lost.
  std::vector<std::string> show(const std::vector<timeline_entry>& events) {
    std::vector<std::string> result;
    for (const auto& event : events) {
      std::string lost =
        event.lost > 0 ? "(" + std::to_string(event.lost) + ")" : "";
      result.push_back((event.stream == out ? "o:" : "e:") + lost
                       + text(event));
    }
    return result;
  }

  // All records at once, not finished.
  std::vector<std::string> cut() {
    output_event_splitter splitter{"e"};
    std::vector<timeline_entry> events;
    splitter.take(records, reader(), events);
    return show(events);
  }

  std::vector<std::string> cut_all() {
    output_event_splitter splitter{"e"};
    std::vector<timeline_entry> events;
    splitter.take(records, reader(), events);
    splitter.finish(reader(), events);
    return show(events);
  }
};

using texts = std::vector<std::string>;

} // namespace

TEST_CASE("what no record tells of is announced once, and holds back half a "
          "character") {
  fake_log log;
  log.print(out, "a");
  log.print(err, "b");
  log.print(out, "cd\xc3\xa9");
  log.print(err, "e\xc3");
  output_event_splitter splitter{"e"};
  std::vector<timeline_entry> events;
  splitter.take(std::span{log.records}.first(2), log.reader(), events);
  splitter.take_unindexed({4, 3, 0}, 9, log.reader(), events);
  CHECK(log.show(events) == texts{"o:a", "e:b", "o:cd", "e:e"});
  CHECK(events.back().time == 9);
  CHECK(splitter.records() == 2);
  splitter = output_event_splitter::resume(events.back());
  CHECK(splitter.records() == 2);
  for (int again = 0; again < 2; ++again)
    splitter.take_unindexed({5, 3, 0}, 9, log.reader(), events);
  splitter.finish(log.reader(), events);
  CHECK(log.show(events)
        == texts{"o:a", "e:b", "o:cd", "e:e", "o:\xc3\xa9", "e:\xc3"});
}

TEST_CASE("bytes of one stream that follow each other are one event") {
  fake_log log;
  log.print(out, "a");
  log.print(out, "b");
  log.print(err, "x");
  log.print(out, "c");
  CHECK(log.cut() == texts{"o:ab", "e:x", "o:c"});
}

TEST_CASE("an event knows its exec, place and time") {
  fake_log log;
  log.print(out, "a");
  log.print(out, "bc");
  log.print(err, "x");
  output_event_splitter splitter{"my-exec"};
  std::vector<timeline_entry> events;
  splitter.take(log.records, log.reader(), events);
  REQUIRE(events.size() == 2);
  CHECK(events[0].kind == event_kind::exec_output);
  CHECK(events[0].exec_id == "my-exec");
  CHECK(events[0].stream == out);
  CHECK(events[0].offset == 0);
  CHECK(events[0].length == 3);
  CHECK(events[0].time == 2);
  CHECK(events[0].progress.records == 2);
  CHECK(events[1].progress.records == 3);
  CHECK(events[1].progress == splitter.progress());
  CHECK(splitter.records() == 3);
}

TEST_CASE("an event carries at most 16 KiB, and no broken character") {
  fake_log log;
  log.print(out, std::string(max_output_event - 1, 'a') + "€"
                   + std::string(max_output_event, 'b'));
  auto events = log.cut();
  REQUIRE(events.size() == 3);
  CHECK(events[0] == "o:" + std::string(max_output_event - 1, 'a'));
  CHECK(events[1] == "o:€" + std::string(max_output_event - 3, 'b'));
  CHECK(events[2] == "o:bbb");
}

TEST_CASE("an unfinished character waits for its last byte") {
  fake_log log;
  log.print(out, "a\xe2");
  CHECK(log.cut() == texts{"o:a"});
  log.print(out, "\x82");
  CHECK(log.cut() == texts{"o:a"});
  log.print(out, "\xac!");
  CHECK(log.cut() == texts{"o:a€!"});
}

TEST_CASE("the other stream goes ahead of an unfinished character") {
  fake_log log;
  log.print(out, "a\xc3");
  log.print(err, "x");
  log.print(out, "\xa9");
  log.print(err, "y");
  CHECK(log.cut() == texts{"o:a", "e:x", "o:é", "e:y"});
}

TEST_CASE("both streams may wait at once") {
  fake_log log;
  log.print(out, "\xc3");
  log.print(err, "\xe2\x82");
  CHECK(log.cut().empty());
  log.print(out, "\xa9");
  log.print(err, "\xac");
  CHECK(log.cut() == texts{"o:é", "e:€"});
}

TEST_CASE("what waits goes out when the exec is over") {
  fake_log log;
  log.print(out, "a\xc3");
  log.print(err, "\xe2\x82");
  CHECK(log.cut_all() == texts{"o:a", "o:\xc3", "e:\xe2\x82"});
}

TEST_CASE("what waits goes out when the bytes behind it were lost") {
  fake_log log;
  log.print(out, "a\xc3");
  log.print(err, "x\xc3");
  log.print(out, "\xa9", 100);
  log.print(err, "\xa9");
  CHECK(log.cut() == texts{"o:a", "e:x", "o:\xc3", "o:(100)\xa9", "e:é"});
}

TEST_CASE("losses are told where they are, with or without bytes behind") {
  fake_log log;
  log.print(out, "a");
  log.print(out, "", 5);
  CHECK(log.cut() == texts{"o:a", "o:(5)"});
  log.print(out, "b");
  log.print(out, "c");
  CHECK(log.cut() == texts{"o:a", "o:(5)bc"});
  log.print(out, "\xc3", 7);
  CHECK(log.cut() == texts{"o:a", "o:(5)bc", "o:(7)"});
  log.print(out, "\xa9");
  CHECK(log.cut() == texts{"o:a", "o:(5)bc", "o:(7)é"});
}

TEST_CASE("bytes that are no UTF-8 are not waited for") {
  fake_log log;
  log.print(out, "a\xff");
  log.print(err, "\x80\x80\x80\x80");
  CHECK(log.cut() == texts{"o:a\xff", "e:\x80\x80\x80\x80"});
}

TEST_CASE("a splitter goes on from any event as if nothing had happened") {
  fake_log log;
  log.print(err, "\xc3");
  log.print(out, std::string(40'000, 'a'));
  log.print(err, "\xa9" + std::string(40'000, 'b'), 9);
  log.print(out, "x\xe2");
  log.print(err, "y");
  output_event_splitter splitter{"e"};
  std::vector<timeline_entry> events;
  splitter.take(log.records, log.reader(), events);
  splitter.finish(log.reader(), events);
  REQUIRE(events.size() == 10);
  for (std::size_t kept = 1; kept <= events.size(); ++kept) {
    CAPTURE(kept);
    auto again = output_event_splitter::resume(events[kept - 1]);
    auto timeline = events;
    timeline.resize(kept);
    again.take(std::span{log.records}.subspan(again.records()), log.reader(),
               timeline);
    again.finish(log.reader(), timeline);
    CHECK(log.show(timeline) == log.show(events));
  }
}

TEST_CASE("whatever is printed, and wherever the server restarts, watchers get "
          "each byte once and no broken character") {
  const auto seed = GENERATE(range(0u, 400u));
  CAPTURE(seed);
  std::mt19937 random{seed};
  auto below = [&](std::size_t n) { return random() % n; };
  const bool binary = seed % 4 == 3;
  const bool losses = seed % 2 == 1;
  // What each stream prints, then cut into records at random places.
  constexpr std::string_view characters[] = {"a", "\n", "é", "€", "한", "🙂"};
  std::array<std::string, 2> texts;
  for (auto& text : texts) {
    const auto size = below(8) == 0 ? below(60'000) : below(400);
    while (text.size() < size)
      if (binary && below(3) == 0)
        text += static_cast<char>(below(256));
      else
        text += characters[below(std::size(characters))];
  }
  fake_log log;
  std::array<std::size_t, 2> printed{};
  std::array<std::uint64_t, 2> lost{};
  while (printed[0] < texts[0].size() || printed[1] < texts[1].size()) {
    auto s = below(2);
    auto n = below(10) == 0 ? below(40'000) : below(6);
    auto piece = texts[s].substr(printed[s], n);
    auto gap = losses && below(20) == 0 ? 1 + below(1000) : 0;
    if (piece.empty() && gap == 0)
      continue;
    log.print(static_cast<output_stream>(s), piece, gap);
    printed[s] += piece.size();
    lost[s] += gap;
  }
  // Taken bit by bit; now and then the server dies when the timeline has only
  // some of the new events.
  std::vector<timeline_entry> timeline;
  output_event_splitter splitter{"e"};
  auto restart = [&] {
    splitter = timeline.empty()
                 ? output_event_splitter{"e"}
                 : output_event_splitter::resume(timeline.back());
  };
  bool finished = false;
  while (!finished) {
    const auto before = timeline.size();
    auto rest = std::span{log.records}.subspan(splitter.records());
    if (rest.empty()) {
      splitter.take({}, log.reader(), timeline);
      splitter.finish(log.reader(), timeline);
      finished = true;
    } else {
      rest = rest.first(std::min(rest.size(), 1 + below(12)));
      splitter.take(rest, log.reader(), timeline);
    }
    if (below(4) == 0) {
      timeline.resize(before + below(timeline.size() - before + 1));
      restart();
      finished = false;
    }
  }
  std::array<std::string, 2> got;
  std::array<std::uint64_t, 2> got_lost{};
  for (const auto& event : timeline) {
    const auto s = index_of(event.stream);
    const auto text = log.text(event);
    REQUIRE(event.offset == got[s].size());
    REQUIRE(event.length <= max_output_event);
    REQUIRE(event.length + event.lost > 0);
    // Nothing but unfinished characters stays behind the other stream.
    const auto& progress = event.progress;
    REQUIRE(progress.recorded[1 - s] - progress.announced[1 - s] <= 3);
    got[s] += text;
    got_lost[s] += event.lost;
    // A loss may come in the middle of a character, the end cannot.
    if (!binary && !losses)
      REQUIRE(is_utf8(text));
    if (is_utf8(text))
      REQUIRE((text.empty() || (text[0] & 0xc0) != 0x80));
  }
  for (std::size_t s = 0; s < 2; ++s) {
    CHECK(got[s] == texts[s]);
    CHECK(got_lost[s] == lost[s]);
  }
}
