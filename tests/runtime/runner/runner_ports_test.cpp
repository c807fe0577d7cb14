// The ports that commands listen on, and connections to them.
#include "runtime/runner/outer/listening_sockets.hpp"
#include "runtime/runner/outer/session_ports.hpp"
#include "tests/runtime/runner/sandboxed.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

using namespace greenroom;
using runner::listening_socket;
using runner::parse_listening;
using test::session;

namespace {

// Listens on a port of the kernel's choice, tells it, and answers each
// connection with a word of its own.
std::string server(const std::string& address, const std::string& word) {
  return R"(exec perl -MIO::Socket::IP -e '
    $| = 1;
    my $s = IO::Socket::IP->new(LocalHost => $ARGV[0], LocalPort => 0,
                                Listen => 9) or die $@;
    print $s->sockport, "\n";
    while (my $c = $s->accept) { print $c $ARGV[1]; close $c }
  ' )" + address
         + ' ' + word;
}

runner::ports ports_of(session& s) {
  for (;;) {
    auto message = s.node->next();
    REQUIRE(message);
    if (auto* ports = std::get_if<runner::ports>(&*message))
      return std::move(*ports);
  }
}

// What the runner says of the port once it names it.
runner::open_port opened(session& s, std::uint16_t port) {
  for (;;) {
    auto all = ports_of(s).all;
    auto found = std::ranges::find(all, port, &runner::open_port::port);
    if (found != all.end())
      return *found;
  }
}

void closed(session& s, std::uint16_t port) {
  for (;;) {
    auto all = ports_of(s).all;
    if (std::ranges::find(all, port, &runner::open_port::port) == all.end())
      return;
  }
}

std::string server_on(std::uint16_t port, const std::string& address,
                      const std::string& word) {
  auto text = server(address, word);
  const std::string any = "LocalPort => 0";
  text.replace(text.find(any), any.size(),
               "LocalPort => " + std::to_string(port));
  return text;
}

// From which port on the processes of a network may listen without rights.
const std::string first_free_port =
  "/proc/sys/net/ipv4/ip_unprivileged_port_start";

std::uint16_t printed_port(session& s, const std::string& exec) {
  return static_cast<std::uint16_t>(s.printed_pids(exec, 1)[0]);
}

template <class Message>
Message answer(session& s) {
  for (;;) {
    auto message = s.node->next();
    REQUIRE(message);
    if (auto* wanted = std::get_if<Message>(&*message))
      return std::move(*wanted);
    REQUIRE_FALSE((std::holds_alternative<runner::connected>(*message)
                   || std::holds_alternative<runner::not_connected>(*message)));
  }
}

std::string heard_from(session& s, std::uint16_t port) {
  s.node->say(runner::connect{port, port});
  CHECK(answer<runner::connected>(s).ask == port);
  auto socket = s.node->take_fd();
  REQUIRE(socket);
  std::string result;
  char buffer[64];
  for (;;) {
    REQUIRE(test::becomes_readable(socket.get()));
    auto size = ::recv(socket.get(), buffer, sizeof buffer, 0);
    if (size <= 0)
      return result;
    result.append(buffer, static_cast<std::size_t>(size));
  }
}

std::string refusal(session& s, std::uint16_t port) {
  s.node->say(runner::connect{1, port});
  auto message = answer<runner::not_connected>(s);
  CHECK(message.ask == 1);
  return message.reason;
}

// A port of the host's loopback that something outside the session has.
struct foreign_listener {
  foreign_listener() : fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(
      ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address)
      == 0);
    REQUIRE(::listen(fd.get(), 1) == 0);
    socklen_t size = sizeof address;
    ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port = ntohs(address.sin_port);
  }

  unique_fd fd;
  std::uint16_t port = 0;
};

void check_ports(session& s) {
  auto nothing = "nothing listens on port 1 in this session";
  CHECK(refusal(s, 1) == nothing);
  s.start("v4", s.shell(server("127.0.0.1", "four")));
  s.start("v6", s.shell("(" + server("::1", "six") + ")& wait"));
  auto v4 = printed_port(s, "v4");
  auto v6 = printed_port(s, "v6");
  CHECK(heard_from(s, v4) == "four");
  CHECK(heard_from(s, v6) == "six");
  CHECK(refusal(s, 1) == nothing);
  // One that comes back is told at once.
  s.node.emplace(s.dir(), s.nonce);
  s.node->greet();
  auto port = opened(s, v4);
  CHECK(port.address == "127.0.0.1");
  CHECK(port.process == "perl");
  CHECK(port.exec == "v4");
  s.start("later", s.shell(server("0.0.0.0", "all")));
  auto later = printed_port(s, "later");
  CHECK(opened(s, later)
        == runner::open_port{later, "0.0.0.0", "perl", "later"});
  s.node->say(runner::cancel{"v6"});
  closed(s, v6);
  foreign_listener neighbour;
  CHECK(refusal(s, neighbour.port)
        == "nothing listens on port " + std::to_string(neighbour.port)
             + " in this session");
}

} // namespace

TEST_CASE("the ports of commands are told, and can be connected to") {
  session s;
  check_ports(s);
}

TEST_CASE("the ports inside a sandbox are told, and can be connected to") {
  if (!test::can_sandbox())
    return;
  session s{test::plan()};
  check_ports(s);
}

TEST_CASE("in a sandbox with the host's network only a session's own ports are "
          "its") {
  if (!test::can_sandbox())
    return;
  auto plan = test::plan();
  plan.argv.insert(plan.argv.begin() + 2, "--share-net");
  plan.host_network = true;
  session s{plan};
  check_ports(s);
}

TEST_CASE("in a network of its own a session listens on any port") {
  if (!test::can_sandbox())
    return;
  const auto before = read_file(first_free_port);
  session s{test::plan()};
  s.start("web", s.shell(server_on(80, "127.0.0.1", "eighty")));
  CHECK(printed_port(s, "web") == 80);
  CHECK(heard_from(s, 80) == "eighty");
  // The host's network is as it was.
  CHECK(read_file(first_free_port) == before);
}

TEST_CASE("in each network of its own a session may send echo requests") {
  if (!test::can_sandbox())
    return;
  const std::string command = "read low high </proc/sys/net/ipv4/"
                              "ping_group_range; group=$(id -g); [ $low -le "
                              "$group ] && [ $high -ge $group ] && echo -n may";
  // Of a plain user's sandbox the groups are known only a while after it is.
  for (int i = 0; i < 10; ++i) {
    session s{test::plan()};
    s.run("x", command);
    CHECK(s.output("x") == "may");
  }
}

TEST_CASE("which ports of the host's network are root's is not changed") {
  if (!test::can_sandbox())
    return;
  const auto before = read_file(first_free_port);
  auto plan = test::plan();
  plan.argv.insert(plan.argv.begin() + 2, "--share-net");
  plan.host_network = true;
  session shared{plan};
  shared.run("x", "cat " + first_free_port);
  CHECK(shared.output("x") == before);
  session unconfined;
  unconfined.run("x", "cat " + first_free_port);
  CHECK(unconfined.output("x") == before);
}

TEST_CASE(
  "without a network of its own a session is not taken for another that "
  "has the same port at the other address") {
  session s;
  auto on = [&](const std::string& address, std::uint16_t port) {
    return s.shell(server_on(port, address, "own"));
  };
  foreign_listener neighbour;
  s.start("six", on("::1", neighbour.port));
  CHECK(printed_port(s, "six") == neighbour.port);
  CHECK(heard_from(s, neighbour.port) == "own");
  foreign_listener other;
  s.start("far", on("127.0.0.2", other.port));
  CHECK(printed_port(s, "far") == other.port);
  CHECK(refusal(s, other.port)
        == "nothing listens on port " + std::to_string(other.port)
             + " in this session");
}

TEST_CASE("a port that opens as another closes is told at the next look") {
  // The test is below its parent as a command is below its runner.
  const std::vector<runner::exec_processes> execs{{"x", ::getppid()}};
  runner::session_ports ports{false};
  auto is_told = [&](std::uint16_t port) {
    auto all = ports.changed(::getpid(), execs);
    REQUIRE(all);
    return std::ranges::find(*all, port, &runner::open_port::port)
           != all->end();
  };
  auto first = std::make_unique<foreign_listener>();
  CHECK(is_told(first->port));
  for (int i = 0; i < 10; ++i) {
    // The same number of sockets, and mostly the same descriptor.
    const auto before = first->port;
    first.reset();
    first = std::make_unique<foreign_listener>();
    if (first->port != before)
      CHECK(is_told(first->port));
  }
}

TEST_CASE("a port that opens as a connection ends is told at the next look") {
  const std::vector<runner::exec_processes> execs{{"x", ::getppid()}};
  runner::session_ports ports{true};
  foreign_listener server;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(server.port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  unique_fd near{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  REQUIRE(
    ::connect(near.get(), reinterpret_cast<sockaddr*>(&address), sizeof address)
    == 0);
  unique_fd far{::accept(server.fd.get(), nullptr, nullptr)};
  REQUIRE(far);
  CHECK(ports.changed(::getpid(), execs));
  // Resets, which leave nothing behind.
  linger at_once{1, 0};
  ::setsockopt(near.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  near.reset();
  far.reset();
  foreign_listener one;
  foreign_listener two;
  auto all = ports.changed(::getpid(), execs);
  REQUIRE(all);
  for (auto port : {one.port, two.port})
    CHECK(std::ranges::find(*all, port, &runner::open_port::port)
          != all->end());
}

TEST_CASE("a port that accepts nobody is given up in time, and holds nobody "
          "up") {
  session s;
  // A queue of one that is full: the kernel drops who comes.
  s.start("deaf", s.shell(R"(exec perl -MSocket=:all -e '
    $| = 1;
    socket(my $s, PF_INET, SOCK_STREAM, 0);
    bind($s, sockaddr_in(0, INADDR_LOOPBACK)) and listen($s, 0) or die $!;
    my @held;
    for (1 .. 3) {
      socket(my $c, PF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
      connect($c, getsockname($s));
      push @held, $c;
    }
    print +(sockaddr_in(getsockname($s)))[0], "\n";
    sleep 1000;
  ')"));
  auto port = printed_port(s, "deaf");
  s.node->say(runner::connect{1, port});
  // Meanwhile others are served.
  CHECK(s.run("x", "echo hello").exit_code == 0);
  auto message = answer<runner::not_connected>(s);
  CHECK(message.ask == 1);
  CHECK(message.reason
        == "what listens on port " + std::to_string(port)
             + " in this session does not answer");
}

TEST_CASE("a node of the first version hears nothing of ports") {
  session s;
  s.node.emplace(s.dir(), s.nonce);
  s.node->say(runner::hello{1, 1, s.nonce});
  CHECK(s.node->wait_for<runner::hello_reply>().version == 1);
  s.spawn("x", s.shell(server("127.0.0.1", "word")));
  // Longer than the runner looks away.
  s.spawn("y", s.shell("until [ -s $SESSION_DIR/exec/x/stdout ]; do sleep "
                       "0.01; done; sleep 1.2"));
  for (bool over = false; !over;) {
    auto message = s.node->next();
    REQUIRE(message);
    CHECK_FALSE(std::holds_alternative<runner::ports>(*message));
    auto* end = std::get_if<runner::exited>(&*message);
    over = end && end->exec == "y";
  }
}

TEST_CASE("lines of the kernel's tables are read, and others are not") {
  CHECK(parse_listening("   0: 0100007F:1F90 00000000:0000 0A "
                        "00000000:00000000 00:00000000 00000000  1000        0 "
                        "4711 1 0000000000000000 100 0 0 10 0")
        == listening_socket{8080, "127.0.0.1", 4711});
  CHECK(parse_listening("   0: 00000000000000000000000001000000:0050 "
                        "00000000000000000000000000000000:0000 0A "
                        "00000000:00000000 00:00000000 00000000  1000        0 "
                        "12 1 0000000000000000 100 0 0 10 0")
        == listening_socket{80, "::1", 12});
  for (auto text :
       {"", "0:", "   0: 0100007F:1F90 0100007F:0001 01 0 0 0 0 0 4711",
        "   0: 0100007F:1F901 00000000:0000 0A 0:0 0:0 0 0 0 4711",
        "   0: 0100007:1F90 00000000:0000 0A 0:0 0:0 0 0 0 4711",
        "   0: 0100007F:1F90 00000000:0000 0A 0:0 0:0 0 0 0 x",
        "   0: 0100007F:1F90 00000000:0000 0A 0:0 0:0 0 0 0"}) {
    INFO(text);
    CHECK_FALSE(parse_listening(text));
  }
}
