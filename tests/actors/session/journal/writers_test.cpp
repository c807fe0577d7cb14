// Journal writers: order, results, and what a stalled one keeps waiting.
#include "actors/session/journal/writers.hpp"
#include "messages/ids.hpp"
#include "runtime/base/injected_faults.hpp"
#include "runtime/disk/fsync_queue.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/temp_dir.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <string>
#include <variant>
#include <vector>

using namespace greenroom;
using greenroom::test::eventually;
using namespace std::chrono_literals;

namespace {

struct faults {
  ~faults() {
    clear_faults();
  }
};

class one_writer {
public:
  one_writer() : writers(dir_.path(), &syncer_, 1) {}

  journal::channel_ptr open(const std::string& id) {
    auto channel = writers.open(id);
    session_record record;
    record.id = id;
    writers.post(id, channel, journal::open{record, false, 16});
    return channel;
  }

  bool append(const std::string& id, const journal::channel_ptr& to,
              event_kind kind = event_kind::git_pushed) {
    journal::append what;
    what.entries.emplace_back();
    what.entries.back().kind = kind;
    what.entries.back().data = "{}";
    return writers.post(id, to, std::move(what));
  }

private:
  test::temp_dir dir_;
  fsync_queue syncer_;

public:
  journal::writers writers;
};

// Waits for so many events, over as many results as it takes.
std::vector<timeline_entry> events_of(journal::channel& from,
                                      std::size_t count) {
  std::vector<timeline_entry> result;
  CHECK(eventually([&] {
    for (auto& one : from.take())
      if (auto* events = std::get_if<journal::appended>(&one))
        for (auto& entry : events->entries)
          result.push_back(std::move(entry));
    return result.size() >= count;
  }));
  return result;
}

} // namespace

TEST_CASE_METHOD(one_writer, "a session's requests are performed in their "
                             "order, whoever else is served") {
  auto one = open("a");
  auto other = open("b");
  for (int i = 0; i < 100; ++i) {
    append("a", one);
    append("b", other);
  }
  for (auto& channel : {one, other}) {
    auto events = events_of(*channel, 100);
    REQUIRE(events.size() == 100);
    for (std::size_t i = 0; i < events.size(); ++i)
      CHECK(events[i].id.seq == i + 1);
  }
}

TEST_CASE_METHOD(one_writer, "who is told of results is told once until it "
                             "takes them, and of those that are there") {
  auto channel = open("a");
  auto other = open("b"); // whose result comes after those before it
  std::atomic<int> told{0};
  append("a", channel);
  append("b", other);
  CHECK(events_of(*other, 1).size() == 1);
  channel->on_results([&] { ++told; });
  CHECK(told == 1);
  append("a", channel);
  append("b", other);
  CHECK(events_of(*other, 1).size() == 1);
  CHECK(told == 1);
  CHECK(channel->take().size() == 3);
  append("a", channel);
  CHECK(eventually([&] { return told == 2; }));
}

TEST_CASE_METHOD(one_writer, "a timeline that refuses events is told of until "
                             "it takes them, or is nobody's any more") {
  faults none_left;
  auto channel = open("a");
  auto other = open("b");
  append("b", other);
  CHECK(events_of(*other, 1).size() == 1);
  CHECK_FALSE(writers.problem());
  inject_fault("pwrite", {0ms, EIO});
  SECTION("events that wait") {
    append("a", channel);
    CHECK(eventually([&] { return writers.problem().has_value(); }));
    CHECK_THAT(writers.problem().value_or(""),
               Catch::Contains("session a takes no events"));
    clear_faults();
    append("b", other); // of another one
    CHECK(events_of(*other, 1).size() == 1);
    CHECK(writers.problem());
    writers.post("a", channel, journal::append{});
    CHECK(events_of(*channel, 1).size() == 1);
    CHECK_FALSE(writers.problem());
  }
  SECTION("what a client asks for") {
    journal::keep_intent what;
    what.spec.exec_id = "x";
    what.queued.data = "{}";
    writers.post("a", channel, std::move(what));
    CHECK(eventually([&] { return writers.problem().has_value(); }));
    clear_faults();
    // Nobody has to ask again.
    CHECK(eventually([&] { return !writers.problem(); }));
  }
  SECTION("of a session that is gone") {
    append("a", channel);
    CHECK(eventually([&] { return writers.problem().has_value(); }));
    channel.reset();
    CHECK(eventually([&] { return !writers.problem(); }));
  }
}

TEST_CASE_METHOD(one_writer, "a timeline that was taken away is its session's "
                             "trouble, and no disk's") {
  faults none_left;
  auto channel = open("a");
  append("a", channel);
  CHECK(events_of(*channel, 1).size() == 1);
  inject_fault("pwrite", {0ms, ENOENT});
  append("a", channel);
  bool refused = false;
  CHECK(eventually([&] {
    for (auto& one : channel->take())
      refused = refused || std::holds_alternative<journal::not_appended>(one);
    return refused;
  }));
  CHECK_FALSE(writers.problem());
}

TEST_CASE_METHOD(one_writer, "a writer that is full refuses what can be asked "
                             "for again, and takes all else") {
  faults none_left;
  auto channel = open("a");
  inject_fault("pwrite", {5min, 0});
  append("a", channel);
  CHECK(eventually([&] { return writers.lag() >= 100ms; }));
  for (std::size_t i = 0; i < journal::writers::max_queued; ++i)
    REQUIRE(append("a", channel));
  CHECK_FALSE(writers.post("a", channel, journal::recall_exec{"n1"}));
  CHECK(append("a", channel));
  clear_faults();
  // All that waited goes out together.
  CHECK(events_of(*channel, journal::writers::max_queued + 2).size()
        == journal::writers::max_queued + 2);
  CHECK(writers.post("a", channel, journal::recall_exec{"n1"}));
}
