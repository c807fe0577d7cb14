#include "http/base/address_shares.hpp"

#include <catch2/catch.hpp>

using namespace greenroom::http;

TEST_CASE("an address has its share of connections, and gives it back") {
  auto shares = std::make_shared<address_shares>(2);
  auto first = shares->take("10.0.0.1");
  auto second = shares->take("10.0.0.1");
  CHECK(first);
  CHECK(second);
  CHECK_FALSE(shares->take("10.0.0.1"));
  CHECK(shares->take("10.0.0.2"));
  first.reset();
  CHECK(shares->take("10.0.0.1"));
}

TEST_CASE("an IPv6 network is one client, and an IPv4 address is one by "
          "either name") {
  auto shares = std::make_shared<address_shares>(1);
  auto held = shares->take("2001:db8::1");
  CHECK_FALSE(shares->take("2001:db8::ffff"));
  CHECK(shares->take("2001:db8:0:1::1"));
  auto other = shares->take("10.0.0.1");
  CHECK_FALSE(shares->take("::ffff:10.0.0.1"));
}
