// Who may speak to a runner, and what it makes of nonsense.
#include "runtime/runner/protocol/session_socket.hpp"
#include "tests/runtime/runner/session_fixture.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <random>

using namespace greenroom;
using test::client;
using test::session;

namespace {

// A connection that says whatever it likes.
unique_fd raw_connection(const session& s) {
  unique_fd dir{::open(s.dir().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
  auto result = runner::connect_to_runner(dir.get());
  REQUIRE(result);
  return result;
}

void say(int fd, std::string_view text) {
  // A runner that has had enough closes; that is its answer.
  ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
}

// The error that the runner answers before it closes; empty for no error.
std::string complaint(int fd) {
  std::string result;
  std::vector<char> buffer(runner::max_message);
  for (;;) {
    REQUIRE(test::becomes_readable(fd));
    auto size = ::recv(fd, buffer.data(), buffer.size(), 0);
    if (size <= 0)
      return result;
    auto [message, problem, unknown] = runner::decode_runner_message(
      {buffer.data(), static_cast<std::size_t>(size)});
    REQUIRE(message);
    if (auto* error = std::get_if<runner::error>(&*message))
      result = error->reason;
  }
}

} // namespace

TEST_CASE("a node that comes back learns what runs, and hears the rest") {
  session s;
  s.start("gone", s.shell("exit 4"));
  s.end_of("gone");
  s.start("x", s.shell("echo 0; until [ -e go ]; do :; done; echo 1"));
  s.printed_pids("x", 1);
  s.node.reset();
  s.node.emplace(s.dir(), s.nonce);
  auto hello_reply = s.node->greet();
  CHECK(hello_reply.version == runner::highest_version);
  CHECK(hello_reply.pid == s.runner_pid);
  CHECK(hello_reply.nonce == s.nonce);
  REQUIRE(hello_reply.execs.size() == 1);
  CHECK(hello_reply.execs[0].exec == "x");
  CHECK(hello_reply.execs[0].records == 1);
  CHECK(hello_reply.execs[0].time > 0);
  CHECK(hello_reply.execs[0].time <= now_ms());
  s.spawn("go", s.shell("touch go"));
  bool over = false;
  while (!over) {
    auto message = s.node->next();
    REQUIRE(message);
    auto* end = std::get_if<runner::exited>(&*message);
    over = end && end->exec == "x";
  }
  CHECK(s.output("x") == "0\n1\n");
}

TEST_CASE("the newest node wins and the older connection is closed") {
  session s;
  s.start("x", s.shell("echo 0; exec sleep 1000"));
  s.printed_pids("x", 1);
  client second{s.dir(), s.nonce};
  second.greet();
  CHECK(s.node->closes());
  second.say(runner::cancel{"x"});
  CHECK(second.wait_for<runner::exited>().exec == "x");
}

TEST_CASE("a stranger is told why, and disturbs nobody") {
  session s;
  s.start("x", s.shell("sleep 1000"));
  auto answer = [&s](std::string_view text) {
    auto fd = raw_connection(s);
    say(fd.get(), text);
    return complaint(fd.get());
  };
  CHECK(answer(R"({"op":"hello","version":1,"nonce":"guess"})")
        == "the nonce is another runner's");
  CHECK(
    answer(R"({"op":"hello","version":3,"nonce":")" + s.nonce + "\"}")
    == "this runner speaks versions 1 to 2 of the protocol, the server 3 to "
       "3");
  CHECK(answer(R"({"op":"stop"})") == "hello has to come first");
  CHECK(answer("nonsense") == "not a JSON object");
  CHECK(answer(R"({"op":"dance"})") == "hello has to come first");
  CHECK(answer(std::string(runner::max_message + 1, ' '))
        == "the message is too long");
  s.node->say(runner::cancel{"x"});
  CHECK(s.end_of("x").status == exit_status::canceled);
}

TEST_CASE("strangers who say nothing do not keep the node out") {
  session s;
  std::vector<unique_fd> silent;
  for (int i = 0; i < 100; ++i)
    silent.push_back(raw_connection(s));
  client second{s.dir(), s.nonce};
  second.greet();
  CHECK(s.node->closes());
  CHECK(complaint(silent[0].get()).empty());
}

TEST_CASE("the socket is its user's alone") {
  session s;
  struct stat info;
  REQUIRE(::stat((s.dir() / "runner.sock").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
}

TEST_CASE("no datagram, however wrong, harms the runner or its commands") {
  session s;
  s.start("x", s.shell("sleep 1000"));
  const std::vector<std::string> seeds{
    R"({"op":"hello","version":1,"nonce":")" + s.nonce + "\"}",
    R"({"op":"spawn","exec":"../../etc"})",
    R"({"op":"signal","exec":"y","signal":9})",
    R"({"op":"cancel","exec":"y"})",
    R"({"op":"open_input","exec":"y"})",
    R"({"op":"close_input","exec":"y"})",
    "{\"op\":\"spawn\",\"exec\":" + std::string(1000, '[') + "}",
    std::string(runner::max_message, '{')};
  std::minstd_rand random{42};
  auto pick = [&random](std::size_t below) { return random() % below; };
  for (int round = 0; round < 300; ++round) {
    auto fd = raw_connection(s);
    if (pick(2) == 0)
      say(fd.get(), seeds[0]);
    for (auto messages = pick(4); messages > 0; --messages) {
      auto text = seeds[pick(seeds.size())];
      for (auto changes = pick(4); changes > 0; --changes)
        text[pick(text.size())] = static_cast<char>(pick(256));
      text.resize(pick(3) == 0 ? pick(text.size() + 1) : text.size());
      say(fd.get(), text);
    }
  }
  s.node.emplace(s.dir(), s.nonce);
  auto hello_reply = s.node->greet();
  CHECK(hello_reply.pid == s.runner_pid);
  REQUIRE(hello_reply.execs.size() == 1);
  CHECK(hello_reply.execs[0].exec == "x");
  s.node->say(runner::cancel{"x"});
  CHECK(s.end_of("x").status == exit_status::canceled);
}

TEST_CASE("a node that never reads holds up nothing and is closed at last") {
  session s;
  // Each is answered by a refusal, and the node reads none of them.
  auto deaf = runner_connection::dial(s.dir());
  REQUIRE(deaf);
  REQUIRE(deaf->send(runner::hello{.nonce = s.nonce}));
  bool open = true;
  for (int i = 0; open && i < 100'000; ++i) {
    open = deaf->send(runner::spawn{"none"}) && deaf->flush();
    if (deaf->wants_write()) {
      pollfd item{deaf->fd(), POLLOUT, 0};
      REQUIRE(::poll(&item, 1, test::max_wait_ms) == 1);
    }
  }
  CHECK_FALSE(open);
  s.node.emplace(s.dir(), s.nonce);
  s.node->greet();
  CHECK(s.run("x", "true").exit_code == 0);
}

TEST_CASE("a request that the runner does not know is answered, and the link "
          "stays up") {
  session s;
  s.start("x", s.shell("sleep 1000"));
  auto fd = raw_connection(s);
  auto heard = [&fd] {
    std::vector<char> buffer(runner::max_message);
    REQUIRE(test::becomes_readable(fd.get()));
    auto size = ::recv(fd.get(), buffer.data(), buffer.size(), 0);
    REQUIRE(size > 0);
    return std::string{buffer.data(), static_cast<std::size_t>(size)};
  };
  // A node of tomorrow: the highest version that both speak holds.
  say(fd.get(), R"({"op":"hello","version":1,"highest":9,"news":[],"nonce":")"
                  + s.nonce + "\"}");
  CHECK_THAT(heard(), Catch::Contains(R"("version":2)"));
  CHECK(heard() == R"({"op":"ports","ports":[]})");
  say(fd.get(), R"({"op":"dance","exec":"x"})");
  CHECK(heard() == R"({"op":"unsupported","request":"dance"})");
  say(fd.get(), R"({"op":")" + std::string(1'000, 'd') + "\"}");
  CHECK(heard()
        == R"({"op":"unsupported","request":")" + std::string(64, 'd') + "\"}");
  say(fd.get(), R"({"op":"cancel","exec":"x","why":"a field of tomorrow"})");
  CHECK_THAT(heard(), Catch::Contains(R"("op":"exited")"));
}

TEST_CASE("a node skips the messages of a newer runner") {
  test::temp_dir dir;
  unique_fd place{::open(dir.path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC)};
  unique_fd listener{::socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0)};
  auto address = runner::socket_address(place.get());
  REQUIRE(::bind(listener.get(), reinterpret_cast<sockaddr*>(&address),
                 sizeof address)
          == 0);
  REQUIRE(::listen(listener.get(), 1) == 0);
  auto node = runner_connection::dial(dir.path());
  REQUIRE(node);
  unique_fd newer{::accept(listener.get(), nullptr, nullptr)};
  REQUIRE(newer);
  for (auto text : {R"({"op":"mood","good":true})", R"({"op":""})",
                    R"({"op":"no_input","exec":"e","reason":"no","more":1})"})
    say(newer.get(), text);
  auto got = node->receive();
  auto* message = std::get_if<runner::runner_message>(&got);
  REQUIRE(message);
  CHECK(std::get<runner::no_input>(*message).reason == "no");
  CHECK(node->unknown_messages() == 2);
  say(newer.get(), "nonsense");
  CHECK(std::holds_alternative<runner_connection::closed>(node->receive()));
}
