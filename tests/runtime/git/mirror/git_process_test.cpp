// What the server's own calls of git may take.
#include "runtime/git/mirror/git_process.hpp"

#include <catch2/catch.hpp>

#include <chrono>
#include <cstdint>

TEST_CASE("a call of git has time for the bytes that go through it") {
  using greenroom::git::time_for;
  using std::chrono::seconds;
  CHECK(time_for(0) == seconds{0});
  CHECK(time_for(std::uint64_t{2} << 30) == seconds{256});
  CHECK(time_for(std::uint64_t{4} << 30) == seconds{512}); // one file's most
  // Less than a worker is given up after, whatever a session has made.
  CHECK(time_for(std::uint64_t{64} << 30) == seconds{600});
  CHECK(time_for(~std::uint64_t{0}) == seconds{600});
}
