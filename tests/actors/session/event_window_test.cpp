// What is on its way to a watcher that is slow.
#include "actors/session/event_window.hpp"

#include "messages/relay.hpp"
#include "tests/actors/session/requests.hpp"
#include "tests/actors/small_node.hpp"

#include <caf/actor_cast.hpp>
#include <caf/scoped_actor.hpp>
#include <catch2/catch.hpp>

using namespace greenroom;
using greenroom::test::json_of;
using greenroom::test::on_branch;
using greenroom::test::shell;
using greenroom::test::small_node;

TEST_CASE("a window is full, and open again once half of it is taken") {
  event_window window{100};
  CHECK(window.admit(1, 60));
  CHECK(window.admit(2, 60));
  CHECK_FALSE(window.admit(3, 1));
  CHECK(window.weight() == 120);
  CHECK_FALSE(window.taken(0));
  CHECK_FALSE(window.taken(1)); // 60 are left
  CHECK_FALSE(window.admit(4, 1));
  CHECK(window.taken(2));
  CHECK(window.weight() == 0);
  CHECK_FALSE(window.taken(2)); // once
  CHECK(window.admit(5, 10));
  // What it has never been kept from needs no word.
  CHECK_FALSE(window.taken(5));
}

namespace {

/// What somebody has been sent who takes nothing.
struct heap {
  std::size_t weight = 0;
  std::uint64_t last = 0;

  void take_all(caf::scoped_actor& self) {
    auto more = true;
    while (more)
      self->receive(
        [&](const event_batch& batch) {
          weight += weight_of(batch);
          last = batch.last;
        },
        caf::after(std::chrono::milliseconds{0}) >> [&] { more = false; });
  }
};

watcher_actor watcher_of(caf::scoped_actor& self) {
  return caf::actor_cast<watcher_actor>(caf::actor{self});
}

} // namespace

TEST_CASE("a watcher that takes nothing is sent a window, and then where the "
          "session is") {
  small_node node;
  auto handle = node.find(node.create(on_branch("work")));
  caf::scoped_actor slow{node.system()};
  caf::scoped_actor usual{node.system()};
  auto relay = caf::actor_cast<relayed_actor>(handle);
  for (auto* self : {&slow, &usual})
    node.ask<watch_reply>(handle, watch_session{watcher_of(*self), 0, true});
  slow->send(relay, taken_events{watcher_of(slow), 0});
  auto command = shell("yes 'a line that is long enough' | head -c 6000000");
  command.wait = 60'000;
  auto exec = json_of(node.ask<exec_view>(handle, std::move(command)));
  REQUIRE(exec["exit_code"] == 0);
  heap of_usual;
  test::await("the end of the command", [&] {
    of_usual.take_all(usual);
    return of_usual.weight > 6'000'000;
  });
  heap of_slow;
  of_slow.take_all(slow);
  CHECK(of_slow.weight >= relay_window);
  CHECK(of_slow.weight < 2 * relay_window);
  slow->send(relay, taken_events{watcher_of(slow), of_slow.last});
  event_batch where;
  slow->receive([&](const event_batch& batch) { where = batch; },
                caf::after(test::timeout) >> [] { CHECK(false); });
  CHECK(where.text.view().empty());
  CHECK(where.after == where.last);
  CHECK(where.last > of_slow.last);
  // And it is sent events again.
  node.ask<exec_view>(handle, shell("true"));
  slow->receive(
    [&](const event_batch& batch) { CHECK(batch.after == where.last); },
    caf::after(test::timeout) >> [] { CHECK(false); });
}
