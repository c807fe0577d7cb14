// What a session says of the ports that its commands listen on.
#include "tests/actors/session/requests.hpp"
#include "tests/actors/small_node.hpp"
#include "tests/support/sockets.hpp"

#include <catch2/catch.hpp>

#include <cstdint>
#include <string>

using namespace greenroom;
using greenroom::test::await;
using greenroom::test::crash;
using greenroom::test::events_of;
using greenroom::test::on_branch;
using greenroom::test::shell;
using greenroom::test::small_node;

namespace {

start_exec listening_on(std::uint16_t port, bool in_background) {
  auto request =
    shell(std::string{in_background ? "" : "exec "}
            + "perl -MIO::Socket::INET -e '"
              "$s = IO::Socket::INET->new(LocalAddr => "
              "\"127.0.0.1\", LocalPort => "
            + std::to_string(port) + ", Listen => 5) or die $!; sleep 1000'"
            + (in_background ? " >/dev/null 2>&1 &" : ""),
          in_background ? 10'000 : 0);
  request.spec.exec_id = "web";
  return request;
}

create_session with_preview(std::uint16_t port) {
  auto request = on_branch("work");
  request.preview_port = port;
  return request;
}

struct served_session {
  std::uint16_t port = test::unused_port();
  small_node node;
  session_record session = node.create(with_preview(port));
  session_actor handle = node.find(session);

  std::size_t told(event_kind kind) {
    return events_of(node, handle, kind).size();
  }
  void await_told(event_kind kind, std::size_t times) {
    await(std::string{to_string(kind)}, [&] { return told(kind) == times; });
  }
  bool listed() {
    auto all = node.ask<port_list>(handle, list_ports{});
    return is_served(all.ports, port);
  }
};

} // namespace

TEST_CASE_METHOD(served_session, "ports that open and close are events") {
  node.ask<exec_view>(handle, listening_on(port, false));
  await_told(event_kind::preview_ready, 1);
  auto opened = events_of(node, handle, event_kind::port_opened);
  REQUIRE(opened.size() == 1);
  auto data = opened[0]["data"];
  CHECK(data["port"] == port);
  CHECK(data["address"] == "127.0.0.1");
  CHECK(data["process"] == "perl");
  CHECK(data["exec_id"] == "web");
  node.ask<exec_view>(handle, cancel_exec{"web"});
  await_told(event_kind::preview_gone, 1);
  CHECK(told(event_kind::port_closed) == 1);
  CHECK_FALSE(listed());
  auto closed = node.ask<port_list>(handle, list_ports{}).closed;
  REQUIRE(closed.size() == 1);
  CHECK(closed[0].exec_id == "web");
}

TEST_CASE_METHOD(served_session, "a server in the background is still listed "
                                 "after a crash and a restart") {
  node.ask<exec_view>(handle, listening_on(port, true));
  await_told(event_kind::port_opened, 1);
  handle = crash(node, session);
  CHECK(listed());
  node.restart();
  handle = node.find(session);
  CHECK(listed());
  // The end says so before it is the end.
  node.ask<terminate_reply>(handle, terminate_session{});
  CHECK(told(event_kind::port_opened) == 1);
  CHECK(told(event_kind::port_closed) == 1);
  CHECK(told(event_kind::preview_gone) == 1);
}
