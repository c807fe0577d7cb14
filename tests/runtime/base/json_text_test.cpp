#include "runtime/base/json_text.hpp"

#include "tests/runtime/timeline/base64.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <random>
#include <string>

using namespace greenroom;

namespace {

std::string escaped(std::string_view text) {
  std::string result = "before ";
  append_json_string(result, text);
  REQUIRE(result.starts_with("before "));
  return result.substr(7);
}

std::string encoded(std::string_view bytes) {
  std::string result = "before ";
  append_base64(result, bytes);
  REQUIRE(result.starts_with("before "));
  return result.substr(7);
}

} // namespace

TEST_CASE("strings are escaped as nlohmann escapes them") {
  CHECK(escaped("") == R"("")");
  CHECK(escaped("a\nb\"c\\\x01") == R"("a\nb\"c\\\u0001")");
  // Each character at each place of what is looked at at once, and behind it.
  for (int c = 0; c < 0x80; ++c)
    for (std::size_t at = 0; at < 40; ++at) {
      std::string text(40, 'x');
      text[at] = static_cast<char>(c);
      if (escaped(text) != nlohmann::json{text}[0].dump())
        FAIL("differs for character " << c << " at " << at);
    }
  constexpr std::string_view pieces[] = {"a",    "plain text of some length",
                                         "\n",   "\x1f",
                                         "\x20", "!",
                                         "\"",   "#",
                                         "[",    "\\",
                                         "]",    "\x7f",
                                         "\t",   "\r",
                                         "\0x",  "é",
                                         "€",    "🙂"};
  std::mt19937 random{2};
  for (int i = 0; i < 20'000; ++i) {
    std::string text;
    for (auto n = random() % 30; n > 0; --n)
      text += pieces[random() % std::size(pieces)];
    if (escaped(text) != nlohmann::json{text}[0].dump())
      FAIL("differs in round " << i);
  }
}

TEST_CASE("a string that would be too long is not appended") {
  const std::string zeros(1000, '\0');
  const std::string text = "plain text\n" + zeros + "and more of it";
  const auto length = escaped(text).size() - 2;
  for (auto most : {length - 1, length / 2, std::size_t{0}}) {
    std::string out = "before ";
    CHECK_FALSE(append_json_string_within(out, text, most));
    CHECK(out == "before ");
  }
  std::string out;
  CHECK(append_json_string_within(out, text, length));
  CHECK(out == escaped(text));
  CHECK(append_json_string_within(out, "", 0));
  CHECK_FALSE(append_json_string_within(out, "abc", 2));
  CHECK(append_json_string_within(out, "abc", 3));
}

TEST_CASE("base64 is that of RFC 4648") {
  CHECK(encoded("") == "");
  CHECK(encoded("f") == "Zg==");
  CHECK(encoded("fo") == "Zm8=");
  CHECK(encoded("foo") == "Zm9v");
  CHECK(encoded("foob") == "Zm9vYg==");
  CHECK(encoded("fooba") == "Zm9vYmE=");
  CHECK(encoded("foobar") == "Zm9vYmFy");
  CHECK(encoded("\xfb\xff\xfe") == "+//+");
  std::string bytes;
  for (int i = 0; i < 256; ++i) {
    CHECK(test::from_base64(encoded(bytes)) == bytes);
    bytes += static_cast<char>(i);
  }
}
