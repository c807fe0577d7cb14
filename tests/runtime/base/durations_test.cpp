#include "runtime/base/durations.hpp"

#include <catch2/catch.hpp>

using namespace greenroom;

TEST_CASE("durations are read as Go writes them") {
  CHECK(parse_duration("90s") == 90'000);
  CHECK(parse_duration("1h30m") == 5'400'000);
  CHECK(parse_duration("1.5h") == 5'400'000);
  CHECK(parse_duration(".5s") == 500);
  CHECK(parse_duration("2.s") == 2'000);
  CHECK(parse_duration("+1m") == 60'000);
  CHECK(parse_duration("250ms") == 250);
  CHECK(parse_duration("0.001s") == 1);
  CHECK(parse_duration("1h1h") == 7'200'000);
  CHECK(parse_duration("2000us") == 2);
  CHECK(parse_duration("2000\u00b5s") == 2);
  CHECK(parse_duration("2000\u03bcs") == 2);
  CHECK(parse_duration("1999999ns") == 1);
  CHECK(parse_duration("0h5m") == 300'000);
  CHECK(parse_duration("1.00000000000000000000001h") == 3'600'000);
}

TEST_CASE("durations may be whole days") {
  CHECK(parse_duration("1d") == one_day);
  CHECK(parse_duration("400d") == 400 * one_day);
  CHECK_FALSE(parse_duration("0d"));
  CHECK_FALSE(parse_duration("1.5d"));
  CHECK_FALSE(parse_duration("1d12h"));
  CHECK_FALSE(parse_duration("-1d"));
  CHECK_FALSE(parse_duration("d"));
}

TEST_CASE("what is no duration above zero is refused") {
  auto bad = GENERATE("", "0", "0s", "-1h", "+", "1", "h", ".", ".s", "1.h.",
                      "1 h", " 1h", "1h ", "1H", "1x", "1h-1m", "1e3s", "0.5ms",
                      "999us", "nan", "1,5h");
  CAPTURE(bad);
  CHECK_FALSE(parse_duration(bad));
}

TEST_CASE("durations that no number holds are refused") {
  CHECK(parse_duration("2562047h"));
  CHECK_FALSE(parse_duration("2562048h"));
  CHECK_FALSE(parse_duration("2562047h2562047h"));
  CHECK_FALSE(parse_duration("99999999999999999999999s"));
  CHECK_FALSE(parse_duration("9223372036.9999999999s"));
  CHECK(parse_duration("106751d"));
  CHECK_FALSE(parse_duration("106752d"));
  CHECK_FALSE(parse_duration("99999999999999999999999d"));
}

TEST_CASE("an expiry over thirty days is too long, but bad when in days") {
  CHECK(parse_expiry("30d").verdict == expiry_verdict::ok);
  CHECK(parse_expiry("30d").length == max_expiry);
  CHECK(parse_expiry("720h").length == max_expiry);
  CHECK(parse_expiry("1d").length == one_day);
  CHECK(parse_expiry("31d").verdict == expiry_verdict::invalid);
  CHECK(parse_expiry("0d").verdict == expiry_verdict::invalid);
  CHECK(parse_expiry("720h1s").verdict == expiry_verdict::too_long);
  CHECK(parse_expiry("100000m").verdict == expiry_verdict::too_long);
  CHECK(parse_expiry("soon").verdict == expiry_verdict::invalid);
  CHECK(parse_expiry("-1h").verdict == expiry_verdict::invalid);
}

TEST_CASE("durations are written short and read back the same") {
  CHECK(format_duration(one_day) == "24h");
  CHECK(format_duration(30 * one_day) == "30d");
  CHECK(format_duration(5'400'000) == "1h30m");
  CHECK(format_duration(90'000) == "1m30s");
  CHECK(format_duration(250) == "250ms");
  CHECK(format_duration(0) == "0s");
  auto length =
    GENERATE(1, 999, 1'000, 61'001, 3'600'000, 86'400'001, 172'800'000);
  CHECK(parse_duration(format_duration(length)) == length);
}
