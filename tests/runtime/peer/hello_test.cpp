#include "runtime/peer/hello.hpp"
#include "tests/support/fuzz_effort.hpp"
#include "tests/support/mutations.hpp"

#include <catch2/catch.hpp>

#include <random>
#include <string>

namespace greenroom::peer {

namespace {

hello hello_of(const std::string& node) {
  hello result;
  result.cluster = "c1";
  result.node = node;
  result.incarnation = "i-" + node;
  result.actor_system = "caf-" + node;
  return result;
}

} // namespace

TEST_CASE("a hello comes back as it was sent, and a newer one's fields are "
          "passed over") {
  auto sent = hello_of("a");
  sent.lowest = 2;
  sent.highest = 5;
  sent.what = purpose::stream;
  sent.service = "api";
  sent.window = 77;
  auto text = encode(sent);
  CHECK(decode_hello(text) == sent);
  text.insert(text.size() - 1, R"(,"colour":"blue")");
  CHECK(decode_hello(text) == sent);
}

TEST_CASE("what is no hello is refused") {
  auto good = encode(hello_of("a"));
  for (auto& bad :
       {std::string{}, std::string{"GET / HTTP/1.1"}, std::string{"{}"},
        good.substr(0, good.size() / 2), std::string(max_hello + 1, ' ')}) {
    INFO(bad.substr(0, 40));
    CHECK_THROWS_AS(decode_hello(bad), bad_hello);
  }
  auto strange = hello_of("a\nb");
  CHECK_THROWS_AS(decode_hello(encode(strange)), bad_hello);
  auto windowless = hello_of("a");
  windowless.window = 0;
  CHECK_THROWS_AS(decode_hello(encode(windowless)), bad_hello);
}

TEST_CASE("no text confuses the reader of hellos") {
  test::fuzz_effort effort{5'000};
  std::mt19937 random{effort.seed()};
  auto seed = hello_of("a");
  seed.what = purpose::stream;
  seed.service = "api";
  int good = 0;
  while (effort.next()) {
    auto text = test::mutated(encode(seed), random,
                              "0123456789-.eE{}[]\",:abc\n\x7f\xff");
    INFO(text);
    try {
      auto read = decode_hello(text);
      REQUIRE(decode_hello(encode(read)) == read);
      static_cast<void>(objection(seed, read));
      ++good;
    } catch (const bad_hello&) {
      SUCCEED();
    }
  }
  CHECK(good > 0);
}

TEST_CASE("nodes whose versions overlap can talk, others say who is to be "
          "upgraded") {
  auto a = hello_of("a");
  auto b = hello_of("b");
  a.highest = 2;
  b.lowest = 2;
  b.highest = 4;
  CHECK(objection(a, b).empty());
  b.lowest = 3;
  CHECK(objection(a, b)
        == "node a speaks versions 1 to 2 of the link between nodes and node b "
           "versions 3 to 4: upgrade node a");
  CHECK(objection(b, a).ends_with(": upgrade node a"));
}

TEST_CASE("nodes of two clusters, of one name, or that CAF cannot tell apart "
          "do not talk") {
  auto a = hello_of("a");
  auto b = hello_of("b");
  b.cluster = "c2";
  CHECK(objection(a, b).ends_with(": give both the same storage.url"));
  b = hello_of("a");
  CHECK_THAT(objection(a, b), Catch::Contains("two nodes are named a"));
  b = hello_of("b");
  b.actor_system = a.actor_system;
  CHECK_THAT(objection(a, b), Catch::Contains("different MAC addresses"));
}

TEST_CASE("of two nodes exactly one dials") {
  CHECK(dials("a", "b"));
  CHECK_FALSE(dials("b", "a"));
  CHECK_FALSE(dials("a", "a"));
}

} // namespace greenroom::peer
