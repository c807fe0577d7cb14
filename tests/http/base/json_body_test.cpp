#include "http/base/json_body.hpp"
#include "messages/errors.hpp"
#include "tests/support/fuzz_effort.hpp"
#include "tests/support/mutations.hpp"

#include <catch2/catch.hpp>

#include <random>

using namespace greenroom;
using namespace greenroom::http;

namespace {

std::string refusal_of(const std::function<void()>& what) {
  try {
    what();
  } catch (const refused& e) {
    CHECK(e.code() == errc::bad_request);
    return e.what();
  }
  return "nothing was refused";
}

std::string refusal_of_body(std::string_view body) {
  return refusal_of([&] { parse_object(body); });
}

} // namespace

TEST_CASE("what is no JSON object is no request body") {
  for (auto body : {"", " ", "null", "1", "[]", "\"x\"", "{", "{}x", "{'a':1}",
                    "{\"a\":1,}", "{\"a\":\"\xff\"}", "{\"a\":\"\xc0\x80\"}",
                    "{\"a\":\"\\ud800\"}", "{\"a\":NaN}"}) {
    CAPTURE(body);
    CHECK(refusal_of_body(body) == "invalid request body");
  }
  CHECK(parse_object("{}").empty());
  CHECK(parse_object(" {\"a\":{\"b\":[1,2]}} ")["a"]["b"][1] == 2);
}

TEST_CASE("a body may be nested 64 deep and no deeper") {
  auto nested = [](std::size_t depth) {
    return "{\"a\":" + std::string(depth - 1, '[') + std::string(depth - 1, ']')
           + "}";
  };
  CHECK(parse_object(nested(64)).size() == 1);
  CHECK(refusal_of_body(nested(65)) == "invalid request body");
  CHECK(refusal_of_body(nested(100'000)) == "invalid request body");
}

TEST_CASE("a name that comes twice is refused") {
  CHECK(refusal_of_body(R"({"a":1,"a":2})") == "field \"a\" comes twice");
  CHECK(refusal_of_body(R"({"x":{"a":1,"a":2}})") == "field \"a\" comes twice");
}

TEST_CASE("fields are read by their types") {
  auto body = parse_object(
    R"({"t":"x","b":true,"n":7,"l":["a","b"],"m":{"k":"v"},"z":null})");
  object_reader fields{body};
  CHECK(fields.text("t") == "x");
  CHECK(fields.boolean("b") == true);
  CHECK(fields.whole_number("n", 1, 10) == 7);
  CHECK(fields.text_list("l") == std::vector<std::string>{"a", "b"});
  CHECK(fields.text_map("m") == string_map{{"k", "v"}});
  CHECK_FALSE(fields.text("z"));
  CHECK_FALSE(fields.text("none"));
  CHECK_NOTHROW(fields.done());
}

TEST_CASE("a wrong type is refused with the field and what it must be") {
  auto body = parse_object(
    R"({"t":1,"b":"true","n":"7","big":11,"neg":-1,"f":1.5,"l":["a",1],)"
    R"("m":{"k":1},"nul":"a\u0000b","huge":18446744073709551615})");
  object_reader fields{body};
  CHECK(refusal_of([&] { fields.text("t"); }) == "t must be a string");
  CHECK(refusal_of([&] { fields.boolean("b"); }) == "b must be true or false");
  for (auto name : {"n", "big", "neg", "f", "huge"})
    CHECK(refusal_of([&] { fields.whole_number(name, 1, 10); })
          == std::string{name} + " must be a whole number from 1 to 10");
  CHECK(refusal_of([&] { fields.text_list("l"); })
        == "l must be a list of strings");
  CHECK(refusal_of([&] { fields.text_list("t"); })
        == "t must be a list of strings");
  CHECK(refusal_of([&] { fields.text_map("m"); })
        == "m must be an object with string values");
  CHECK(refusal_of([&] { fields.text("nul"); }) == "nul must not contain NUL");
}

TEST_CASE("an unknown field is refused by name") {
  auto body = parse_object(R"({"a":"1","bogus":2})");
  object_reader fields{body};
  fields.text("a");
  CHECK(refusal_of([&] { fields.done(); }) == "unknown field \"bogus\"");
}

TEST_CASE("no bytes make the reader of bodies do more than refuse") {
  test::fuzz_effort effort{5'000};
  std::mt19937 random{effort.seed()};
  const std::vector<std::string> seeds{
    R"({"new_branch":"a","expires_in":"1h","labels":{"a":"b"},"n":12})",
    R"({"argv":["a","\u00e9\ud83d\ude00"],"x":-1.5e+3,"y":null,"z":true})",
    R"({"a":{"a":{"a":{"a":[[[[{"a":"\"\\\n"}]]]]}}}})", "{}"};
  const std::string_view alphabet = "{}[]\",:\\u0129eE+-. \n\x01\x80\xc3\xff";
  int read = 0;
  while (effort.next()) {
    auto bytes =
      test::mutated(seeds[random() % seeds.size()], random, alphabet);
    try {
      auto body = parse_object(bytes);
      ++read;
      REQUIRE(body.is_object());
      REQUIRE(parse_object(body.dump()) == body);
      object_reader fields{body};
      static_cast<void>(fields.text("new_branch"));
      static_cast<void>(fields.text_map("labels"));
      static_cast<void>(fields.text_list("argv"));
      static_cast<void>(fields.whole_number("n", 0, 100));
      fields.done();
    } catch (const refused& e) {
      REQUIRE(e.code() == errc::bad_request);
      REQUIRE(std::string_view{e.what()}.size() < 500);
    }
  }
  CHECK(read > 0);
}
