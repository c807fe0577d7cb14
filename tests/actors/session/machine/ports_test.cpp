// Which events a change of ports is worth.
#include "actors/session/machine/ports.hpp"

#include <catch2/catch.hpp>

using namespace greenroom;
using greenroom::session::port_events;

namespace {

const listening_port web{3000, "127.0.0.1", "node", "web"};
const listening_port web6{3000, "::1", "node", "web"};
const listening_port other{3000, "127.0.0.1", "python3", "py"};
const listening_port db{5432, "10.0.0.2", "postgres", ""};

std::string told(const std::vector<listening_port>& before,
                 const std::vector<listening_port>& after) {
  std::string result;
  for (auto& event : port_events(before, after))
    result += std::string{to_string(event.kind)} + ' ' + event.port.process
              + ' ' + event.port.address + '\n';
  return result;
}

} // namespace

TEST_CASE("each port is told once as opened and once as closed") {
  CHECK(told({}, {web}) == "port.opened node 127.0.0.1\n");
  CHECK(told({web}, {web, web6, db})
        == "port.opened node ::1\nport.opened postgres 10.0.0.2\n");
  CHECK(told({web, web6}, {web6}) == "port.closed node 127.0.0.1\n");
  CHECK(told({web, db}, {db, web}).empty());
}

TEST_CASE("another program on the same port is another port") {
  CHECK(told({web}, {other})
        == "port.closed node 127.0.0.1\nport.opened python3 127.0.0.1\n");
}

TEST_CASE("a port is served where the loopback leads to it") {
  CHECK(is_served({db, web6}, 3000));
  CHECK_FALSE(is_served({db}, 5432));
  CHECK_FALSE(is_served({web}, 3001));
  CHECK(is_served({{80, "::", "", ""}}, 80));
  CHECK_FALSE(is_served({{80, "127.0.0.2", "", ""}}, 80));
}
