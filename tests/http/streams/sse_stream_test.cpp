// Event streams over real sockets, fed by a stand-in session.
#include "tests/http/client.hpp"
#include "tests/http/stand_ins.hpp"
#include "tests/support/process_figures.hpp"

#include <caf/send.hpp>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <chrono>
#include <fstream>
#include <memory>
#include <sstream>

using namespace greenroom;
using namespace greenroom::test;
using nlohmann::json;

namespace {

const std::string events_path =
  "/projects/demo/sessions/" + std::string{demo_session} + "/events";

std::string stream_request(const std::string& query = {},
                           const std::string& last_event_id = {},
                           std::string_view key = admin_secret) {
  return request_text("GET", events_path + query, key, "", "",
                      last_event_id.empty()
                        ? std::string{}
                        : "Last-Event-ID: " + last_event_id + "\r\n");
}

/// A stream that follows the session when this returns.
std::unique_ptr<http_client>
begun_response(const fixture& f, const std::string& query = {},
               const std::string& last_event_id = {},
               std::string_view key = admin_secret) {
  auto client = std::make_unique<http_client>(f.port());
  client->send(stream_request(query, last_event_id, key));
  auto head = client->receive_head();
  REQUIRE(head.status == 200);
  client->read_stream_until("retry: ");
  return client;
}

publish output(const std::string& exec, const std::string& text) {
  return {event_kind::exec_output, exec, "{\"data\":\"" + text + "\"}"};
}

const publish ended{event_kind::session_ended, "", "{}"};

void tell(const fixture& f, const publish& event) {
  caf::anon_send(f.session, event);
}

/// Each HTTP thread that has streams of the session is one watcher.
void wait_for_watchers(const fixture& f, int count) {
  fixture::wait_until([&] { return f.script->watchers == count; });
}

/// The ids of the events in a stream, in their order.
std::vector<int> ids_of(const std::string& stream) {
  std::vector<int> result;
  std::istringstream lines{stream};
  auto has_data = false;
  for (std::string line; std::getline(lines, line);) {
    if (has_data && line.starts_with("id: 3-"))
      result.push_back(std::stoi(line.substr(6)));
    has_data = line.starts_with("data: ") || (has_data && !line.empty());
  }
  return result;
}

std::vector<int> from_to(int first, int last) {
  std::vector<int> result;
  for (int i = first; i <= last; ++i)
    result.push_back(i);
  return result;
}

} // namespace

TEST_CASE("a stream has the headers that proxies and browsers need") {
  fixture f;
  http_client client{f.port()};
  client.send(stream_request());
  auto head = client.receive_head();
  CHECK(head.status == 200);
  CHECK(head.headers["content-type"] == "text/event-stream");
  CHECK(head.headers["cache-control"] == "no-store");
  CHECK(head.headers["x-accel-buffering"] == "no");
  CHECK(head.headers["transfer-encoding"] == "chunked");
  CHECK(head.headers.count("x-request-id") == 1);
  auto first = client.read_stream_until("\n");
  auto wait = std::stoi(first.substr(7));
  CHECK(first.substr(0, 7) == "retry: ");
  CHECK((wait >= 1000 && wait <= 3000));
}

TEST_CASE("each block of a stream has data, and its id is its last line") {
  fixture f{
    [](http::options& o) { o.heartbeat = std::chrono::milliseconds{50}; }};
  auto client = begun_response(f, "?from=earliest", "9-99");
  for (int i = 0; i < 3; ++i) {
    wait_for_watchers(f, 1);
    client->read_stream_until("\n:\n");
    tell(f, output("e1", "n" + std::to_string(i)));
    client->read_stream_until("n" + std::to_string(i));
  }
  tell(f, ended);
  std::string_view text = client->read_stream_to_end();
  CHECK(text.starts_with("retry: "));
  CHECK(text.find("event: stream.gap\n") != text.npos);
  int blocks = 0;
  for (std::size_t end; (end = text.find("\n\n")) != text.npos; ++blocks) {
    auto block = text.substr(0, end);
    text.remove_prefix(end + 2);
    INFO(block);
    CHECK(block.find("data: {") != block.npos);
    auto last = block.substr(block.rfind('\n') + 1);
    CHECK(last.starts_with("id: 3-"));
  }
  CHECK(blocks == 5);
  CHECK(text.empty());
}

TEST_CASE("a stream from now is preceded by nothing") {
  fixture f;
  tell(f, output("e1", "before"));
  auto client = begun_response(f);
  wait_for_watchers(f, 1);
  tell(f, output("e1", "after"));
  auto& text = client->read_stream_until("after");
  CHECK(ids_of(text) == std::vector<int>{2});
  CHECK(text.find("event: exec.output\n") != std::string::npos);
}

TEST_CASE("a stream says where it begins before anything has happened") {
  fixture f;
  tell(f, output("e1", "before"));
  http_client client{f.port()};
  client.send(stream_request("?from=now"));
  CHECK(client.receive_head().status == 200);
  client.read_stream_until("\nid: 3-1\n");
  client.drop();
  tell(f, output("e1", "meanwhile"));
  auto again = begun_response(f, "?from=now", "3-1");
  CHECK(ids_of(again->read_stream_until("meanwhile")) == std::vector<int>{2});
}

TEST_CASE("a stream from the earliest has the replay, then what comes") {
  fixture f;
  for (int i = 1; i <= 100; ++i)
    tell(f, output("e1", "n" + std::to_string(i) + "."));
  auto client = begun_response(f, "?from=earliest");
  client->read_stream_until("n100.");
  wait_for_watchers(f, 1);
  for (int i = 101; i <= 200; ++i)
    tell(f, output("e1", "n" + std::to_string(i) + "."));
  CHECK(ids_of(client->read_stream_until("n200.")) == from_to(1, 200));
}

TEST_CASE("a long replay under constant growth has each event once") {
  fixture f;
  caf::anon_send(f.session, publish_many{5000, 1000});
  auto client = begun_response(f, "?from=earliest");
  for (int i = 0; i < 500; ++i)
    tell(f, output("e1", "live"));
  tell(f, ended);
  auto& text = client->read_stream_to_end();
  CHECK(ids_of(text) == from_to(1, 5501));
}

TEST_CASE("a stream resumes right after the id that the client names") {
  fixture f;
  for (int i = 1; i <= 10; ++i)
    tell(f, output("e1", "n" + std::to_string(i) + "."));
  CHECK(ids_of(begun_response(f, "", "3-4")->read_stream_until("n10."))
        == from_to(5, 10));
  CHECK(
    ids_of(begun_response(f, "?last_event_id=3-7")->read_stream_until("n10."))
    == from_to(8, 10));
  CHECK(ids_of(begun_response(f, "?from=3-8")->read_stream_until("n10."))
        == from_to(9, 10));
  // A client joined the header that it was given with the id it got last.
  CHECK(ids_of(begun_response(f, "", "3-4, 3-8")->read_stream_until("n10."))
        == from_to(9, 10));
  CHECK(ids_of(begun_response(f, "", "nonsense,3-9")->read_stream_until("n10."))
        == std::vector<int>{10});
  // The header wins.
  CHECK(ids_of(begun_response(f, "?last_event_id=3-1&from=now", "3-9")
                 ->read_stream_until("n10."))
        == std::vector<int>{10});
}

TEST_CASE("what is malformed is refused before the stream begins") {
  fixture f;
  auto status = [&](const std::string& query, const std::string& id = {}) {
    http_client client{f.port()};
    client.send(stream_request(query, id));
    return client.receive().status;
  };
  CHECK(status("?from=yesterday") == 400);
  CHECK(status("?types=exec.output,nope") == 400);
  CHECK(status("?exec_id=a%20b") == 400);
  CHECK(status("?last_event_id=x") == 400);
  CHECK(status("", "nonsense") == 400);
  CHECK(status("", "3-") == 400);
  CHECK(status("", "3-1,") == 400);
  CHECK(call(f.port(), "GET",
             "/projects/demo/sessions/" + std::string(20, 'z') + "/events",
             admin_secret)
          .status
        == 404);
}

TEST_CASE("filters hold for the replay and for what comes") {
  fixture f;
  auto mix = [&](const std::string& n) {
    tell(f, output("e1", "one" + n));
    tell(f, output("e2", "two" + n));
    tell(f, {event_kind::exec_exited, "e1", "{\"exit\":\"" + n + "\"}"});
  };
  mix("A");
  auto by_exec = begun_response(f, "?from=earliest&exec_id=e1");
  auto by_type =
    begun_response(f, "?from=earliest&types=exec.exited,session.ended");
  mix("B");
  tell(f, output("e2", "unseen"));
  tell(f, ended);
  CHECK(ids_of(by_exec->read_stream_to_end()) == std::vector<int>{1, 3, 4, 6});
  CHECK(ids_of(by_type->read_stream_to_end()) == std::vector<int>{3, 6, 8});
}

TEST_CASE("a stream ends after the session's end") {
  fixture f;
  auto client = begun_response(f);
  wait_for_watchers(f, 1);
  tell(f, output("e1", "last words"));
  tell(f, ended);
  auto& text = client->read_stream_to_end();
  CHECK(ids_of(text) == from_to(1, 2));
  CHECK(text.ends_with("event: session.ended\ndata: {}\nid: 3-2\n\n"));
  // The connection serves on.
  client->send(request_text("GET", "/healthz"));
  CHECK(client->receive().status == 200);
}

TEST_CASE("a session that is over is replayed, and 204 stops who has it all") {
  fixture f;
  tell(f, output("e1", "x"));
  tell(f, ended);
  fixture::wait_until([&] {
    std::lock_guard lock{f.script->guard};
    return f.script->over;
  });
  CHECK(ids_of(begun_response(f)->read_stream_to_end()) == from_to(1, 2));
  CHECK(ids_of(begun_response(f, "?from=earliest")->read_stream_to_end())
        == from_to(1, 2));
  CHECK(ids_of(begun_response(f, "?from=now")->read_stream_to_end())
        == std::vector<int>{2});
  CHECK(ids_of(begun_response(f, "", "3-1")->read_stream_to_end())
        == std::vector<int>{2});
  CHECK(ids_of(begun_response(f, "?from=3-2")->read_stream_to_end()).empty());
  http_client client{f.port()};
  client.send(stream_request("", "3-2") + request_text("GET", "/healthz"));
  auto answer = client.receive();
  CHECK(answer.status == 204);
  CHECK(client.receive().status == 200);
}

TEST_CASE(
  "an id beyond the end is announced as a gap, and the stream goes on") {
  fixture f;
  for (int i = 1; i <= 3; ++i)
    tell(f, output("e1", "n" + std::to_string(i) + "."));
  auto client = begun_response(f, "", "9-99");
  auto& text = client->read_stream_until("first_available");
  client->read_stream_until("\n\n");
  auto data = text.substr(text.find("data: ") + 6);
  auto gap = json::parse(data.substr(0, data.find('\n')));
  CHECK(text.find("event: stream.gap\n") != std::string::npos);
  CHECK(text.ends_with("\nid: 3-3\n\n"));
  CHECK(gap["requested"] == "9-99");
  CHECK(gap["first_available"] == "3-4");
  wait_for_watchers(f, 1);
  tell(f, output("e1", "next"));
  CHECK(ids_of(client->read_stream_until("next")) == std::vector<int>{3, 4});
}

TEST_CASE("silence is broken by heartbeats") {
  fixture f{
    [](http::options& o) { o.heartbeat = std::chrono::milliseconds{100}; }};
  auto client = begun_response(f);
  client->read_stream_until("\n:\n:\n:\n");
  wait_for_watchers(f, 1);
  tell(f, output("e1", "still here"));
  CHECK(ids_of(client->read_stream_until("still here")) == std::vector<int>{1});
}

TEST_CASE("the last client that leaves ends the watching at once") {
  fixture f{[](http::options& o) { o.threads = 1; }};
  auto client = begun_response(f);
  auto other = begun_response(f);
  wait_for_watchers(f, 1);
  client->drop();
  tell(f, output("e1", "x"));
  other->read_stream_until("\"x\"");
  CHECK(f.script->watchers == 1);
  other->drop();
  wait_for_watchers(f, 0);
  CHECK(ids_of(begun_response(f, "?from=earliest")->read_stream_until("\"x\""))
        == std::vector<int>{1});
}

TEST_CASE("a stream ends when its key is revoked, others go on") {
  fixture f;
  auto theirs = f.add_key({"sessions:read"});
  auto revoked = begun_response(f, "", "", theirs);
  auto mine = begun_response(f);
  CHECK(
    call(f.port(), "DELETE", "/keys/" + f.last_key_id(), admin_secret).status
    == 200);
  revoked->read_stream_to_end();
  tell(f, output("e1", "x"));
  mine->read_stream_until("\"x\"");
}

TEST_CASE("a stream ends when its key expires") {
  fixture f{
    [](http::options& o) { o.heartbeat = std::chrono::milliseconds{100}; }};
  auto brief = f.add_key({"sessions:read"}, {}, now_ms() + 5'000);
  auto client = begun_response(f, "", "", brief);
  client->read_stream_to_end();
  CHECK(call(f.port(), "GET", events_path, brief).status == 401);
}

TEST_CASE("a watcher follows its session to the actor that revives it") {
  fixture f;
  auto client = begun_response(f, "?from=earliest");
  wait_for_watchers(f, 1);
  tell(f, output("e1", "before"));
  client->read_stream_until("before");
  auto old = f.session;
  {
    std::lock_guard lock{f.script->guard};
    f.script->sessions.clear();
  }
  caf::anon_send(old, quit_now{});
  // What happens while nobody watches is in the log.
  f.make_session();
  tell(f, output("e1", "between"));
  client->read_stream_until("between");
  tell(f, output("e1", "after"));
  tell(f, ended);
  CHECK(ids_of(client->read_stream_to_end()) == from_to(1, 4));
}

TEST_CASE("a stream ends where its session stays away for too long") {
  fixture f{[](http::options& o) {
    o.return_timeout = std::chrono::milliseconds{300};
  }};
  auto client = begun_response(f);
  wait_for_watchers(f, 1);
  caf::anon_send(f.session, quit_now{}); // who is still found there
  client->read_stream_to_end();
}

TEST_CASE("a client that leaves before its stream begins ends only that") {
  fixture f;
  {
    // The session is found when the client is known to have left.
    std::lock_guard lock{f.script->guard};
    http_client client{f.port()};
    client.send(stream_request());
    CHECK(call(f.port(), "GET", "/healthz").status == 200);
    client.drop();
    CHECK(call(f.port(), "GET", "/healthz").status == 200);
  }
  auto next = begun_response(f);
  wait_for_watchers(f, 1);
  tell(f, output("e1", "after"));
  next->read_stream_until("after");
}

TEST_CASE("whoever watches a session leaves it when the server ends") {
  fixture f;
  auto client = begun_response(f);
  wait_for_watchers(f, 1);
  f.server.reset();
  wait_for_watchers(f, 0);
  tell(f, output("e1", "to nobody"));
}

TEST_CASE("many watchers get the same events") {
  fixture f{[](http::options& o) { o.threads = 2; }};
  std::vector<std::unique_ptr<http_client>> clients;
  for (int i = 0; i < 200; ++i)
    clients.push_back(begun_response(f));
  auto filtered = begun_response(f, "?exec_id=e2");
  CHECK(f.script->watchers <= 2);
  for (int i = 0; i < 50; ++i)
    caf::anon_send(f.session, publish_many{10, 100});
  // Too quick for a write each: they are joined.
  for (int i = 0; i < 500; ++i)
    tell(f, output(i % 10 == 0 ? "e2" : "e1", "one"));
  tell(f, ended);
  for (auto& client : clients)
    CHECK(ids_of(client->read_stream_to_end()) == from_to(1, 1001));
  std::vector<int> tenths;
  for (int i = 0; i < 50; ++i)
    tenths.push_back(501 + 10 * i);
  tenths.push_back(1001);
  auto got = ids_of(filtered->read_stream_to_end());
  got.push_back(1001); // session.ended is of no exec
  CHECK(got == tenths);
  wait_for_watchers(f, 0);
}

TEST_CASE("clients that do not read cost little, and get all in the end") {
  fixture f;
  constexpr int count = 20;
  std::vector<std::unique_ptr<http_client>> slow;
  auto add_slow = [&] {
    for (int i = 0; i < count; ++i) {
      slow.push_back(std::make_unique<http_client>(f.port(), 4096));
      slow.back()->send(stream_request("?from=earliest"));
    }
  };
  // These follow, until a write to them does not end.
  add_slow();
  auto quick = begun_response(f);
  auto before = resident_kib(::getpid()) * 1024;
  // 16 MB, which the stand-in keeps; one copy for each client were 640 MB.
  constexpr int batches = 160;
  for (int i = 0; i < batches; ++i)
    caf::anon_send(f.session, publish_many{100, 1000});
  quick->read_stream_until("id: 3-" + std::to_string(batches * 100) + "\n");
  // These read the log, and then too no more than a write does not end.
  auto reads = f.script->reads.load();
  add_slow();
  fixture::wait_until([&] { return f.script->reads >= reads + count; });
  CHECK(resident_kib(::getpid()) * 1024 < before + 300'000'000);
  tell(f, ended);
  for (auto* one : {slow.front().get(), slow.back().get()}) {
    REQUIRE(one->receive_head().status == 200);
    CHECK(ids_of(one->read_stream_to_end()) == from_to(1, batches * 100 + 1));
  }
}

TEST_CASE("a client that reads nothing for too long is let go") {
  fixture f{[](http::options& o) {
    o.write_timeout = std::chrono::milliseconds{1500};
    o.heartbeat = std::chrono::milliseconds{100};
  }};
  http_client stuck{f.port(), 4096};
  stuck.send(stream_request());
  wait_for_watchers(f, 1);
  for (int i = 0; i < 200; ++i)
    caf::anon_send(f.session, publish_many{100, 1000});
  wait_for_watchers(f, 0);
  CHECK(stuck.receive_head().status == 200);
  CHECK_THROWS_WITH(stuck.read_stream_to_end(),
                    Catch::Contains("the connection ended"));
}

TEST_CASE("a stopping server ends its streams in order") {
  fixture f;
  auto client = begun_response(f);
  wait_for_watchers(f, 1);
  f.server->stop();
  CHECK(ids_of(client->read_stream_to_end()).empty());
  wait_for_watchers(f, 0);
}
