// A hostile tenant does at random what is known to hurt, beside an honest one:
// every request of the honest one is answered, and afterwards nothing is left:
// no descriptor, no memory, no process, no control group, no directory.
//
// GREENROOM_HOSTILE_SEED=N plays the same attacks again,
// GREENROOM_HOSTILE_SECONDS=N for so long.
#include "tests/soak/hostile/as_before.hpp"
#include "tests/soak/hostile/honest_tenant.hpp"
#include "tests/soak/hostile/hostile_tenant.hpp"
#include "tests/soak/size.hpp"
#include "tests/support/process_figures.hpp"

#include <chrono>
#include <cstdlib>
#include <random>

using namespace greenroom::test;

TEST_CASE("a hostile tenant harms no honest one, and leaves nothing") {
  using timer = std::chrono::steady_clock;
  const auto output = how_many(64ULL << 20, 2ULL << 30);
  auto* wanted = std::getenv("GREENROOM_HOSTILE_SEED");
  auto seed = wanted       ? std::strtoull(wanted, nullptr, 10)
              : for_long() ? std::random_device{}()
                           : 20'261'128ULL;
  WARN("GREENROOM_HOSTILE_SEED=" << seed);
  node_process node{
    {.set = {"sandbox.memory=512MiB", "sandbox.pids=256",
             "sessions.keep_output=" + std::to_string(output),
             how_many("sandbox.disk=16MiB", "sandbox.disk=256MiB"),
             how_many("sandbox.files=4000", "sandbox.files=20000")}}};
  honest_tenant user{node};
  hostile_tenant attacker{node, seed};
  // What is made once is made now.
  attacker.attack_in_every_way();
  const auto memory =
    settled_memory(node, std::chrono::seconds{how_many(3, 65)});
  const as_before before{node, user.session_id()};
  auto* seconds = std::getenv("GREENROOM_HOSTILE_SECONDS");
  auto until =
    timer::now()
    + std::chrono::seconds{seconds ? std::strtoull(seconds, nullptr, 10)
                                   : how_many(5ULL, 3600ULL)};
  int attacks = 0;
  while (timer::now() < until) {
    attacker.attack();
    ++attacks;
  }
  attacker.let_go();
  before.check(attacker.ids());
  check_memory(node, memory);
  check_output(node, user.session_id(), output);
  user.stop();
  WARN(attacks << " attacks, " << user.asked() << " honest requests, p99 "
               << user.p99_ms() << " ms; " << memory << " KiB before, "
               << resident_kib(node.pid()) << " KiB after");
  user.check_answers();
}
