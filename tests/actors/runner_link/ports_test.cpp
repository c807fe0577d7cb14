// Ports of what a runner runs, from the link to its user.
#include "runtime/base/fd.hpp"
#include "tests/actors/runner_link/linked_session.hpp"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>

using namespace greenroom;
using greenroom::test::linked_session;
using greenroom::test::news;

namespace {

constexpr auto server = R"(exec perl -MIO::Socket::IP -e '
  $| = 1;
  my $s = IO::Socket::IP->new(LocalHost => "127.0.0.1", LocalPort => 0,
                              Listen => 9) or die $@;
  print $s->sockport, "\n";
  while (my $c = $s->accept) { print $c "hello"; close $c }
')";

std::uint16_t started_server(linked_session& s) {
  s.spawn("server", server);
  s.printed("server", "\n");
  return static_cast<std::uint16_t>(std::stoi(s.output("server")));
}

std::string problem(linked_session& s, std::uint16_t port) {
  s.link->connect(s.id, s.user, 7, port);
  auto answer = s.hear<port_connected>();
  CHECK(answer.ticket == 7);
  CHECK(answer.socket.take() == -1);
  return answer.problem;
}

} // namespace

TEST_CASE("a user is told which ports there are, and gets connections") {
  linked_session s;
  CHECK(problem(s, 80)
        == "nothing runs in this session yet, so nothing listens on port 80");
  s.attach(true);
  s.hear<runner_up>();
  CHECK(problem(s, 1) == "nothing listens on port 1 in this session");
  auto port = started_server(s);
  auto has_port = [port](const ports_changed& x) {
    return std::ranges::find(
             x.ports, listening_port{port, "127.0.0.1", "perl", "server"})
           != x.ports.end();
  };
  while (!has_port(s.hear<ports_changed>())) {
  }
  s.link->connect(s.id, s.user, 8, port);
  auto answer = s.hear<port_connected>();
  CHECK(answer.ticket == 8);
  CHECK(answer.problem.empty());
  unique_fd socket{answer.socket.take()};
  REQUIRE(socket);
  CHECK(answer.socket.take() == -1);
  pollfd readable{socket.get(), POLLIN, 0};
  REQUIRE(::poll(&readable, 1, 20'000) == 1);
  char word[5];
  CHECK(::recv(socket.get(), word, sizeof word, MSG_WAITALL) == 5);
  // Another link is told at once.
  s.open_link();
  s.attach(false);
  CHECK(has_port(s.hear<ports_changed>()));
}
