#include "http/server/listening.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <cstdint>
#include <limits>

using namespace greenroom::http;

TEST_CASE("connections of all kinds do not need more descriptors than there "
          "are") {
  for (std::uint64_t all :
       {16, 100, 256, 400, 1024, 4096, 20'000, 30'000, 65'536, 1'000'000}) {
    INFO(all);
    auto budget = budget_of(all, 16'384);
    CHECK(budget.api > 0);
    CHECK(budget.git > 0);
    CHECK(budget.previews > 0);
    CHECK(budget.api + budget.pairs + 2 * budget.git + 2 * budget.previews
          <= all - all / 4);
    CHECK(budget.runners > 0);
    CHECK(budget.runners <= std::max<std::uint64_t>(all / 8, 1));
    // It has the most of them.
    CHECK((budget.api == 16'384 || budget.api >= all / 2));
  }
  auto all = std::numeric_limits<std::uint64_t>::max();
  CHECK(budget_of(all, 16'384).api == 16'384);
  CHECK(budget_of(all, 16'384).git == 512);
  CHECK(budget_of(all, 16'384).previews == 8192);
  // What the API does not want is there for previews.
  CHECK(budget_of(20'000, 1000).previews > budget_of(20'000, 16'384).previews);
  CHECK(budget_of(0, 10).api == 1);
}

TEST_CASE("it is known how many descriptors the connections need") {
  for (std::size_t wanted : {1, 10, 300, 5000, 16'384, 1'000'000}) {
    auto enough = descriptors_for(wanted);
    CHECK(budget_of(enough, wanted).api == wanted);
    if (wanted > 1)
      CHECK(budget_of(enough - 1, wanted).api < wanted);
  }
}
