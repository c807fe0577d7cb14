// Terminals over real WebSockets.
#include "runtime/base/files.hpp"
#include "runtime/exec/output/output_log.hpp"
#include "runtime/runner/protocol/exit_record.hpp"
#include "runtime/runner/protocol/session_files.hpp"
#include "tests/http/client.hpp"
#include "tests/http/stand_ins.hpp"
#include "tests/support/no_descriptors.hpp"

#include <caf/send.hpp>
#include <catch2/catch.hpp>
#include <fcntl.h>
#include <nlohmann/json.hpp>

#include <cstdio>

#include <memory>

using namespace greenroom;
using namespace greenroom::test;
using nlohmann::json;

namespace {

const std::string attach_path =
  "/projects/demo/sessions/" + std::string{demo_session} + "/execs/t/attach";

const std::string handshake = "Connection: Upgrade\r\nUpgrade: websocket\r\n"
                              "Sec-WebSocket-Version: 13\r\n"
                              "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

struct frame {
  unsigned kind = 0;
  std::string payload;
};

constexpr unsigned text_frame = 1;
constexpr unsigned binary_frame = 2;
constexpr unsigned close_frame = 8;
constexpr unsigned ping_frame = 9;
constexpr unsigned pong_frame = 10;

/// A client that is attached.
class viewer {
public:
  explicit viewer(const fixture& f, std::string_view key = admin_secret,
                  const std::string& headers = {}, int receive_buffer = 0,
                  const std::string& query = {})
    : client_(f.port(), receive_buffer) {
    client_.send(request_text("GET", attach_path + query, key, "", "",
                              handshake + headers));
    head = client_.receive_head();
  }

  frame receive() {
    auto start = client_.receive_bytes(2);
    frame result;
    result.kind = static_cast<unsigned char>(start[0]) & 0x0f;
    std::size_t size = static_cast<unsigned char>(start[1]);
    if (size >= 126) {
      auto more = client_.receive_bytes(size == 126 ? 2 : 8);
      size = 0;
      for (auto c : more)
        size = size << 8 | static_cast<unsigned char>(c);
    }
    result.payload = client_.receive_bytes(size);
    return result;
  }

  /// What was printed, once there are as many bytes.
  std::string printed(std::size_t count) {
    while (seen_.size() < count) {
      auto next = receive();
      if (next.kind == binary_frame)
        seen_ += next.payload;
      else
        REQUIRE(next.kind == ping_frame);
    }
    return seen_;
  }

  /// The close frame, after whatever is printed until then.
  std::string closing() {
    for (;;) {
      auto next = receive();
      if (next.kind == close_frame)
        return std::to_string(static_cast<unsigned char>(next.payload[0]) * 256
                              + static_cast<unsigned char>(next.payload[1]))
               + ' ' + next.payload.substr(2);
    }
  }

  void send(unsigned kind, const std::string& payload) {
    std::string bytes{static_cast<char>(0x80 | kind)};
    if (payload.size() <= 125) {
      bytes.push_back(static_cast<char>(0x80 | payload.size()));
    } else {
      auto bits = payload.size() < 65'536 ? 16 : 64;
      bytes.push_back(static_cast<char>(0x80 | (bits == 16 ? 126 : 127)));
      for (auto at = bits - 8; at >= 0; at -= 8)
        bytes.push_back(static_cast<char>(payload.size() >> at));
    }
    bytes.append(4, '\0'); // a mask that changes nothing
    client_.send(bytes + payload);
  }

  bool is_closed() {
    return client_.is_closed();
  }

  http_answer head;

private:
  http_client client_;
  std::string seen_;
};

class terminal {
public:
  explicit terminal(fixture& f)
    : dir_(::open(f.exec_dir("t").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)),
      log_(dir_.get(), std::uint64_t{1} << 30) {
    std::lock_guard lock{f.script->guard};
    f.script->running.insert("t");
    f.script->terminals.insert("t");
  }

  void print(std::string_view text) {
    log_.append(output_stream::tty, {text.data(), text.size()}, 1);
  }

  void exit() {
    write_record(runner::exit_file);
  }

  /// The record is made, and not written yet.
  void begin_to_exit() {
    unique_fd file{::openat(dir_.get(), std::string{runner::exit_file}.c_str(),
                            O_WRONLY | O_CREAT | O_CLOEXEC, 0600)};
    REQUIRE(file);
  }

  /// What `exit` does, in two steps of which the last needs no descriptor.
  void prepare_exit() {
    write_record("prepared");
  }
  void exit_as_prepared() {
    REQUIRE(::renameat(dir_.get(), "prepared", dir_.get(),
                       std::string{runner::exit_file}.c_str())
            == 0);
  }

private:
  void write_record(const std::string& name) {
    exit_record record{exit_status::exited};
    record.exit_code = 7;
    write_file_atomic(dir_.get(), name, to_json(record), 0600, false);
  }

  unique_fd dir_;
  output_log_writer log_;
};

} // namespace

TEST_CASE("a viewer sees what the terminal showed and then what comes") {
  fixture f;
  terminal t{f};
  t.print("$ make\r\n");
  viewer v{f};
  CHECK(v.head.status == 101);
  CHECK(v.head.headers["sec-websocket-accept"]
        == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  CHECK(v.printed(8) == "$ make\r\n");
  t.print("done\r\n");
  CHECK(v.printed(14) == "$ make\r\ndone\r\n");
  t.print("bye");
  t.exit();
  CHECK(v.printed(17).substr(14) == "bye");
  CHECK(v.closing() == "1000 exited 7");
  v.send(close_frame, "\x03\xe8");
  CHECK(v.is_closed());
}

TEST_CASE("a terminal is not over while its exit record is being written") {
  fixture f;
  terminal t{f};
  viewer v{f};
  t.print("one ");
  CHECK(v.printed(4) == "one ");
  t.begin_to_exit();
  t.print("two ");
  CHECK(v.printed(8) == "one two ");
  t.print("three");
  CHECK(v.printed(13) == "one two three");
  t.exit();
  CHECK(v.closing() == "1000 exited 7");
}

TEST_CASE("a terminal that was lost says so as soon as its session does") {
  // By no other way: the next heartbeat is far away.
  fixture f{[](http::options& o) { o.heartbeat = std::chrono::hours{1}; }};
  terminal t{f};
  viewer v{f};
  t.print("x");
  CHECK(v.printed(1) == "x");
  fixture::wait_until([&] { return f.script->watchers == 1; });
  f.forget("t");
  caf::anon_send(f.session, publish{event_kind::exec_exited, "t", "{}"});
  CHECK(v.closing() == "1000 lost");
  fixture::wait_until([&] { return f.script->watchers == 0; });
}

TEST_CASE("a terminal that was lost before it was attached to says so") {
  fixture f;
  terminal t{f};
  t.print("x");
  f.forget("t");
  viewer v{f};
  CHECK(v.closing() == "1000 lost");
}

TEST_CASE("a terminal hears of its end from the actor that revives a session") {
  fixture f;
  terminal t{f};
  viewer v{f};
  t.print("x");
  CHECK(v.printed(1) == "x");
  fixture::wait_until([&] { return f.script->watchers == 1; });
  // It is lost while nobody can say so.
  auto old = f.session;
  f.forget("t");
  f.make_session();
  caf::anon_send(old, quit_now{});
  CHECK(v.closing() == "1000 lost");
}

TEST_CASE("a viewer that comes late sees the last screenful, from a line on") {
  fixture f;
  terminal t{f};
  std::string all;
  for (int i = 0; all.size() < 200'000; ++i)
    all += "line " + std::to_string(i) + "\r\n";
  t.print(all);
  viewer v{f};
  auto seen = v.printed(60'000);
  CHECK(seen.size() <= 65'536);
  CHECK(seen.substr(0, 5) == "line ");
  CHECK(all.ends_with(seen));
}

TEST_CASE("a viewer goes on at the byte that it names") {
  fixture f;
  terminal t{f};
  const std::string all(200'000, 'x');
  t.print(all + "the end");
  viewer whole{f, admin_secret, {}, 0, "?from=0"};
  CHECK(whole.printed(200'007) == all + "the end");
  viewer rest{f, admin_secret, {}, 0, "?from=200004"};
  CHECK(rest.printed(3) == "end");
  // Also where that byte is still to come.
  viewer ahead{f, admin_secret, {}, 0, "?from=200009"};
  t.print("....more");
  CHECK(ahead.printed(6) == "..more");
  CHECK(rest.printed(11) == "end....more");
  viewer wrong{f, admin_secret, {}, 0, "?from=-1"};
  CHECK(wrong.head.status == 400);
}

TEST_CASE("what a viewer types goes to the exec, in order") {
  fixture f;
  terminal t{f};
  viewer v{f};
  v.send(binary_frame, "ls");
  v.send(binary_frame, "\r");
  v.send(text_frame, R"({"rows": 40, "cols": 132})");
  fixture::wait_until([&] {
    std::lock_guard lock{f.script->guard};
    return f.script->inputs.size() == 2 && f.script->resizes.size() == 1;
  });
  CHECK(f.script->inputs[0].data.view() == "ls");
  CHECK(f.script->inputs[1].data.view() == "\r");
  CHECK(f.script->inputs[0].exec_id == "t");
  CHECK(f.script->resizes[0].rows == 40);
  CHECK(f.script->resizes[0].cols == 132);
}

TEST_CASE("several viewers see the same") {
  fixture f;
  terminal t{f};
  viewer a{f};
  viewer b{f};
  t.print("hello");
  CHECK(a.printed(5) == "hello");
  CHECK(b.printed(5) == "hello");
  b.send(close_frame, "\x03\xe8");
  CHECK(b.closing().starts_with("1000"));
  t.print(" again");
  CHECK(a.printed(11) == "hello again");
}

TEST_CASE("a key that may only read cannot type") {
  fixture f;
  terminal t{f};
  viewer v{f, f.add_key({"sessions:read"})};
  t.print("look");
  CHECK(v.printed(4) == "look");
  v.send(binary_frame, "rm -rf .\r");
  CHECK(v.closing() == "1008 the API key may watch this terminal only");
  CHECK(f.script->inputs.empty());
}

TEST_CASE("a browser sends its key as a subprotocol and gets another") {
  fixture f;
  terminal t{f};
  auto secret = f.add_key({"sessions:execute", "sessions:read"});
  viewer v{f, "",
           "Sec-WebSocket-Protocol: greenroom, bearer." + secret + "\r\n"};
  CHECK(v.head.status == 101);
  CHECK(v.head.headers["sec-websocket-protocol"] == "greenroom");
  viewer wrong{f, "", "Sec-WebSocket-Protocol: greenroom, bearer.no\r\n"};
  CHECK(wrong.head.status == 401);
  viewer none{f, ""};
  CHECK(none.head.status == 401);
}

TEST_CASE("pages of other origins may not attach") {
  fixture f{[](http::options& o) { o.public_url = "https://ours:443/x"; }};
  terminal t{f};
  for (auto origin : {"https://theirs", "http://ours", "null", "https://ours:1",
                      "https://ours.theirs"}) {
    CAPTURE(origin);
    viewer v{f, admin_secret, "Origin: " + std::string{origin} + "\r\n"};
    CHECK(v.head.status == 403);
  }
  viewer ours{f, admin_secret, "Origin: https://OURS\r\n"};
  CHECK(ours.head.status == 101);
}

TEST_CASE("only a WebSocket can be attached, and only to a terminal") {
  fixture f;
  terminal t{f};
  auto plain = call(f.port(), "GET", attach_path, admin_secret);
  CHECK(plain.status == 426);
  CHECK(plain.headers["upgrade"] == "websocket");
  std::string other = attach_path;
  other.replace(other.find("/t/"), 3, "/e1/");
  http_client client{f.port()};
  client.send(request_text("GET", other, admin_secret, "", "", handshake));
  auto refused = client.receive();
  CHECK(refused.status == 409);
  CHECK(refused.headers["connection"] == "close");
}

TEST_CASE("pings are answered, and silent viewers are pinged") {
  fixture f{
    [](http::options& o) { o.heartbeat = std::chrono::milliseconds{50}; }};
  terminal t{f};
  viewer v{f};
  v.send(ping_frame, "are you there");
  for (auto wanted : {pong_frame, ping_frame}) {
    auto next = v.receive();
    while (next.kind != wanted)
      next = v.receive();
    CHECK((wanted == ping_frame || next.payload == "are you there"));
  }
}

TEST_CASE("a viewer that answers no ping is let go") {
  fixture f{[](http::options& o) {
    o.heartbeat = std::chrono::milliseconds{50};
    o.write_timeout = std::chrono::milliseconds{300};
  }};
  terminal t{f};
  viewer v{f};
  CHECK(v.closing() == "1001 no answer to pings");
}

TEST_CASE("what is no frame closes the terminal") {
  fixture f;
  terminal t{f};
  viewer odd{f};
  odd.send(3, "x");
  CHECK(odd.closing().starts_with("1002"));
}

TEST_CASE("a terminal takes what it is told, and is closed by none of it") {
  fixture f;
  terminal t{f};
  viewer v{f};
  for (auto odd : {R"({"rows": 0, "cols": 0})", R"({"rows": -5, "cols": 80})",
                   R"({"rows": 24})", R"({"rows": "24", "cols": 80})",
                   R"({"rows": null, "cols": 80})"})
    v.send(text_frame, odd);
  std::size_t sent = 0;
  for (auto size :
       {R"({"rows": 24.5, "cols": 80.9})", R"({"rows": 40, "cols": 2000})",
        R"({"type": "resize", "rows": 40, "cols": 132, "width": 1e99})",
        R"({"rows": 1e99, "cols": 1})"}) {
    v.send(text_frame, size);
    ++sent;
    fixture::wait_until([&] { // of those that wait the last one counts
      std::lock_guard lock{f.script->guard};
      return f.script->resizes.size() == sent;
    });
  }
  v.send(text_frame, "ls\r");
  v.send(text_frame, "{ echo; }\r");
  v.send(text_frame, "[1]");
  v.send(text_frame, "");
  v.send(binary_frame, std::string(70'000, 'x'));
  fixture::wait_until([&] {
    std::lock_guard lock{f.script->guard};
    return f.script->inputs.size() == 4 && f.script->resizes.size() == 4;
  });
  const auto& sizes = f.script->resizes;
  CHECK(sizes[0].rows == 24);
  CHECK(sizes[0].cols == 80);
  CHECK(sizes[1].cols == 2000);
  CHECK(sizes[2].cols == 132);
  CHECK(sizes[3].rows == 10'000);
  const auto& typed = f.script->inputs;
  CHECK(typed[0].data.view() == "ls\r");
  CHECK(typed[1].data.view() == "{ echo; }\r");
  CHECK(typed[2].data.view() == "[1]");
  CHECK(typed[3].data.view().size() == 70'000);

  // What it cannot know it says.
  v.send(text_frame, R"({"type": "input", "data": "ls"})");
  auto hint = v.receive();
  while (hint.kind == ping_frame)
    hint = v.receive();
  CHECK(hint.kind == text_frame);
  auto text = json::parse(hint.payload)["error"].get<std::string>();
  CHECK(text
        == "a terminal takes keys, as binary messages or as text, and "
           "{\"rows\": R, \"cols\": C}, which sets its size");
  t.print("still here");
  CHECK(v.printed(10) == "still here");
}

TEST_CASE("the window of one who only watches changes nothing") {
  fixture f;
  terminal t{f};
  viewer v{f, f.add_key({"sessions:read"})};
  v.send(text_frame, R"({"rows": 40, "cols": 132})");
  t.print("look");
  CHECK(v.printed(4) == "look");
  CHECK(f.script->resizes.empty());
}

TEST_CASE("a terminal that ends while no descriptors are left ends well") {
  fixture f{
    [](http::options& o) { o.heartbeat = std::chrono::milliseconds{50}; }};
  terminal t{f};
  t.print("some output");
  viewer v{f};
  v.printed(11);
  t.prepare_exit();
  {
    no_descriptors now;
    t.exit_as_prepared();
    // The thread hears of the end, cannot read how, and goes on.
    for (int pings = 0; pings < 3;)
      pings += v.receive().kind == ping_frame ? 1 : 0;
  }
  CHECK(v.closing() == "1000 exited 7");
  CHECK(call(f.port(), "GET", "/healthz").status == 200);
}

TEST_CASE("a terminal closes when the key is revoked") {
  fixture f;
  terminal t{f};
  viewer v{f, f.add_key({"sessions:read"})};
  t.print("x");
  v.printed(1);
  call(f.port(), "DELETE", "/keys/" + f.last_key_id(), admin_secret);
  CHECK(v.closing().starts_with("1001"));
}

TEST_CASE("a viewer that does not read slows nobody") {
  fixture f;
  terminal t{f};
  viewer slow{f, admin_secret, {}, 4096};
  viewer quick{f};
  std::size_t total = 0;
  for (int i = 0; i < 64; ++i) {
    t.print(std::string(128 * 1024, 'x'));
    total += 128 * 1024;
    CHECK(quick.printed(total).size() == total);
  }
  CHECK(slow.printed(total).size() == total);
}

TEST_CASE("what nobody reads holds the typing up") {
  fixture f;
  terminal t{f};
  f.script->deaf = true;
  viewer v{f};
  for (int i = 0; i < 6; ++i)
    v.send(binary_frame, std::string(60'000, 'x'));
  // The second is told once the first has been read.
  fixture::wait_until([&] {
    std::lock_guard lock{f.script->guard};
    return f.script->inputs.size() == 1;
  });
  v.send(text_frame, R"({"rows": 40, "cols": 132})");
  call(f.port(), "GET", "/healthz");
  std::lock_guard lock{f.script->guard};
  CHECK(f.script->inputs.size() == 1);
  CHECK(f.script->resizes.empty());
}
