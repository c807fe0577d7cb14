// The event stream: where it begins, what it holds, how it is taken up again.
#include "tests/api/demo.hpp"

#include "tests/support/sockets.hpp"

#include <chrono>
#include <random>

using namespace greenroom::test;

namespace {

bool is_end(const sse_event& event) {
  return event.type == "session.ended";
}

/// Up to and with the end of an exec.
std::vector<sse_event> until_exit(sse_client& stream,
                                  const std::string& exec_id) {
  return stream.until([&](const sse_event& event) {
    return event.type == "exec.exited" && event.data["exec_id"] == exec_id;
  });
}

std::string numbers(int last) {
  std::string result;
  for (int i = 1; i <= last; ++i)
    result += std::to_string(i) + "\n";
  return result;
}

} // namespace

TEST_CASE("a stream from the earliest event holds every one, in order") {
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  auto live = session.watch();
  CHECK(live.status() == 200);
  CHECK(live.header("content-type") == "text/event-stream");
  CHECK(live.header("cache-control") == "no-store");
  CHECK(live.header("x-accel-buffering") == "no");
  auto exec_id = session.run("echo one; echo two >&2; exit 4")["exec_id"];
  expect(200, session.checkin());
  auto events = live.rest();
  CHECK(live.ended_in_order());
  check_ids(events);
  REQUIRE(events.size() == 11);
  CHECK(events[0].type == "session.created");
  CHECK(events[1].type == "exec.queued");
  CHECK(events[2].type == "exec.started");
  CHECK(output_of(events, exec_id) == "one\n");
  CHECK(output_of(events, exec_id, "stderr") == "two\n");
  CHECK(events[5].type == "exec.exited");
  CHECK(events[5].data["exit_code"] == 4);
  CHECK(events[5].data["status"] == "exited");
  CHECK(events[6].type == "checkin.started");
  CHECK(events[7].type == "review.queued");
  // There is nothing to review.
  CHECK(events[8].type == "review.finished");
  CHECK(events[8].data["status"] == "approved");
  CHECK(events[9].type == "checkin.finished");
  CHECK(events[10].type == "session.ended");
  for (auto& event : events) {
    CHECK(event.data["session_id"] == session.id());
    CHECK(event.data["time"].is_string());
  }

  SECTION("and the replay after the end is the same") {
    CHECK(session.watch().rest() == events);
    CHECK(session.watch("").rest() == events);
  }
}

TEST_CASE("the timeline holds what the stream says") {
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  session.run("echo one; exit 4");
  session.run("printf '\\377\\000'");
  expect(200, session.remove());
  auto events = session.watch().rest();
  auto timeline = session.timeline();
  REQUIRE(timeline.size() == events.size());
  for (std::size_t i = 0; i < events.size(); ++i) {
    CHECK(timeline[i]["id"] == events[i].id);
    CHECK(timeline[i]["type"] == events[i].type);
    CHECK(timeline[i]["data"] == events[i].data);
  }
  auto outputs = session.timeline("types=exec.output");
  REQUIRE(outputs.size() == 2);
  CHECK(outputs[1]["data"]["encoding"] == "base64");
  CHECK(outputs[1]["data"]["data"] == "/wA=");

  json paged = json::array();
  std::string cursor;
  do {
    auto page =
      expect(200, node.admin().get(session.path("/timeline?limit=3" + cursor)))
        .data();
    CHECK(page["events"].size() <= 3);
    for (auto& event : page["events"])
      paged.push_back(event);
    cursor = page.contains("next_cursor")
               ? "&cursor=" + page["next_cursor"].get<std::string>()
               : "";
  } while (!cursor.empty());
  CHECK(paged == timeline);
}

TEST_CASE("a stream begins where it is asked to") {
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  session.run("echo before");
  auto past = session.watch().until(
    [](const sse_event& event) { return event.type == "exec.exited"; });
  auto middle = past[2].id;

  auto by_default = session.watch("");
  auto from_now = session.watch("from=now");
  auto from_id = session.watch("from=" + middle);
  auto header = session.watch("", middle);
  auto query = session.watch("last_event_id=" + middle);
  auto header_wins = session.watch("from=earliest", past[3].id);
  session.run("echo after");
  auto next = past.back().seq() + 1;
  CHECK(by_default.next()->seq() == next);
  CHECK(from_now.next()->seq() == next);
  CHECK(from_id.next() == past[3]);
  CHECK(header.next() == past[3]);
  CHECK(query.next() == past[3]);
  CHECK(header_wins.next() == past[4]);

  for (auto bad : {"from=never", "from=1", "from=-", "last_event_id=x",
                   "types=exec.walked", "exec_id=a/b"}) {
    INFO(bad);
    CHECK(session.watch(bad).status() == 400);
  }
}

TEST_CASE("an id that was never given is answered by a gap") {
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  auto stream = session.watch("", "9-999");
  auto gap = stream.next();
  REQUIRE(gap);
  CHECK(gap->type == "stream.gap");
  CHECK(gap->data["requested"] == "9-999");
  CHECK(gap->data["first_available"].is_string());
  session.run("true");
  CHECK(stream.next()->type == "exec.queued");
}

TEST_CASE("a stream is filtered by type and by exec, live and from the log") {
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  std::vector<sse_client> live;
  const std::string filters[] = {"&types=exec.exited,session.ended",
                                 "&exec_id=b", "&exec_id=a&types=exec.output",
                                 "&types=preview.ready"};
  for (auto& filter : filters)
    live.push_back(session.watch("from=earliest" + filter));
  for (std::string id : {"a", "b"})
    expect(200, session.post("/exec", {{"command", "echo " + id},
                                       {"exec_id", id},
                                       {"wait", "60s"}}));
  expect(200, session.remove());
  std::vector<std::vector<std::string>> expected{
    {"exec.exited", "exec.exited", "session.ended"},
    {"exec.queued", "exec.started", "exec.output", "exec.exited"},
    {"exec.output"},
    {}};
  for (std::size_t i = 0; i < live.size(); ++i) {
    INFO(filters[i]);
    auto events = live[i].rest();
    CHECK(types_of(events) == expected[i]);
    CHECK(session.watch("from=earliest" + filters[i]).rest() == events);
  }
}

TEST_CASE("a stream ends with its session, and a reconnect is told to stop") {
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  auto stream = session.watch();
  expect(200, session.remove());
  auto events = stream.rest();
  REQUIRE(!events.empty());
  CHECK(is_end(events.back()));
  CHECK(stream.ended_in_order());
  CHECK(session.watch("", events.back().id).status() == 204);
  auto almost = session.watch("", events[events.size() - 2].id);
  CHECK(almost.status() == 200);
  CHECK(almost.rest() == std::vector{events.back()});
  // The same once nobody has the session in memory any more.
  node.terminate();
  node.start();
  CHECK(session.watch("", events.back().id).status() == 204);
  CHECK(session.watch().rest() == events);
}

TEST_CASE("a stream that is cut anywhere is taken up without gap or repeat") {
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  session.start("count", "for i in $(seq 1 3000); do echo $i; "
                         "[ $((i % 20)) = 0 ] && sleep 0.01; done");
  std::mt19937 random{20};
  std::vector<sse_event> events;
  for (int cut = 0; cut < 20; ++cut) {
    auto stream =
      session.watch("from=earliest", events.empty() ? "" : events.back().id);
    auto more = stream.read_bytes(
      std::uniform_int_distribution<std::size_t>{1, 4000}(random));
    stream.cut();
    events.insert(events.end(), more.begin(), more.end());
  }
  auto last =
    session.watch("from=earliest", events.empty() ? "" : events.back().id);
  auto tail = until_exit(last, "count");
  events.insert(events.end(), tail.begin(), tail.end());
  check_ids(events);
  CHECK(output_of(events, "count") == numbers(3000));
  CHECK(events.back().data["exit_code"] == 0);
}

TEST_CASE("many watchers see the same, whenever they came") {
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  std::vector<sse_client> streams;
  session.start("count", "for i in $(seq 1 400); do echo $i; sleep 0.002; "
                         "done");
  for (int i = 0; i < 30; ++i)
    streams.push_back(session.watch());
  session.await_status("count", "exited");
  expect(200, session.remove());
  auto first = streams.front().rest();
  check_ids(first);
  CHECK(output_of(first, "count") == numbers(400));
  for (auto& stream : streams)
    if (&stream != &streams.front())
      CHECK(stream.rest() == first);
}

TEST_CASE("characters are not broken, bytes that are none come as base64") {
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  session.run("printf '\\360\\237'; sleep 0.1; printf '\\230\\200'");
  session.run("head -c 3 /dev/zero | tr '\\0' '\\377'");
  auto outputs = session.timeline("types=exec.output");
  std::string text;
  for (auto& event : outputs)
    if (event["data"]["encoding"] == "utf-8")
      text += event["data"]["data"].get<std::string>();
  CHECK(text == "\xf0\x9f\x98\x80");
  CHECK(outputs.back()["data"]["data"] == "////");
}

TEST_CASE("a watcher that stops reading delays nobody, and misses nothing") {
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  auto stuck = connect_to(node.port(), 4096);
  send_all(stuck, "GET " + session.path("/events?from=earliest")
                    + " HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "
                    + node.admin_key() + "\r\n\r\n");
  auto lazy = session.watch();
  auto quick = session.watch();
  session.start("much", "seq 1 1000000");
  auto seen = until_exit(quick, "much");
  check_ids(seen);
  CHECK(output_of(seen, "much").ends_with("\n999999\n1000000\n"));
  auto began = std::chrono::steady_clock::now();
  CHECK(session.run("echo small")["stdout"] == "small\n");
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds{30});
  CHECK(until_exit(lazy, "much") == seen);
}

TEST_CASE("all output is announced before the end, however much it is") {
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  session.start("lines", "for i in $(seq 1 100000); do echo $i; done; "
                         "touch done; sleep 1000");
  // What is printed while the node stands still lies before it in a heap.
  node.pause();
  await("the command to have printed",
        [&] { return std::filesystem::exists(session.checkout() / "done"); });
  node.resume();
  expect(200, session.remove());
  auto events = session.watch().rest();
  check_ids(events);
  CHECK(is_end(events.back()));
  auto exit = events[events.size() - 2];
  CHECK(exit.type == "exec.exited");
  CHECK(exit.data["status"] == "canceled");
  CHECK(output_of(events, "lines") == numbers(100000));
  CHECK(session.exec("lines")["status"] == "canceled");
}
