#include "http/base/authorization.hpp"

#include <catch2/catch.hpp>

using namespace greenroom::http;

TEST_CASE("a scheme is read in any case, with any blanks behind it") {
  CHECK(after_scheme("Bearer x", "bearer") == "x");
  CHECK(after_scheme("BEARER   x y", "bearer") == "x y");
  for (auto other : {"", "Bearer", "Bearerx", "Bearer\tx", "Basic x"})
    CHECK_FALSE(after_scheme(other, "bearer"));
}

TEST_CASE("a user's name and password are read from basic credentials") {
  auto read = [](std::string_view text) {
    auto found = read_basic(text);
    REQUIRE(found);
    return found->user + '|' + found->password;
  };
  CHECK(read("Basic eDp5") == "x|y");
  CHECK(read("basic  eDp5Onphcg==") == "x|y:zar");
  CHECK(read("Basic Onk=") == "|y");
  CHECK(read("Basic eDo") == "x|");
  CHECK(read("Basic eHl6") == "xyz|"); // no colon
  CHECK(read("Basic e*p5") == "|");    // no base64
  CHECK_FALSE(read_basic("Bearer eDp5"));
  CHECK_FALSE(read_basic(""));
}
