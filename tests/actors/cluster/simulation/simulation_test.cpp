// The actors of three nodes, with all that they stand on played by chance:
// links, store, disks, runners, clients, clocks. Whatever happens, a session
// has one owner, and what was acknowledged is not lost.
//
// A seed is a history. One that fails is named, and played again with the log
// of its actors by
//
//   GREENROOM_SEED=N ./dev test actors/cluster/simulation
//
// GREENROOM_SEEDS=N plays so many; `./dev soak` does with ten thousand.
#include "tests/actors/cluster/simulation/many_seeds.hpp"
#include "tests/actors/cluster/simulation/world.hpp"

#include <catch2/catch.hpp>
#include <spdlog/spdlog.h>

#include <cstdlib>
#include <string>

using namespace greenroom::simulation;

namespace {

#ifdef __SANITIZE_ADDRESS__ // which is slow
constexpr std::uint64_t usual_seeds = 500;
#else
constexpr std::uint64_t usual_seeds = 10'000;
#endif

std::uint64_t number(const char* variable, std::uint64_t otherwise) {
  auto* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

const std::uint64_t only = number("GREENROOM_SEED", 0);

/// What was wrong in it, or nothing.
std::string play(std::uint64_t seed, flaws planted = {}) {
  return world{seed, planted}.run();
}

std::uint64_t draw_after(std::uint64_t seed) {
  world one{seed, {}};
  one.run();
  return one.next_draw();
}

} // namespace

TEST_CASE("whatever happens to a cluster, a session has one owner") {
  if (only != 0) {
    CHECK(play(only) == "");
    return;
  }
  spdlog::set_level(spdlog::level::off);
  auto failed = find_failure(number("GREENROOM_SEEDS", usual_seeds),
                             [](std::uint64_t seed) { return play(seed); });
  if (failed)
    FAIL(failed->wrong << "\nagain, with a log: GREENROOM_SEED=" << failed->seed
                       << " ./dev test actors/cluster/simulation");
}

// Without the flaw nothing is wrong in that history.
TEST_CASE("what could be wrong with owners would be seen") {
  if (only != 0)
    return;
  auto [name, planted] = GENERATE(table<std::string, flaws>(
    {{"no epoch check", {.no_epoch_check = true}},
     {"early takeover", {.early_takeover = true}},
     {"renewed after a pause", {.renewed_after_pause = true}},
     {"always speaks", {.always_speaks = true}},
     {"seq starts anew", {.seq_starts_anew = true}},
     {"no constraints", {.no_constraints = true}}}));
  spdlog::set_level(spdlog::level::off);
  auto found = find_failure(1'000, [flaw = planted](std::uint64_t seed) {
    auto wrong = play(seed, flaw);
    return wrong.empty() || play(seed).empty() ? wrong : std::string{};
  });
  if (!found)
    FAIL(name << " is found by none of a thousand seeds");
  INFO(name << " is found by seed " << found->seed << ": " << found->wrong);
  CHECK_FALSE(found->crashed);
}

TEST_CASE("a seed always gives the same history") {
  if (only != 0)
    return;
  spdlog::set_level(spdlog::level::off);
  auto failed = find_failure(100, [](std::uint64_t seed) {
    return draw_after(seed) == draw_after(seed) ? std::string{} : "it differs";
  });
  if (failed)
    FAIL("seed " << failed->seed << ": " << failed->wrong);
}
