// A server that is asked for what lies with another one: the wrong node.
#include "http/edge/peers.hpp"
#include "messages/operations.hpp"
#include "runtime/auth/logins.hpp"
#include "runtime/base/files.hpp"
#include "runtime/exec/output/output_log.hpp"
#include "runtime/runner/protocol/exit_record.hpp"
#include "runtime/runner/protocol/session_files.hpp"
#include "tests/http/asking.hpp"
#include "tests/http/client.hpp"
#include "tests/http/stand_in_parts.hpp"
#include "tests/http/stand_ins.hpp"
#include "tests/support/http_receiver.hpp"

#include <arpa/inet.h>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <catch2/catch.hpp>
#include <fcntl.h>
#include <netinet/in.h>
#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <tuple>
#include <vector>

using namespace greenroom;
using namespace greenroom::test;

namespace {

const std::string forwarded_execs = session_path + "/execs/";

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port = htons(port);
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return where;
}

unique_fd connected(std::uint16_t port) {
  unique_fd result{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  auto where = loopback(port);
  if (::connect(result.get(), reinterpret_cast<sockaddr*>(&where), sizeof where)
      != 0)
    result.reset();
  return result;
}

/// A node that owns nothing: all is node b's, which is the fixture, but for
/// what a test says.
class wrong_node {
public:
  explicit wrong_node(fixture& owner, const std::string& name = "a",
                      std::size_t max_streams_of_key = 0)
    : owner_(owner) {
    auto& system = *owner.system;
    nobody_ = system.spawn(
      [](caf::event_based_actor*, int) -> caf::behavior {
        return {[](const join_edge&) {}};
      },
      0);
    member_ = system.spawn(
      [](caf::event_based_actor*,
         std::shared_ptr<belief> all) -> caf::behavior {
        return {[all](const find_owner& x) {
          std::lock_guard lock{all->mutex};
          auto now = all->owners.front();
          if (all->owners.size() > 1)
            all->owners.pop_front();
          return owner_record{x.project_id, now.node, "", now.epoch};
        }};
      },
      believed_);
    auto others = std::make_shared<http::peers>();
    others->node = name;
    others->member = caf::actor_cast<cluster_member_actor>(member_);
    others->arriving = std::make_shared<http::peer_connections>();
    arriving_ = others->arriving;
    others->open = [this](const std::string& node, const std::string&,
                          const http::peers::opened& then) {
      if (ports.contains(node))
        then(connected(ports.at(node)), "");
      else if (nodes.contains(node))
        then(nodes.at(node)->connect_as_node(), "");
      else if (reachable)
        then(connected(owner_.port()), "");
      else
        then(unique_fd{}, "node " + node + " cannot be reached: a test");
    };
    http::options options;
    options.port = 0;
    options.threads = 1;
    options.data_dir = empty_.path();
    options.hosts = {"a.example"};
    options.max_streams_of_key = max_streams_of_key;
    auto silent = std::make_shared<spdlog::logger>(
      "none", std::make_shared<spdlog::sinks::null_sink_mt>());
    http::server_parts parts{system,
                             owner.ring,
                             caf::actor_cast<directory_actor>(nobody_),
                             caf::actor_cast<key_registry_actor>(nobody_),
                             system.spawn(store_stand_in, owner.script),
                             {},
                             {},
                             silent};
    parts.others = others;
    operations_ = system.spawn(
      [](caf::event_based_actor*,
         std::shared_ptr<audited> all) -> caf::behavior {
        return {[all](const add_audit& x) {
          std::lock_guard lock{all->mutex};
          all->entries.insert(all->entries.end(), x.entries.begin(),
                              x.entries.end());
          return done{};
        }};
      },
      audited_);
    parts.operations = caf::actor_cast<operations_actor>(operations_);
    server_ = std::make_unique<http::server>(options, parts);
    server_->start();
  }
  ~wrong_node() {
    server_.reset();
    caf::anon_send_exit(nobody_, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(member_, caf::exit_reason::user_shutdown);
    caf::anon_send_exit(operations_, caf::exit_reason::user_shutdown);
  }

  std::uint16_t port() const {
    return server_->port();
  }
  http_answer get(const std::string& target, const std::string& headers = {}) {
    http_client client{port()};
    client.send(request_text("GET", target, admin_secret, "", "", headers));
    return client.receive();
  }

  /// The same from another node.
  http_answer get_as_node(const std::string& target,
                          const std::string& headers) {
    http_client client{connect_as_node()};
    client.send(request_text("GET", target, admin_secret, "", "", headers));
    return client.receive();
  }
  unique_fd connect_as_node() {
    auto where = loopback(port());
    return arriving_->connect(reinterpret_cast<sockaddr&>(where), sizeof where);
  }

  /// What it finds in the store next; the last stays.
  void believe(std::deque<http::passage> owners) {
    std::lock_guard lock{believed_->mutex};
    believed_->owners = std::move(owners);
  }
  /// What it has written down so far.
  std::vector<audit_entry> audit() {
    std::lock_guard lock{audited_->mutex};
    return audited_->entries;
  }
  std::size_t beliefs() {
    std::lock_guard lock{believed_->mutex};
    return believed_->owners.size();
  }

  std::atomic<bool> reachable = true;
  // Of other nodes than the fixture.
  std::map<std::string, std::uint16_t> ports;
  std::map<std::string, wrong_node*> nodes;

private:
  struct belief {
    std::mutex mutex;
    std::deque<http::passage> owners{{"b", 1}};
  };
  struct audited {
    std::mutex mutex;
    std::vector<audit_entry> entries;
  };

  fixture& owner_;
  std::shared_ptr<http::peer_connections> arriving_;
  std::shared_ptr<belief> believed_ = std::make_shared<belief>();
  std::shared_ptr<audited> audited_ = std::make_shared<audited>();
  temp_dir empty_;
  caf::actor nobody_;
  caf::actor member_;
  caf::actor operations_;
  std::unique_ptr<http::server> server_;
};

class owner_log {
public:
  owner_log(fixture& f, const std::string& exec_id)
    : dir_(
      ::open(f.exec_dir(exec_id).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)),
      writer_(dir_.get(), std::uint64_t{1} << 30) {
    std::lock_guard lock{f.script->guard};
    f.script->running.insert(exec_id);
    f.script->terminals.insert(exec_id);
  }

  void print(std::string_view text, output_stream stream = output_stream::out) {
    writer_.append(stream, {text.data(), text.size()}, 1);
  }

  void exit() {
    write_file_atomic(dir_.get(), runner::exit_file,
                      to_json(exit_record{exit_status::exited}), 0600, false);
  }

private:
  unique_fd dir_;
  output_log_writer writer_;
};

/// A masked frame of a client, up to 125 bytes.
std::string frame_of(unsigned kind, const std::string& payload) {
  std::string bytes{static_cast<char>(0x80 | kind),
                    static_cast<char>(0x80 | payload.size())};
  return bytes + std::string(4, '\0') + payload;
}

} // namespace

TEST_CASE("output of another node's session is served with its range") {
  fixture owner;
  wrong_node wrong{owner};
  owner_log log{owner, "e1"};
  log.print("0123456789");
  log.exit();
  auto whole = wrong.get(forwarded_execs + "e1/output");
  CHECK(whole.status == 200);
  CHECK(whole.body == "0123456789");
  CHECK(whole.headers["x-greenroom-node"] == "b");
  CHECK(
    whole.headers["content-type"]
    == call(owner.port(), "GET", forwarded_execs + "e1/output", admin_secret)
         .headers["content-type"]);
  auto part = wrong.get(forwarded_execs + "e1/output?stream=stdout",
                        "Range: bytes=2-4\r\n");
  CHECK(part.status == 206);
  CHECK(part.body == "234");
  CHECK(part.headers["content-range"] == "bytes 2-4/10");
  http_client head{wrong.port()};
  head.send(request_text("HEAD", forwarded_execs + "e1/output", admin_secret));
  auto answer = head.receive(true);
  CHECK(answer.status == 200);
  CHECK(answer.headers["content-length"] == "10");
  // Its errors, too.
  CHECK(wrong.get(forwarded_execs + "none/output").status == 404);
  CHECK(wrong.get(forwarded_execs + "e1/output?from=x").status == 400);
}

TEST_CASE("a connection serves what is here and what is elsewhere") {
  fixture owner;
  wrong_node wrong{owner};
  owner_log log{owner, "e1"};
  log.print("x");
  log.exit();
  http_client client{wrong.port()};
  for (int i = 0; i < 3; ++i) {
    client.send(
      request_text("GET", forwarded_execs + "e1/output", admin_secret));
    CHECK(client.receive().body == "x");
    client.send(request_text("GET", "/healthz"));
    CHECK(client.receive().status == 200);
  }
}

TEST_CASE("an answer that breaks at the other node breaks here, too") {
  fixture owner;
  wrong_node wrong{owner};
  const std::string kind = "Content-Type: application/octet-stream\r\n";
  for (const auto& head :
       {kind + "Transfer-Encoding: chunked\r\n\r\n5\r\nbegun\r\n",
        kind + "Content-Length: 100\r\n\r\nbegun"}) {
    INFO(head);
    http_receiver breaks{
      [&](const received_request&) { return "HTTP/1.1 200 OK\r\n" + head; }};
    wrong.ports["b"] = breaks.port();
    http_client client{wrong.port()};
    client.send(
      request_text("GET", forwarded_execs + "e1/output", admin_secret));
    CHECK(client.receive_head().status == 200);
    // Neither whole nor waited for.
    CHECK_THROWS_WITH(client.read_stream_to_end(), Catch::Contains("ended"));
  }
}

TEST_CASE("output of another node's session is followed") {
  fixture owner;
  wrong_node wrong{owner};
  owner_log log{owner, "live"};
  log.print("early\n");
  http_client client{wrong.port()};
  client.send(request_text("GET", forwarded_execs + "live/output?follow=1",
                           admin_secret));
  CHECK(client.receive_head().status == 200);
  client.read_stream_until("early\n");
  log.print("late\n");
  client.read_stream_until("late\n");
  log.exit();
  CHECK(client.read_stream_to_end() == "early\nlate\n");
}

TEST_CASE("only what goes on is refused where its key has all its streams") {
  fixture owner;
  wrong_node wrong{owner, "a", 1};
  owner_log log{owner, "live"};
  log.print("early\n", output_stream::tty);
  http_client client{wrong.port()};
  client.send(request_text("GET", forwarded_execs + "live/output?follow=1",
                           admin_secret));
  CHECK(client.receive_head().status == 200);
  client.read_stream_until("early\n");
  CHECK(wrong.get(forwarded_execs + "live/output?follow=true").status == 429);
  CHECK(wrong
          .get(forwarded_execs + "live/attach",
               "Connection: Upgrade\r\nUpgrade: websocket\r\n"
               "Sec-WebSocket-Version: 13\r\n"
               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")
          .status
        == 429);
  for (auto plain : {"", "?follow=0"}) {
    auto answer = wrong.get(forwarded_execs + "live/output" + plain);
    CHECK(answer.status == 200);
    CHECK(answer.body == "early\n");
  }
  log.exit();
}

TEST_CASE("32 MiB of output pass") {
  fixture owner;
  wrong_node wrong{owner};
  owner_log log{owner, "big"};
  const std::string block(1 << 20, 'b');
  for (int i = 0; i < 32; ++i)
    log.print(block);
  log.exit();
  auto all = wrong.get(forwarded_execs + "big/output");
  CHECK(all.status == 200);
  CHECK(all.body.size() == std::size_t{32} << 20);
}

TEST_CASE("a terminal of another node's session shows and takes bytes") {
  fixture owner;
  wrong_node wrong{owner};
  owner_log log{owner, "t"};
  log.print("$ ", output_stream::tty);
  http_client client{wrong.port()};
  client.send(request_text("GET", forwarded_execs + "t/attach", admin_secret,
                           "", "",
                           "Connection: Upgrade\r\nUpgrade: websocket\r\n"
                           "Sec-WebSocket-Version: 13\r\n"
                           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"));
  CHECK(client.receive_head().status == 101);
  CHECK(client.receive_bytes(4) == "\x82\x02$ ");
  client.send(frame_of(2, "ls\r"));
  fixture::wait_until([&] {
    std::lock_guard lock{owner.script->guard};
    return owner.script->inputs.size() == 1
           && owner.script->inputs.front().data.view() == "ls\r";
  });
  log.exit();
  // The owner says why it closes.
  auto start = client.receive_bytes(2);
  while ((static_cast<unsigned char>(start[0]) & 0x0f) != 8) {
    client.receive_bytes(static_cast<unsigned char>(start[1]));
    start = client.receive_bytes(2);
  }
  auto closing = client.receive_bytes(2);
  CHECK(static_cast<unsigned char>(closing[0]) * 256
          + static_cast<unsigned char>(closing[1])
        == 1000);
  // A refusal of the owner's is an answer as any other.
  CHECK(wrong.get(forwarded_execs + "none/attach").status != 200);
}

TEST_CASE("a request that offers another protocol is passed on as it is") {
  fixture owner;
  wrong_node wrong{owner};
  owner_log log{owner, "t"};
  log.print("x", output_stream::tty);
  const std::string h2c = "Connection: Upgrade, HTTP2-Settings\r\n"
                          "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n";
  auto ask = [&](std::uint16_t port, std::string_view method,
                 const std::string& path, std::string_view body,
                 const std::string& headers) {
    http_client client{port};
    client.send(request_text(method, session_path + path, admin_secret, body,
                             "application/json", headers));
    return client.receive();
  };
  CHECK(ask(wrong.port(), "GET", "/execs/t/output", "", h2c).body == "x");
  const std::string port = "/ports/3000";
  for (auto& [method, path, body] :
       {std::tuple{"PUT", port, R"({"label":"web"})"},
        std::tuple{"PUT", port, R"({"bogus":1})"},
        std::tuple{"DELETE", port + "/links/none", ""}}) {
    INFO(method << ' ' << path << ' ' << body);
    auto plain = ask(owner.port(), method, path, body, "");
    auto passed = ask(wrong.port(), method, path, body, h2c);
    CHECK(passed.status == plain.status);
    CHECK(passed.body.substr(0, passed.body.find("\"meta\""))
          == plain.body.substr(0, plain.body.find("\"meta\"")));
  }
  // Nor is a WebSocket opened there that none can be made of here.
  auto bad = ask(wrong.port(), "GET", "/execs/t/attach", "",
                 "Connection: Upgrade\r\nUpgrade: websocket\r\n"
                 "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n");
  CHECK(bad.status == 426);
  CHECK(bad.headers["x-greenroom-node"] == "b");
  log.exit();
}

TEST_CASE("the owner need not know the name that the wrong node is asked by") {
  fixture owner;
  wrong_node wrong{owner};
  owner_log log{owner, "t"};
  log.print("x", output_stream::tty);
  auto ask = [&](std::uint16_t port, const std::string& path,
                 const std::string& headers) {
    auto text = request_text("GET", forwarded_execs + path, admin_secret, "",
                             "", headers);
    text.replace(text.find("localhost"), 9, "a.example");
    http_client client{port};
    client.send(text);
    return client.receive_head().status;
  };
  CHECK(ask(owner.port(), "t/output", "") == 403);
  CHECK(ask(wrong.port(), "t/output", "") == 200);
  CHECK(ask(wrong.port(), "t/attach",
            "Connection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "Origin: http://a.example\r\n")
        == 101);
  log.exit();
}

TEST_CASE("a node that cannot be reached is named, with when to try again") {
  fixture owner;
  wrong_node wrong{owner};
  wrong.reachable = false;
  auto answer = wrong.get(forwarded_execs + "e1/output");
  CHECK(answer.status == 503);
  CHECK_THAT(answer.body, Catch::Contains("node b cannot be reached: a test"));
  CHECK(answer.headers.contains("retry-after"));
}

TEST_CASE("what another node may have done is for that node to write down") {
  fixture owner;
  wrong_node wrong{owner};
  auto change = [&](http_client& client, const std::string& id) {
    client.send(request_text("PUT", session_path + "/ports/3000", admin_secret,
                             R"({"label":"web"})", "application/json",
                             "X-Request-Id: " + id + "\r\n"));
  };
  {
    http_receiver never{
      [](const received_request&) { return http_receiver::never; }};
    wrong.ports["b"] = never.port();
    http_client leaves{wrong.port()};
    change(leaves, "r-left");
    fixture::wait_until([&] { return never.requests().size() == 1; });
  }
  http_receiver breaks{[](const received_request&) { return std::string{}; }};
  wrong.ports["b"] = breaks.port();
  http_client first{wrong.port()};
  change(first, "r-broken");
  auto broken = first.receive();
  CHECK(broken.status == 503);
  CHECK_THAT(broken.body,
             Catch::Contains("node b does not answer, and whether the request "
                             "took effect is not known"));
  // Nobody else knows of what was not sent.
  wrong.ports.clear();
  wrong.reachable = false;
  http_client second{wrong.port()};
  change(second, "r-unreached");
  CHECK(second.receive().status == 503);
  fixture::wait_until([&] { return !wrong.audit().empty(); });
  auto audit = wrong.audit();
  REQUIRE(audit.size() == 1);
  CHECK(audit[0].request_id == "r-unreached");
  CHECK(audit[0].status == 503);
}

TEST_CASE("a request is not passed on twice, nor without a key") {
  fixture owner;
  wrong_node wrong{owner};
  auto again = wrong.get_as_node(forwarded_execs + "e1/output",
                                 "X-Request-Id: r1.via-c\r\n");
  CHECK(again.status == 503);
  CHECK_THAT(again.body, Catch::Contains("the session has moved to node b"));
  auto stranger =
    call(wrong.port(), "GET", forwarded_execs + "e1/output", "nope");
  CHECK(stranger.status == 401);
  CHECK_FALSE(stranger.headers.contains("x-greenroom-node"));
}

TEST_CASE("who was the owner refuses what is passed on, and the client notices "
          "nothing") {
  fixture owner;
  wrong_node stale{owner};
  wrong_node left{owner, "b"};
  stale.nodes["b"] = &left;
  left.believe({{"c", 2}});
  owner_log log{owner, "e1"};
  log.print("x", output_stream::tty);
  const std::string upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n"
                              "Sec-WebSocket-Version: 13\r\n"
                              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  stale.believe({{"b", 1}, {"c", 2}});
  auto answer = stale.get(forwarded_execs + "e1/output");
  CHECK(answer.status == 200);
  CHECK(answer.body == "x");
  CHECK(answer.headers["x-greenroom-node"] == "c");
  CHECK(stale.beliefs() == 1);
  stale.believe({{"b", 1}, {"c", 2}});
  http_client client{stale.port()};
  client.send(request_text("GET", forwarded_execs + "e1/attach", admin_secret,
                           "", "", upgrade));
  CHECK(client.receive_head().status == 101);
  CHECK(client.receive_bytes(3) == "\x82\x01x");
  // Once: who is wrong again says so.
  stale.believe({{"b", 1}});
  answer = stale.get(forwarded_execs + "e1/output");
  CHECK(answer.status == 503);
  CHECK_THAT(answer.body, Catch::Contains("the session has moved to node c"));
  log.exit();
}

TEST_CASE("an owner refuses what is meant for the owner of another epoch") {
  fixture owner;
  wrong_node node{owner, "b"};
  node.believe({{"b", 3}});
  auto ask = [&](const std::string& mark) {
    return node.get_as_node(forwarded_execs + "e1/output",
                            "X-Request-Id: r1.via-" + mark);
  };
  for (auto stale : {"a@2\r\n", "a@4\r\n"}) {
    auto answer = ask(stale);
    CHECK(answer.status == 503);
    CHECK(answer.headers.contains("x-greenroom-moved"));
    CHECK_THAT(answer.body, Catch::Contains("has moved meanwhile"));
  }
  for (auto served : {"a@3\r\n", "a\r\n"})
    CHECK_FALSE(ask(served).headers.contains("x-greenroom-moved"));
}

TEST_CASE("what a client says of a way by other nodes is not believed") {
  fixture owner;
  wrong_node wrong{owner};
  owner_log log{owner, "e1"};
  log.print("x", output_stream::tty);
  log.exit();
  for (auto id : {"r1.via-c", "r1.via-a@1", "r1.via-a@7"}) {
    auto answer = wrong.get(forwarded_execs + "e1/output",
                            "X-Request-Id: " + std::string{id} + "\r\n");
    CHECK(answer.status == 200);
    CHECK(answer.headers["x-greenroom-node"] == "b");
    CHECK(answer.headers["x-request-id"] == id);
  }
  wrong_node here{owner, "b"};
  here.believe({{"b", 3}});
  CHECK_FALSE(
    here.get(forwarded_execs + "e1/output", "X-Request-Id: r1.via-a@2\r\n")
      .headers.contains("x-greenroom-moved"));
}

TEST_CASE(
  "a login of the console counts on the wrong node, for its own pages") {
  fixture owner;
  wrong_node wrong{owner};
  owner_log log{owner, "t"};
  log.print("x", output_stream::tty);
  auto cookie = "Cookie: greenroom-login="
                + owner.ring.logins().make("admin", now_ms() + 60'000) + "\r\n";
  auto ask = [&](const std::string& path, const std::string& more) {
    http_client client{wrong.port()};
    client.send(
      request_text("GET", forwarded_execs + path, "", "", "", cookie + more));
    return client.receive_head();
  };
  auto output = ask("t/output", "");
  CHECK(output.status == 200);
  CHECK(output.headers["x-greenroom-node"] == "b");
  const std::string upgrade = "Connection: Upgrade\r\nUpgrade: websocket\r\n"
                              "Sec-WebSocket-Version: 13\r\n"
                              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
  CHECK(ask("t/attach", upgrade).status == 101);
  auto foreign = ask("t/attach", upgrade + "Origin: http://evil.example\r\n");
  CHECK(foreign.status == 403);
  CHECK_FALSE(foreign.headers.contains("x-greenroom-node"));
  log.exit();
}
