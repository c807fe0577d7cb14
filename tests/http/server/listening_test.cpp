#include "http/server/listening.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>

using namespace greenroom::http;

TEST_CASE("connections of all kinds do not need more descriptors than there "
          "are") {
  const bool clustered = GENERATE(false, true);
  const std::uint64_t whole = clustered ? 4 : 2;
  const std::uint64_t pair = clustered ? 3 : 1;
  INFO("in a cluster: " << clustered);
  for (std::uint64_t all :
       {16, 100, 256, 400, 1024, 4096, 20'000, 30'000, 65'536, 1'000'000}) {
    INFO(all);
    auto budget = budget_of(all, 16'384, clustered);
    CHECK(budget.api > 0);
    CHECK(budget.git > 0);
    CHECK(budget.previews > 0);
    CHECK(budget.api + pair * budget.pairs + 3 * budget.arriving
            + whole * (budget.git + budget.previews)
          <= all - all / 4);
    CHECK((budget.arriving > 0) == clustered);
    CHECK(budget.runners > 0);
    CHECK(budget.runners <= std::max<std::uint64_t>(all / 8, 1));
    // It has the most of them.
    CHECK((budget.api == 16'384 || budget.api >= all / 2
           || (clustered && (all <= 100 || budget.api >= all * 5 / 16))));
  }
  auto all = std::numeric_limits<std::uint64_t>::max();
  CHECK(budget_of(all, 16'384, clustered).api == 16'384);
  CHECK(budget_of(all, 16'384, clustered).git == 512);
  CHECK(budget_of(all, 16'384, clustered).previews == 8192);
  // What the API does not want is there for previews.
  CHECK(budget_of(20'000, 1000, clustered).previews
        > budget_of(20'000, 16'384, clustered).previews);
  CHECK(budget_of(0, 10, clustered).api == 1);
}

TEST_CASE("it is known how many descriptors the connections need") {
  const bool clustered = GENERATE(false, true);
  for (std::size_t wanted : {1, 10, 300, 5000, 16'384, 1'000'000}) {
    auto enough = descriptors_for(wanted, clustered);
    CHECK(budget_of(enough, wanted, clustered).api == wanted);
    if (wanted > 1)
      CHECK(budget_of(enough - 1, wanted, clustered).api < wanted);
  }
}
