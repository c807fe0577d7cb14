#include "runtime/base/timestamps.hpp"

#include <catch2/catch.hpp>

#include <limits>

using namespace greenroom;

TEST_CASE("points in time are written in RFC 3339") {
  CHECK(format_rfc3339(0) == "1970-01-01T00:00:00.000Z");
  CHECK(format_rfc3339(1'795'392'707'123) == "2026-11-23T00:11:47.123Z");
  CHECK(format_rfc3339(951'782'400'000) == "2000-02-29T00:00:00.000Z");
  CHECK(format_rfc3339(-1) == "1969-12-31T23:59:59.999Z");
}

TEST_CASE("years that need more than four digits become the nearest") {
  CHECK(format_rfc3339(std::numeric_limits<unix_ms>::max())
        == "9999-12-31T23:59:59.999Z");
  CHECK(format_rfc3339(std::numeric_limits<unix_ms>::min())
        == "0000-01-01T00:00:00.000Z");
}

TEST_CASE("points in time are read back") {
  auto time = GENERATE(unix_ms{0}, unix_ms{1'795'392'707'123},
                       unix_ms{-86'400'001}, unix_ms{253'402'300'799'999});
  CHECK(parse_rfc3339(format_rfc3339(time)) == time);
}

TEST_CASE("fractions and offsets of other writers are understood") {
  CHECK(parse_rfc3339("1970-01-01T00:00:01Z") == 1'000);
  CHECK(parse_rfc3339("1970-01-01T00:00:01.5Z") == 1'500);
  CHECK(parse_rfc3339("1970-01-01T00:00:01.123456789Z") == 1'123);
  CHECK(parse_rfc3339("1970-01-01T02:00:00+02:00") == 0);
  CHECK(parse_rfc3339("1969-12-31T23:30:00-00:30") == 0);
}

TEST_CASE("what is no point in time is refused") {
  auto bad = GENERATE(
    "", "1970-01-01", "1970-01-01T00:00:00", "1970-01-01 00:00:00Z",
    "1970-13-01T00:00:00Z", "1970-02-30T00:00:00Z", "1970-01-01T24:00:00Z",
    "1970-01-01T00:60:00Z", "1970-01-01T00:00:61Z", "1970-01-01T00:00:00.Z",
    "1970-01-01T00:00:00Zx", "1970-01-01T00:00:00+24:00",
    "+970-01-01T00:00:00Z", "1970-1-01T00:00:00Z");
  CAPTURE(bad);
  CHECK_FALSE(parse_rfc3339(bad));
}
