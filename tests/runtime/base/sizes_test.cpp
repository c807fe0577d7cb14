#include "runtime/base/sizes.hpp"

#include <catch2/catch.hpp>

using namespace greenroom;

TEST_CASE("sizes are whole numbers of bytes or of a binary unit") {
  CHECK(parse_size("100") == 100);
  CHECK(parse_size("0") == 0);
  CHECK(parse_size("512KiB") == 524'288);
  CHECK(parse_size("1MiB") == 1'048'576);
  CHECK(parse_size("2GiB") == 2'147'483'648);
  CHECK(parse_size("1TiB") == 1'099'511'627'776);
}

TEST_CASE("other spellings of sizes are refused") {
  auto bad = GENERATE("", "MiB", "1MB", "1kB", "1 MiB", "1mib", "1.5GiB", "-1",
                      "+1", "0x10", "1MiBs", " 1", "9223372036854775808",
                      "9007199254740992KiB", "99999999999999999999999");
  CAPTURE(bad);
  CHECK_FALSE(parse_size(bad));
}

TEST_CASE("sizes are written in the largest unit that leaves them whole") {
  CHECK(format_size(0) == "0");
  CHECK(format_size(1'000) == "1000");
  CHECK(format_size(1'024) == "1KiB");
  CHECK(format_size(1'048'577) == "1048577");
  CHECK(format_size(std::uint64_t{3} << 29) == "1536MiB");
  CHECK(format_size(std::uint64_t{1} << 40) == "1TiB");
}
