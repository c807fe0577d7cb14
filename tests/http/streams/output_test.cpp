// What execs printed, over real sockets and from real logs.
#include "runtime/base/files.hpp"
#include "runtime/base/injected_faults.hpp"
#include "runtime/exec/output/dropped_output.hpp"
#include "runtime/exec/output/output_log.hpp"
#include "runtime/runner/protocol/exit_record.hpp"
#include "runtime/runner/protocol/session_files.hpp"
#include "tests/http/client.hpp"
#include "tests/http/stand_ins.hpp"
#include "tests/support/garbled_file.hpp"
#include "tests/support/process_figures.hpp"

#include <catch2/catch.hpp>
#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>

#include <cerrno>
#include <chrono>
#include <fstream>
#include <memory>
#include <random>
#include <stdexcept>
#include <utility>

using namespace greenroom;
using namespace greenroom::test;
using nlohmann::json;

namespace {

const std::string execs_path =
  "/projects/demo/sessions/" + std::string{demo_session} + "/execs/";

/// The log of one exec, written as its runner would.
class exec_log {
public:
  explicit exec_log(const std::filesystem::path& dir)
    : dir_(::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)),
      writer_(dir_.get(), std::uint64_t{1} << 30) {}

  void print(output_stream stream, std::string_view text) {
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

/// A file that cannot be read before it is written.
class late_file {
public:
  explicit late_file(std::filesystem::path path) : path_(std::move(path)) {
    if (::mkfifo(path_.c_str(), 0600) != 0)
      throw std::runtime_error("mkfifo");
  }
  late_file(const late_file&) = delete;
  late_file& operator=(const late_file&) = delete;
  /// Whoever still waits reads nothing.
  ~late_file() {
    unique_fd end{::open(path_.c_str(), O_RDWR | O_CLOEXEC)};
    std::filesystem::remove(path_);
  }

  /// Waits for somebody who reads.
  void write(const std::string& text) {
    std::ofstream{path_} << text;
  }

private:
  std::filesystem::path path_;
};

void start(const fixture& f, const std::string& exec_id) {
  std::lock_guard lock{f.script->guard};
  f.script->running.insert(exec_id);
}

/// The session knows that the exec is over; there may be no exit record.
void forget(const fixture& f, const std::string& exec_id) {
  std::lock_guard lock{f.script->guard};
  f.script->running.erase(exec_id);
}

http_answer get(const fixture& f, const std::string& target,
                const std::string& headers = {}) {
  http_client client{f.port()};
  client.send(
    request_text("GET", execs_path + target, admin_secret, "", "", headers));
  return client.receive();
}

} // namespace

TEST_CASE("the output of an exec is served as it was printed") {
  fixture f;
  exec_log log{f.exec_dir("e1")};
  log.print(output_stream::out, "one\n");
  log.print(output_stream::err, "two\n");
  log.print(output_stream::out, std::string("thr\0\xff", 5));

  auto both = get(f, "e1/output");
  CHECK(both.status == 200);
  CHECK(both.body == std::string("one\ntwo\nthr\0\xff", 13));
  CHECK(both.headers["content-type"] == "application/octet-stream");
  CHECK(both.headers["content-length"] == "13");
  CHECK(both.headers["accept-ranges"] == "bytes");
  CHECK(both.headers["x-content-type-options"] == "nosniff");
  CHECK(get(f, "e1/output?stream=both").body == both.body);
  CHECK(get(f, "e1/output?stream=stdout").body
        == std::string("one\nthr\0\xff", 9));
  CHECK(get(f, "e1/output?stream=stderr").body == "two\n");
  CHECK(get(f, "e1/output?stream=tty").body.empty());
  CHECK(get(f, "e1/output?from=4").body == std::string("two\nthr\0\xff", 9));
  CHECK(get(f, "e1/output?from=400").body.empty());
  auto head = call(f.port(), "HEAD", execs_path + "e1/output", admin_secret);
  CHECK(head.status == 200);
  CHECK(head.headers["content-length"] == "13");
}

TEST_CASE("output that was dropped to make room is not found, and says why") {
  fixture f;
  exec_log log{f.exec_dir("e1")};
  log.print(output_stream::out, "one\n");
  log.exit();
  forget(f, "e1");
  CHECK(get(f, "e1/output").body == "one\n");
  drop_output(f.exec_dir("e1").parent_path().parent_path());
  for (const auto* query : {"", "?from=2", "?follow=true", "?stream=stderr"}) {
    INFO(query);
    auto answer = get(f, std::string{"e1/output"} + query);
    CHECK(answer.status == 404);
    CHECK_THAT(answer.body, Catch::Contains("no longer kept")
                              && Catch::Contains("sessions.keep_output"));
  }
}

TEST_CASE("output whose index is damaged is served to the end") {
  for (int pieces : {1, 2, 9, 6000}) {
    INFO(pieces);
    fixture f;
    exec_log log{f.exec_dir("e1")};
    std::string text;
    for (int i = 0; i < pieces; ++i) {
      auto piece = std::to_string(i) + '\n';
      log.print(output_stream::out, piece);
      text += piece;
    }
    log.print(output_stream::err, "err");
    log.exit();
    auto index = f.exec_dir("e1") / output_index_file;
    std::minstd_rand random{7};
    REQUIRE(test::garble(index, std::filesystem::file_size(index) / 2, random));
    CHECK(get(f, "e1/output").body == text + "err");
    CHECK(get(f, "e1/output?stream=stdout").body == text);
    CHECK(get(f, "e1/output?stream=stderr").body == "err");
    CHECK(get(f, "e1/output?stream=stdout&follow=1").body == text);
    for (auto from : {text.size() / 3, text.size() / 2, text.size() - 1}) {
      auto query = "e1/output?stream=stdout&from=" + std::to_string(from);
      CHECK(get(f, query).body == text.substr(from));
      CHECK(get(f, query + "&follow=1").body == text.substr(from));
    }
    CHECK(get(f, "e1/output?stream=stdout", "Range: bytes=-1\r\n").body
          == "\n");
  }
}

// The last write ends the connection, and all that is of it: a build with
// AddressSanitizer sees who looks at that.
TEST_CASE("output ends a connection that is to end with it") {
  fixture f;
  exec_log log{f.exec_dir("e1")};
  log.print(output_stream::out, std::string(100'000, 'x'));
  log.exit();
  for (const auto& what : {"e1/output", "e1/output?from=99999",
                           "e1/output?follow=1", "e1/output?stream=tty"}) {
    INFO(what);
    http_client client{f.port()};
    client.send(request_text("GET", execs_path + what, admin_secret, "", "",
                             "Connection: close\r\n"));
    CHECK(client.receive().status == 200);
    CHECK(client.is_closed());
  }
}

TEST_CASE("an exec that has printed nothing has empty output") {
  fixture f;
  auto none = get(f, "e1/output");
  CHECK(none.status == 200);
  CHECK(none.body.empty());
}

TEST_CASE("what a terminal showed is its standard output") {
  fixture f;
  exec_log log{f.exec_dir("e1")};
  log.print(output_stream::tty, "$ ");
  for (auto stream : {"stdout", "tty", "both"})
    CHECK(get(f, "e1/output?stream=" + std::string{stream}).body == "$ ");
  CHECK(get(f, "e1/output?stream=stderr").body.empty());
}

TEST_CASE("a range of the output is served alone") {
  fixture f;
  exec_log log{f.exec_dir("e1")};
  log.print(output_stream::out, "0123456789");
  auto part = [&](const std::string& range) {
    return get(f, "e1/output?stream=stdout", "Range: " + range + "\r\n");
  };
  struct {
    const char* range;
    const char* body;
    const char* content_range;
  } const good[] = {{"bytes=0-3", "0123", "bytes 0-3/10"},
                    {"bytes=8-", "89", "bytes 8-9/10"},
                    {"bytes=-2", "89", "bytes 8-9/10"},
                    {"bytes=5-99", "56789", "bytes 5-9/10"},
                    {"bytes=-99", "0123456789", "bytes 0-9/10"}};
  for (auto& one : good) {
    CAPTURE(one.range);
    auto answer = part(one.range);
    CHECK(answer.status == 206);
    CHECK(answer.body == one.body);
    CHECK(answer.headers["content-range"] == one.content_range);
  }
  for (auto range : {"bytes=10-", "bytes=99-100", "bytes=-0"}) {
    CAPTURE(range);
    auto answer = part(range);
    CHECK(answer.status == 416);
    CHECK(answer.headers["content-range"] == "bytes */10");
  }
  for (auto range :
       {"bytes=0-1,3-4", "bytes=3-1", "bytes=x-", "lines=0-1", "bytes=0"}) {
    CAPTURE(range);
    auto answer = part(range);
    CHECK(answer.status == 200);
    CHECK(answer.body == "0123456789");
  }
}

TEST_CASE("a range of much output needs no look at all of its index") {
  fixture f;
  exec_log log{f.exec_dir("e1")};
  std::string all;
  for (int i = 0; i < 40'000; ++i) {
    auto line = std::to_string(i) + '\n';
    log.print(i % 3 == 0 ? output_stream::err : output_stream::out, line);
    all += line;
  }
  auto size = all.size();
  // Whoever read the index from its beginning would get no further than this.
  {
    std::fstream index{f.exec_dir("e1") / output_index_file,
                       std::ios::in | std::ios::out | std::ios::binary};
    index.seekp(1'000 * 40);
    index << std::string(40, 'x');
  }
  auto last = get(f, "e1/output",
                  "Range: bytes=" + std::to_string(size - 1000) + "-\r\n");
  CHECK(last.status == 206);
  CHECK(last.headers["content-range"]
        == "bytes " + std::to_string(size - 1000) + '-'
             + std::to_string(size - 1) + '/' + std::to_string(size));
  CHECK(last.body == all.substr(size - 1000));
  auto middle = get(f, "e1/output", "Range: bytes=150000-150099\r\n");
  CHECK(middle.body == all.substr(150'000, 100));
}

TEST_CASE("an answer whose files cannot be opened says what is lacking") {
  fixture f;
  exec_log log{f.exec_dir("e1")};
  log.print(output_stream::out, "something");
  inject_fault("pread", {std::chrono::milliseconds{0}, EMFILE});
  auto refused = get(f, "e1/output");
  clear_faults();
  CHECK(refused.status == 503);
  CHECK(refused.headers["retry-after"] == "1");
  CHECK(json::parse(refused.body)["error"]["code"] == "OVERLOADED");
  CHECK(get(f, "e1/output").status == 200);
}

TEST_CASE("what is followed goes on when descriptors were lacking") {
  fixture f;
  start(f, "e1");
  exec_log log{f.exec_dir("e1")};
  inject_fault("pread", {std::chrono::milliseconds{0}, EMFILE});
  http_client client{f.port()};
  client.send(
    request_text("GET", execs_path + "e1/output?follow=true", admin_secret));
  log.print(output_stream::out, "something");
  log.exit();
  CHECK(client.receive_head().status == 200);
  clear_faults();
  CHECK(client.read_stream_to_end() == "something");
}

TEST_CASE("a wrong question about output is refused") {
  fixture f;
  CHECK(get(f, "e1/output?stream=stdin").status == 400);
  CHECK(get(f, "e1/output?from=-1").status == 400);
  CHECK(get(f, "e1/output?follow=maybe").status == 400);
  CHECK(get(f, "none/output").status == 404);
  auto stranger = f.add_key({"sessions:read"}, {"other"});
  CHECK(call(f.port(), "GET", execs_path + "e1/output", stranger).status
        == 404);
}

TEST_CASE("output is followed until the exec has ended") {
  fixture f;
  start(f, "live");
  exec_log log{f.exec_dir("live")};
  log.print(output_stream::out, "early\n");
  http_client client{f.port()};
  client.send(
    request_text("GET", execs_path + "live/output?follow=1", admin_secret));
  auto head = client.receive_head();
  CHECK(head.status == 200);
  CHECK(head.headers["transfer-encoding"] == "chunked");
  client.read_stream_until("early\n");
  log.print(output_stream::err, "late\n");
  client.read_stream_until("late\n");
  log.print(output_stream::out, "last\n");
  log.exit();
  CHECK(client.read_stream_to_end() == "early\nlate\nlast\n");
}

TEST_CASE("an exit record that the disk keeps back holds up nobody else") {
  fixture f;
  start(f, "live");
  exec_log log{f.exec_dir("live")};
  log.print(output_stream::out, "early\n");
  http_client client{f.port()};
  client.send(
    request_text("GET", execs_path + "live/output?follow=1", admin_secret));
  CHECK(client.receive_head().status == 200);
  client.read_stream_until("early\n");
  // Who opens it for reading waits until there is somebody who writes.
  late_file record{f.exec_dir("live") / runner::exit_file};
  for (int i = 0; i < 3; ++i)
    CHECK(get(f, "live/output").body == "early\n");
  log.print(output_stream::out, "late\n");
  client.read_stream_until("late\n");
  record.write(to_json(exit_record{exit_status::exited}));
  CHECK(client.read_stream_to_end() == "early\nlate\n");
}

TEST_CASE("an exec that has ended already is followed to its end at once") {
  fixture f;
  exec_log log{f.exec_dir("e1")};
  log.print(output_stream::out, "all\n");
  CHECK(get(f, "e1/output?follow=true").body == "all\n");
}

TEST_CASE("following begins at the byte that is asked for") {
  fixture f;
  start(f, "live");
  exec_log log{f.exec_dir("live")};
  log.print(output_stream::out, "0123");
  http_client client{f.port()};
  client.send(request_text(
    "GET", execs_path + "live/output?stream=stdout&follow=1&from=6",
    admin_secret));
  CHECK(client.receive_head().status == 200);
  log.print(output_stream::out, "4567");
  client.read_stream_until("67");
  log.exit();
  CHECK(client.read_stream_to_end() == "67");
}

TEST_CASE("following an exec that was lost ends when the session knows it") {
  fixture f{
    [](http::options& o) { o.heartbeat = std::chrono::milliseconds{100}; }};
  start(f, "live");
  exec_log log{f.exec_dir("live")};
  http_client client{f.port()};
  client.send(
    request_text("GET", execs_path + "live/output?follow=1", admin_secret));
  CHECK(client.receive_head().status == 200);
  log.print(output_stream::out, "its last words\n");
  client.read_stream_until("words\n");
  forget(f, "live");
  CHECK(client.read_stream_to_end() == "its last words\n");
}

TEST_CASE("following begins before there is anything to follow") {
  fixture f{
    [](http::options& o) { o.heartbeat = std::chrono::milliseconds{100}; }};
  start(f, "live");
  http_client client{f.port()};
  client.send(
    request_text("GET", execs_path + "live/output?follow=1", admin_secret));
  CHECK(client.receive_head().status == 200);
  exec_log log{f.exec_dir("live")};
  log.print(output_stream::out, "at last\n");
  client.read_stream_until("at last\n");
  log.exit();
  CHECK(client.read_stream_to_end() == "at last\n");
}

TEST_CASE("many follow one log, and each gets all of it") {
  fixture f;
  start(f, "live");
  exec_log log{f.exec_dir("live")};
  std::vector<std::unique_ptr<http_client>> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(std::make_unique<http_client>(f.port()));
    clients.back()->send(
      request_text("GET", execs_path + "live/output?follow=1", admin_secret));
    CHECK(clients.back()->receive_head().status == 200);
  }
  clients[3]->drop();
  std::string all;
  for (int i = 0; i < 2000; ++i) {
    auto line = std::to_string(i) + "\n";
    log.print(i % 3 == 0 ? output_stream::err : output_stream::out, line);
    all += line;
  }
  log.exit();
  for (std::size_t i = 0; i < clients.size(); ++i)
    if (i != 3)
      CHECK(clients[i]->read_stream_to_end() == all);
}

TEST_CASE("following ends when the key is revoked") {
  fixture f;
  start(f, "live");
  auto secret = f.add_key({"sessions:read"});
  http_client client{f.port()};
  client.send(request_text("GET", execs_path + "live/output?follow=1", secret));
  CHECK(client.receive_head().status == 200);
  call(f.port(), "DELETE", "/keys/" + f.last_key_id(), admin_secret);
  // Without the body's end: it is not that of the exec.
  CHECK_THROWS_WITH(client.read_stream_to_end(),
                    Catch::Contains("the connection ended inside a stream"));
}

TEST_CASE("what is followed has no end where the server stops before") {
  fixture f;
  start(f, "live");
  exec_log log{f.exec_dir("live")};
  log.print(output_stream::out, "one\n");
  http_client client{f.port()};
  client.send(
    request_text("GET", execs_path + "live/output?follow=1", admin_secret));
  CHECK(client.receive_head().status == 200);
  client.read_stream_until("one\n");
  f.server->stop();
  CHECK_THROWS_WITH(client.read_stream_to_end(),
                    Catch::Contains("the connection ended inside a stream"));
}

TEST_CASE("followers whose clients have left are let go") {
  fixture f{[](http::options& o) {
    o.threads = 1;
    o.max_connections = 16;
    o.heartbeat = std::chrono::milliseconds{50};
  }};
  start(f, "e2");
  for (int i = 0; i < 64; ++i) {
    http_client client{f.port()};
    client.send(
      request_text("GET", execs_path + "e2/output?follow=true", admin_secret));
    client.drop();
  }
  for (int i = 0; i < 20; ++i)
    CHECK(call(f.port(), "GET", "/healthz").status == 200);
}

TEST_CASE("silence does not end what is followed") {
  fixture f{[](http::options& o) {
    o.heartbeat = std::chrono::milliseconds{20};
    // RESTinio's deadline becomes 3 s.
    o.change = std::chrono::seconds{1};
    o.wait_slack = std::chrono::seconds{1};
  }};
  start(f, "live");
  exec_log log{f.exec_dir("live")};
  http_client client{f.port()};
  client.send(
    request_text("GET", execs_path + "live/output?follow=1", admin_secret));
  CHECK(client.receive_head().status == 200);
  CHECK_FALSE(client.has_answer(std::chrono::seconds{5}));
  log.print(output_stream::out, "still here\n");
  log.exit();
  CHECK(client.read_stream_to_end() == "still here\n");
}

TEST_CASE("much output passes through little memory") {
  fixture f;
  constexpr std::size_t piece = 1024 * 1024;
  constexpr std::size_t pieces = 256;
  exec_log log{f.exec_dir("e1")};
  for (std::size_t i = 0; i < pieces; ++i)
    log.print(output_stream::out,
              std::string(piece, static_cast<char>('a' + i % 26)));
  http_client client{f.port()};
  client.send(
    request_text("GET", execs_path + "e1/output?stream=stdout", admin_secret));
  auto head = client.receive_head();
  CHECK(head.headers["content-length"] == std::to_string(piece * pieces));
  auto before = resident_kib(::getpid()) * 1024;
  for (std::size_t i = 0; i < pieces; ++i)
    REQUIRE(client.receive_bytes(piece)
            == std::string(piece, static_cast<char>('a' + i % 26)));
  auto after = resident_kib(::getpid()) * 1024;
  CHECK(after < before + 32 * piece);
}
