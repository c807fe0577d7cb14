// What git-lfs says of an upstream's LFS, whose words it repeats.
#include "runtime/git/mirror/lfs_reason.hpp"
#include "tests/support/fuzz_effort.hpp"
#include "tests/support/mutations.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <random>
#include <string>
#include <string_view>
#include <vector>

using namespace greenroom;
using namespace greenroom::git;

namespace {

const std::string smudge =
  "Downloading big.bin (7 B)\nError downloading object: big.bin (aaaa): "
  "Smudge error: Error downloading big.bin (aaaa): [404] Object does not exist "
  "on the server\n\nErrors logged to '/srv/x/lfs/logs/1.log'.\n";

} // namespace

TEST_CASE("the reason of git-lfs is the upstream's") {
  CHECK(lfs_reason(smudge) == "[404] Object does not exist on the server");
  CHECK(lfs_reason("batch response: Rate limit exceeded\nerror: x\n")
        == "batch response: Rate limit exceeded");
  CHECK(lfs_reason(" \n") == "git-lfs does not say why");
  CHECK(lfs_reason("") == "git-lfs does not say why");
  CHECK(lfs_reason("at https://me:s3cret@host/x") == "at https://***@host/x");
}

TEST_CASE("a reason of git-lfs's is short, and whole to its last character") {
  CHECK(lfs_reason(std::string(100'000, 'x')).size() == max_lfs_reason);
  auto cut = lfs_reason(std::string(max_lfs_reason - 1, 'x') + "\u00e9");
  CHECK(cut == std::string(max_lfs_reason - 1, 'x'));
  // The password ends where the reason is over.
  auto url = "https://me:" + std::string(2 * max_lfs_reason, 's') + "@host/";
  CHECK(lfs_reason(url) == "https://***@host/");
}

TEST_CASE("no words of an upstream's LFS make more than part of a sentence") {
  test::fuzz_effort effort{5'000};
  std::mt19937 random{effort.seed()};
  const std::vector<std::string> seeds{
    smudge, "Smudge error: ): https://a:b@c@d/e: why\r\n",
    "batch response: \xc3\xa9\xf0\x9f\x98\x80 https://u:p@host:1/x\n",
    std::string(max_lfs_reason - 2, 'x') + "\xf0\x9f\x98\x80"};
  const std::string_view letters{"\0\x1b\x7f\r\n\t :/@?#)\xc3\xff"
                                 "Smudge error: a",
                                 30};
  int said = 0;
  while (effort.next()) {
    auto bytes = test::mutated(seeds[random() % seeds.size()], random, letters);
    auto reason = lfs_reason(bytes);
    REQUIRE_FALSE(reason.empty());
    REQUIRE(reason.size() <= max_lfs_reason);
    REQUIRE(std::ranges::none_of(
      reason, [](unsigned char c) { return c < 0x20 || c == 0x7f; }));
    if (auto at = reason.find("://"); at != reason.npos) {
      auto host = reason.substr(at + 3, reason.find_first_of("/?# '\"", at + 3)
                                          - (at + 3));
      auto sign = host.rfind('@');
      REQUIRE((sign == host.npos || host.substr(0, sign) == "***"));
    }
    said += reason != "git-lfs does not say why";
  }
  CHECK(said > 0);
}
