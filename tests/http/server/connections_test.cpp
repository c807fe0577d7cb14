// What a client does with one connection, over raw sockets: one request after
// the other, good ones and bad ones, whole and by halves.
#include "runtime/base/files.hpp"
#include "runtime/exec/output/output_log.hpp"
#include "runtime/runner/protocol/exit_record.hpp"
#include "runtime/runner/protocol/session_files.hpp"
#include "tests/http/asking.hpp"
#include "tests/http/client.hpp"
#include "tests/http/stand_ins.hpp"

#include <catch2/catch.hpp>
#include <fcntl.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

using namespace greenroom;
using namespace greenroom::test;
using std::chrono::milliseconds;

namespace {

std::string with_key(const std::string& line, const std::string& fields = {}) {
  return line + " HTTP/1.1\r\nHost: localhost\r\nX-API-Key: "
         + std::string{admin_secret} + "\r\n" + fields + "\r\n";
}

const std::string healthz = "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";

/// What is refused by its head, or by its first chunk.
struct bad_request {
  std::string text;
  int status = 0;
};

std::vector<bad_request> bad_requests() {
  const std::string much(100'000, 'a');
  std::string many;
  for (int i = 0; i < 120; ++i)
    many += "X-" + std::to_string(i) + ": y\r\n";
  return {
    {"POST /projects HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500000\r\n"
     "\r\n",
     401},
    {"POST /projects HTTP/1.1\r\nHost: localhost\r\n"
     "Transfer-Encoding: chunked\r\n\r\n",
     401},
    {with_key("POST /projects", "Content-Length: 99999999\r\n"), 413},
    {"GET /" + much + " HTTP/1.1\r\n\r\n", 414},
    {with_key("GET /version", "X: " + much + "\r\n"), 431},
    {with_key("GET /version", many), 431},
    {"BREW /pot HTTP/1.1\r\n\r\n", 501},
    {with_key("POST /projects", "Transfer-Encoding: chunked\r\n") + "zz\r\n",
     400}};
}

/// An exec that has printed `size` bytes.
void print(fixture& f, const std::string& exec_id, std::size_t size) {
  unique_fd dir{
    ::open(f.exec_dir(exec_id).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  output_log_writer writer{dir.get(), std::uint64_t{1} << 30};
  const std::string block(1 << 16, 'b');
  for (std::size_t done = 0; done < size; done += block.size())
    writer.append(output_stream::out, {block.data(), block.size()}, 1);
  write_file_atomic(dir.get(), runner::exit_file,
                    to_json(exit_record{exit_status::exited}), 0600, false);
  std::lock_guard lock{f.script->guard};
  f.script->running.insert(exec_id);
}

} // namespace

TEST_CASE("a connection's later requests are refused as its first is") {
  fixture f;
  for (auto& [text, status] : bad_requests()) {
    INFO(text.substr(0, 60));
    http_client client{f.port()};
    client.send(healthz);
    CHECK(client.receive().status == 200);
    client.send(text);
    auto answer = client.receive();
    CHECK(answer.status == status);
    CHECK(answer.headers["connection"] == "close");
    CHECK(client.is_closed());
  }
}

TEST_CASE("what is refused is answered after the requests before it") {
  fixture f;
  for (auto& [text, status] : bad_requests()) {
    INFO(text.substr(0, 60));
    http_client client{f.port()};
    client.send(healthz + with_key("GET " + session_path) + healthz + text);
    for (int i = 0; i < 3; ++i)
      CHECK(client.receive().status == 200);
    CHECK(client.receive().status == status);
    CHECK(client.is_closed());
  }
}

TEST_CASE("what is refused is answered after a request that takes its time") {
  fixture f{[](http::options& o) { o.ordinary = milliseconds{300}; }};
  fixture::wait_until([&] {
    return call(f.port(), "GET", session_path, admin_secret).status == 200;
  });
  f.script->silent = true;
  http_client client{f.port()};
  client.send(with_key("GET " + session_path) + "BREW /pot HTTP/1.1\r\n\r\n");
  CHECK(client.receive().status == 504);
  CHECK(client.receive().status == 501);
  CHECK(client.is_closed());
}

TEST_CASE("bodies come one after the other on one connection") {
  fixture f;
  http_client client{f.port()};
  const std::string body = R"({"command":"true"})";
  const std::string type = "Content-Type: application/json\r\n";
  auto known =
    with_key("POST " + session_path + "/exec",
             type + "Content-Length: " + std::to_string(body.size()) + "\r\n")
    + body;
  auto chunked = with_key("POST " + session_path + "/exec",
                          type + "Transfer-Encoding: chunked\r\n")
                 + "5;x=y\r\n" + body.substr(0, 5) + "\r\nd\r\n"
                 + body.substr(5) + "\r\n0\r\nX: y\r\n\r\n";
  std::string all;
  for (int i = 0; i < 20; ++i)
    all += known + chunked + healthz;
  // However it is cut.
  for (std::size_t at = 0, size = 1; at < all.size(); at += size) {
    size = 1 + at * 7 % 1500;
    client.send(std::string_view{all}.substr(at, size));
  }
  for (int i = 0; i < 20; ++i) {
    CHECK(client.receive().status == 202);
    CHECK(client.receive().status == 202);
    CHECK(client.receive().status == 200);
  }
}

TEST_CASE("one key's bodies do not take all memory for bodies") {
  fixture f{[](http::options& o) {
    o.threads = 1;
    o.max_body = 4 << 20;
  }};
  const std::string part((4 << 20) - 1, ' ');
  auto head = with_key("POST " + session_path + "/exec",
                       "Content-Type: application/json\r\nContent-Length: "
                         + std::to_string(part.size() + 1) + "\r\n");
  std::vector<std::unique_ptr<http_client>> clients;
  auto refused = 0;
  for (int i = 0; i < 8; ++i) {
    clients.push_back(std::make_unique<http_client>(f.port()));
    clients.back()->send(healthz);
    CHECK(clients.back()->receive().status == 200);
    clients.back()->send(head + part);
  }
  fixture::wait_until([&] {
    refused = 0;
    for (auto& one : clients)
      refused += one->has_answer(milliseconds{0});
    return refused >= 4;
  });
  CHECK(refused < 8);
  // Others have their room.
  auto other = f.add_key({"admin"});
  auto served = call(f.port(), "POST", session_path + "/exec", other,
                     R"({"command":"true"})" + std::string(3 << 20, ' '));
  CHECK(served.status == 202);
}

TEST_CASE("who waits for 100 Continue gets it however the head comes") {
  fixture f;
  const std::string body = R"({"command":"true"})";
  auto head = with_key("POST " + session_path + "/exec",
                       "EXPECT: 100-Continue\r\nContent-Type: application/json"
                       "\r\nContent-Length: "
                         + std::to_string(body.size()) + "\r\n");
  http_client client{f.port()};
  for (auto cut : {head.find("Continue"), std::size_t{3}, head.size() - 1}) {
    client.send(head.substr(0, cut));
    CHECK_FALSE(client.has_answer(milliseconds{50}));
    client.send(head.substr(cut));
    CHECK(client.receive_head().status == 100);
    client.send(body);
    CHECK(client.receive().status == 202);
  }
}

TEST_CASE("who has shown no key has less time for each request") {
  fixture f{
    [](http::options& o) { o.idle_of_strangers = std::chrono::seconds{2}; }};
  const auto& whole = healthz;
  http_client known{f.port()};
  known.send(request_text("GET", "/whoami", admin_secret));
  CHECK(known.receive().status == 200);
  for (auto& begun : {std::string{}, std::string{"G"}, whole.substr(0, 20)}) {
    INFO(begun);
    http_client silent{f.port()};
    silent.send(begun);
    CHECK(silent.is_closed());
    // The same behind a request that was served.
    http_client later{f.port()};
    later.send(whole + begun);
    CHECK(later.receive().status == 200);
    CHECK(later.is_closed());
  }
  // Who has shown one may be silent as before, or in the middle of a head.
  known.send(whole.substr(0, 20));
  CHECK_FALSE(known.has_answer(std::chrono::seconds{5}));
  known.send(whole.substr(20));
  CHECK(known.receive().status == 200);
}

TEST_CASE("in a crowd of strangers who is refused is answered at once and "
          "closed later") {
  using clock = std::chrono::steady_clock;
  // The crowd stays, however slow the machine is.
  fixture f{
    [](http::options& o) { o.idle_of_strangers = std::chrono::minutes{2}; }};
  // From the request to the end of the connection.
  auto lasts = [&](const std::string& request, int status) {
    auto began = clock::now();
    http_client client{f.port()};
    client.send(request);
    CHECK(client.receive().status == status);
    CHECK(client.is_closed());
    return clock::now() - began;
  };
  const std::string of_stranger = "BREW /pot HTTP/1.1\r\n\r\n";
  const auto of_known =
    with_key("POST /projects", "Content-Length: 99999999\r\n");
  const std::chrono::seconds moment{1};
  fixture::wait_until([&] { return lasts(of_stranger, 501) < moment; });
  std::vector<std::unique_ptr<http_client>> crowd;
  for (int i = 0; i < 200; ++i)
    crowd.push_back(std::make_unique<http_client>(f.port()));
  fixture::wait_until([&] { return lasts(of_stranger, 501) >= moment; });
  fixture::wait_until([&] { return lasts(of_known, 413) < moment; });
  // Who closes by itself waits for nothing.
  fixture::wait_until([&] {
    auto began = clock::now();
    for (int i = 0; i < 10; ++i) {
      http_client client{f.port()};
      client.send(of_stranger);
      CHECK(client.receive().status == 501);
    }
    return clock::now() - began < moment;
  });
}

namespace {

/// Connections that are open at once, of one thread, on a node where nobody is
/// late.
struct crowd : fixture {
  using clients = std::vector<std::unique_ptr<http_client>>;

  explicit crowd(std::function<void(http::options&)> set)
    : fixture([&](http::options& o) {
        o.threads = 1;
        o.idle_of_strangers = o.trial_of_strangers = std::chrono::minutes{5};
        set(o);
      }) {}

  http_client& come(const std::string& said) {
    all.push_back(std::make_unique<http_client>(port()));
    all.back()->send(said);
    return *all.back();
  }
  int ask(const std::string& request) {
    return come(request).receive().status;
  }

  clients all;
};

std::size_t closed_of(crowd::clients& all) {
  return static_cast<std::size_t>(std::ranges::count_if(
    all, [](auto& one) { return one->has_answer(milliseconds{0}); }));
}

} // namespace

TEST_CASE("who shows a key takes the place of one that has shown none") {
  crowd f{[](http::options& o) { o.max_connections_of_address = 10; }};
  const auto whoami = with_key("GET /whoami");
  for (int i = 0; i < 5; ++i) {
    f.come({});
    f.come(healthz.substr(0, 20));
  }
  CHECK(f.ask(healthz) == 503);
  CHECK(f.ask("GET /whoami HTTP/1.1\r\nHost: localhost\r\n"
              "X-API-Key: gr_none\r\n\r\n")
        == 503);
  // What else is wrong with a request is told all the same.
  CHECK(f.ask(bad_requests()[0].text) == 401);
  CHECK(f.ask("BREW /pot HTTP/1.1\r\n\r\n") == 501);
  for (auto i = f.all.begin() + 10; i != f.all.end(); ++i)
    CHECK((*i)->is_closed());
  f.all.resize(10);
  CHECK(closed_of(f.all) == 0);
  crowd::clients silent;
  std::swap(silent, f.all);
  for (std::size_t i = 1; i <= 10; ++i) {
    // In pieces, too.
    auto& known = f.come(whoami.substr(0, 20));
    known.send(whoami.substr(20));
    CHECK(known.receive().status == 200);
    fixture::wait_until([&] { return closed_of(silent) == i; });
    CHECK(silent[i - 1]->is_closed());
  }
  CHECK(f.ask(whoami) == 503);
  // Nobody who has shown one was closed.
  f.all.resize(10);
  for (auto& one : f.all) {
    one->send(whoami);
    CHECK(one->receive().status == 200);
  }
  // A place that is free needs nobody's.
  f.all.pop_back();
  fixture::wait_until([&] { return f.ask(healthz) == 200; });
}

TEST_CASE("who comes where there is no place and says nothing is told soon") {
  crowd f{[](http::options& o) {
    o.max_connections_of_address = 1;
    o.trial_of_strangers = milliseconds{100};
  }};
  CHECK(f.ask(healthz) == 200);
  for (auto& begun : {std::string{}, healthz.substr(0, 20),
                      std::string{"GET /git/demo/x HTTP/1.1\r\n\r\n"}}) {
    INFO(begun);
    auto& late = f.come(begun);
    CHECK(late.receive().status == 503);
    CHECK(late.is_closed());
  }
}

TEST_CASE("of those without a place so many are heard at once") {
  // A sixteenth are left for others, a quarter of these for who is heard.
  crowd f{[](http::options& o) {
    o.max_connections = 256;
    o.max_connections_of_address = 1;
  }};
  CHECK(f.ask(healthz) == 200);
  for (int i = 0; i < 4; ++i)
    f.come({});
  CHECK(f.ask(with_key("GET /whoami")) == 200);
  CHECK(f.all[1]->receive().status == 503);
  CHECK_FALSE(f.all[2]->has_answer(milliseconds{0}));
}

TEST_CASE("where nearly all connections are open silent ones make room") {
  crowd f{[](http::options& o) {
    o.max_connections = 32;
    o.max_connections_of_address = 1'000;
  }};
  auto& known = f.come(with_key("GET /whoami"));
  CHECK(known.receive().status == 200);
  for (int i = 0; i < 29; ++i)
    f.come({});
  crowd::clients silent;
  silent.assign(std::make_move_iterator(f.all.begin() + 1),
                std::make_move_iterator(f.all.end()));
  f.all.resize(1);
  // Whoever asks: who looks after a node's health shows no key.
  for (std::size_t i = 1; i <= 29; ++i) {
    CHECK(f.ask(healthz) == 200);
    fixture::wait_until([&] { return closed_of(silent) == i; });
  }
  known.send(healthz);
  CHECK(known.receive().status == 200);
}

namespace {

/// All connections but the last four of 64 are taken, by streams.
struct full_of_streams : crowd {
  full_of_streams()
    : crowd([](http::options& o) {
        o.max_connections = 64;
        o.max_connections_of_address = o.max_streams_of_key = 1'000;
      }) {
    for (int i = 0; i < 60; ++i)
      CHECK(
        come(with_key("GET " + session_path + "/events")).receive_head().status
        == 200);
  }
};

} // namespace

TEST_CASE("the last connections are for requests that do not go on") {
  full_of_streams f;
  {
    std::lock_guard lock{f.script->guard};
    f.script->running.insert("t");
    f.script->terminals.insert("t");
  }
  f.exec_dir("t");
  const std::string upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n"
                              "Sec-WebSocket-Version: 13\r\n"
                              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  for (auto& [target, fields] :
       std::vector<std::pair<std::string, std::string>>{
         {"/events", {}},
         {"/wait?until=ended", {}},
         {"/execs/t/output?follow=true", {}},
         {"/execs/t/attach", upgrade}})
    for (int i = 0; i < 3; ++i) {
      INFO(target);
      auto& late = f.come(with_key("GET " + session_path + target, fields));
      auto answer = late.receive();
      CHECK(answer.status == 503);
      CHECK(answer.headers["retry-after"] != "");
      CHECK_THAT(answer.body, Catch::Contains("for short requests"));
      CHECK(late.is_closed());
    }
  for (int i = 0; i < 10; ++i) {
    auto& modest = f.come(with_key("GET /whoami"));
    auto answer = modest.receive();
    CHECK(answer.status == 200);
    CHECK(answer.headers["connection"] == "close");
    CHECK(modest.is_closed());
  }
  // With room again, they go on as before.
  f.all.erase(f.all.begin());
  fixture::wait_until([&] {
    auto& next = f.come(with_key("GET " + session_path + "/events"));
    return next.receive_head().status == 200;
  });
}

TEST_CASE("who shows a key where the last connections are taken is told so") {
  full_of_streams f;
  // Two of the four are for who is told that there is none.
  const auto unfinished =
    with_key("POST /projects", "Content-Length: 9\r\nExpect: 100-continue\r\n");
  for (int i = 0; i < 2; ++i)
    CHECK(f.come(unfinished).receive_bytes(12) == "HTTP/1.1 100");
  for (auto& request : {unfinished, with_key("GET /whoami"), healthz}) {
    auto& late = f.come(request);
    auto answer = late.receive();
    CHECK(answer.status == 503);
    CHECK_THAT(answer.body, Catch::Contains("nearly all connections"));
    CHECK(late.is_closed());
  }
  // Nor does silence keep others from being heard.
  for (int i = 0; i < 3; ++i)
    f.come({});
  CHECK(f.ask(with_key("GET /whoami")) == 503);
}

TEST_CASE("a client that sends no more gets its answer, whatever it asks") {
  fixture f;
  print(f, "e1", 8 << 20);
  auto of = [&](const std::string& target) {
    http_client client{f.port()};
    client.send(with_key("GET " + target));
    client.finish_sending();
    auto answer = client.receive();
    CHECK(client.is_closed());
    return answer;
  };
  CHECK(of(session_path + "/wait?until=ended&timeout=300ms").status == 200);
  CHECK(of("/projects/events-of-x").status == 404);
  CHECK(of("/projects/wait/sessions").status == 404);
  CHECK(of(session_path + "/execs/e1/output").body.size() == 8 << 20);
  http_client several{f.port()};
  several.send(healthz + with_key("GET " + session_path) + healthz);
  several.finish_sending();
  for (int i = 0; i < 3; ++i)
    CHECK(several.receive().status == 200);
  CHECK(several.is_closed());
  // It does not wait for what is to come: nobody may listen any more.
  http_client waits{f.port()};
  waits.send(with_key("GET " + session_path + "/wait?until=ended&timeout=3m"));
  fixture::wait_until([&] { return f.script->watchers == 1; });
  waits.finish_sending();
  CHECK_THAT(waits.receive().body, Catch::Contains(R"("reached":false)"));
  CHECK(waits.is_closed());
  fixture::wait_until([&] { return f.script->watchers == 0; });
  // But what has come is told.
  {
    std::lock_guard lock{f.script->guard};
    f.script->running.erase("e1");
  }
  http_client over{f.port()};
  over.send(with_key("GET " + session_path + "/wait?until=exec:e1:exited"));
  over.finish_sending();
  CHECK_THAT(over.receive().body, Catch::Contains(R"("reached":true)"));
  // And a stream has no end, so nobody may listen any more.
  http_client stream{f.port()};
  stream.send(with_key("GET " + session_path + "/events"));
  CHECK(stream.receive_head().status == 200);
  fixture::wait_until([&] { return f.script->watchers == 1; });
  stream.finish_sending();
  fixture::wait_until([&] { return f.script->watchers == 0; });
}
