#include "runtime/base/utf8.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <random>
#include <string>

using namespace greenroom;

namespace {

// nlohmann's dump() refuses what is not UTF-8.
bool oracle(std::string_view bytes) {
  try {
    nlohmann::json{bytes}.dump();
    return true;
  } catch (const nlohmann::json::type_error&) {
    return false;
  }
}

} // namespace

TEST_CASE("UTF-8 is told from other bytes as strictly as JSON demands") {
  for (std::string_view good :
       {"", "plain", "\x7f", "é", "€", "\xed\x9f\xbf", "\xee\x80\x80", "🙂",
        "\xf4\x8f\xbf\xbf", "twelve bytes and é", "eight by€"}) {
    CAPTURE(good);
    CHECK(is_utf8(good));
    CHECK(oracle(good));
  }
  for (std::string_view bad :
       {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xc3", "\xe0\x9f\xbf",
        "\xed\xa0\x80", "\xe2\x82", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80", "\xff", "a\xe9z", "\xe2\x82z", "12345678\xc3"}) {
    CAPTURE(bad);
    CHECK_FALSE(is_utf8(bad));
    CHECK_FALSE(oracle(bad));
  }
}

TEST_CASE("all sequences of two bytes, and random longer ones, agree with "
          "nlohmann") {
  for (int a = 0x70; a < 256; ++a)
    for (int b = 0; b < 256; ++b) {
      std::string bytes{static_cast<char>(a), static_cast<char>(b)};
      if (is_utf8(bytes) != oracle(bytes))
        FAIL("differs at " << a << ' ' << b);
    }
  // Drawn from the bytes at which something changes.
  constexpr std::string_view edges =
    "a\x7f\x80\x8f\x90\x9f\xa0\xbf\xc1\xc2\xdf\xe0\xe1\xed\xee\xef\xf0\xf1"
    "\xf3\xf4\xf5";
  std::mt19937 random{1};
  for (int i = 0; i < 200'000; ++i) {
    std::string bytes;
    for (auto n = random() % 6; n > 0; --n)
      bytes += edges[random() % edges.size()];
    if (is_utf8(bytes) != oracle(bytes))
      FAIL("differs in round " << i);
  }
}

TEST_CASE("a byte that is no UTF-8 is found wherever it stands in ASCII") {
  for (std::size_t size = 1; size <= 72; ++size)
    for (std::size_t at = 0; at < size; ++at) {
      std::string bytes(size, 'a');
      REQUIRE(is_utf8(bytes));
      bytes[at] = '\xe9';
      if (is_utf8(bytes))
        FAIL("not found at " << at << " of " << size);
    }
}

TEST_CASE("the beginning of a character at the end is counted") {
  CHECK(incomplete_tail("") == 0);
  CHECK(incomplete_tail("abc") == 0);
  for (std::string_view character :
       {"é", "€", "한", "🙂", "\xf4\x8f\xbf\xbf"})
    for (std::size_t n = 1; n <= character.size(); ++n) {
      auto whole = n == character.size();
      auto part = std::string{character.substr(0, n)};
      CAPTURE(character, n);
      CHECK(incomplete_tail(part) == (whole ? 0 : n));
      CHECK(incomplete_tail("abc" + part) == (whole ? 0 : n));
      CHECK(incomplete_tail("\xff" + part) == (whole ? 0 : n));
      CHECK(incomplete_tail(part + "z") == 0);
    }
}

TEST_CASE("what no byte can complete is not waited for") {
  for (std::string_view bytes :
       {"\x80", "\xff", "\xc1", "\xf5", "\xe0\x9f", "\xed\xa0", "\xf0\x8f",
        "\xf4\x90", "\xf4\x90\x80", "\x80\x80\x80", "\xe2\x82\xac\x82"}) {
    CAPTURE(bytes);
    CHECK(incomplete_tail(bytes) == 0);
  }
}
