#include "runtime/base/ip_networks.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace greenroom;

namespace {

std::string why(const std::string& text,
                const std::vector<std::string>& allowed = {}) {
  std::vector<ip_network> networks;
  for (auto& one : allowed)
    networks.push_back(parse_network(one).value());
  return std::string{why_forbidden(parse_ip(text).value(), networks)};
}

} // namespace

TEST_CASE("what only this machine can reach is told from what is public") {
  const std::string loopback = "a loopback address";
  const std::string inner = "a private address";
  const std::string link = "a link-local address";
  const std::string metadata = "the address of a metadata service";
  const std::string reserved = "a reserved address";
  const std::pair<std::string, std::string> cases[] = {
    {"93.184.216.34", ""},
    {"9.255.255.255", ""},
    {"11.0.0.0", ""},
    {"172.15.255.255", ""},
    {"172.32.0.0", ""},
    {"192.167.255.255", ""},
    {"100.63.255.255", ""},
    {"100.128.0.0", ""},
    {"2606:2800:220:1:248:1893:25c8:1946", ""},
    {"127.0.0.1", loopback},
    {"127.255.255.254", loopback},
    {"::1", loopback},
    {"::ffff:127.0.0.1", loopback},
    {"64:ff9b::7f00:1", loopback},
    {"64:ff9b::5db8:d822", ""},
    {"10.0.0.1", inner},
    {"172.16.0.1", inner},
    {"172.31.255.255", inner},
    {"192.168.1.1", inner},
    {"::ffff:10.1.2.3", inner},
    {"fc00::1", inner},
    {"fdff::1", inner},
    {"fec0::1", inner},
    {"169.254.1.1", link},
    {"fe80::1", link},
    {"169.254.169.254", metadata},
    {"::ffff:169.254.169.254", metadata},
    {"fd00:ec2::254", metadata},
    {"168.63.129.16", metadata},
    {"100.100.100.200", metadata},
    {"100.64.0.1", "an address of a provider's inner network"},
    {"0.0.0.0", reserved},
    {"::", reserved},
    {"::7f00:1", reserved},
    {"198.18.0.1", reserved},
    {"192.0.2.1", reserved},
    {"255.255.255.255", reserved},
    {"2001:db8::1", reserved},
    {"4000::1", reserved},
    {"224.0.0.1", "a multicast address"},
    {"ff02::1", "a multicast address"},
    {"2002:7f00:1::", "an address that leads to another one"},
    {"2001::1", "an address that leads to another one"},
  };
  for (auto& [address, expected] : cases) {
    INFO(address);
    CHECK(why(address) == expected);
  }
}

TEST_CASE("what is allowed by name is allowed, and nothing beside it") {
  CHECK(why("10.1.2.3", {"10.1.0.0/16"}).empty());
  CHECK_FALSE(why("10.2.2.3", {"10.1.0.0/16"}).empty());
  CHECK(why("127.0.0.1", {"127.0.0.1"}).empty());
  CHECK_FALSE(why("127.0.0.2", {"127.0.0.1"}).empty());
  CHECK(why("::ffff:127.0.0.1", {"127.0.0.0/8"}).empty());
  CHECK(why("fd12::1", {"10.0.0.0/8", "fd12::/16"}).empty());
  CHECK(why("64:ff9b::a01:203", {"10.1.0.0/16"}).empty());
  // All of version 4 is not all of version 6.
  CHECK(why("10.0.0.1", {"0.0.0.0/0"}).empty());
  CHECK_FALSE(why("::1", {"0.0.0.0/0"}).empty());
}

TEST_CASE("networks are read strictly") {
  for (auto good : {"10.0.0.0/8", "0.0.0.0/0", "192.168.1.7", "192.168.1.7/32",
                    "fd00::/8", "::1", "::/0", "2001:db8::/33"}) {
    INFO(good);
    CHECK(parse_network(good));
  }
  for (auto bad :
       {"", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "10.0.0/8", "10.0.0.1/8",
        "fd00::1/8", "::/129", "localhost", "10.0.0.0/8 ", "[::1]",
        "fe80::1%lo", "0x7f.1", "10.0.0.0/8x"}) {
    INFO(bad);
    CHECK_FALSE(parse_network(bad));
  }
}
