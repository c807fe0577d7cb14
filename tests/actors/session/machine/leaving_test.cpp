// How a session comes to rest before it goes to another node.
#include "tests/actors/session/machine/fixture.hpp"

#include <catch2/catch.hpp>

#include <string>

using namespace greenroom;
using namespace greenroom::session;

namespace {

constexpr const char* moved =
  "the session is being moved to another node, try again in a moment";
constexpr const char* drained = "node a was drained";

exec_outcome killed() {
  exec_outcome outcome;
  outcome.status = exec_status::canceled;
  outcome.signal = 15;
  return outcome;
}

} // namespace

TEST_CASE("what keeps a session where it is") {
  auto s = active_session();
  s.record.token_hash = "hash";
  CHECK(what_goes_on(s).empty());
  SECTION("a command, to the last of its output") {
    ask(s, 1, command("a"));
    CHECK(what_goes_on(s) == "a command runs");
    begin_exec(s, "a");
    ask(s, 2, command("b"));
    CHECK(what_goes_on(s) == "2 commands run");
    end_exec(s, "b", exit_with(0));
    session::apply(s, event::exec_done{"a", exit_with(0)});
    CHECK(what_goes_on(s) == "a command runs");
    session::apply(s, event::exec_announced{"a", true, 1});
  }
  SECTION("one that is being written down, and one that waits") {
    session::apply(s, event::exec_asked{1, command("a"), 1});
    CHECK(what_goes_on(s) == "a command runs");
    session::apply(s, event::exec_unkept{"a", {errc::unavailable, "full"}, 1});
  }
  SECTION("a push") {
    session::apply(s, event::transfer_asked{1, "hash"});
    CHECK(what_goes_on(s) == "a clone or push goes on");
    session::apply(s, event::transfer_over{1});
  }
  SECTION("a change that the store has not yet") {
    auto asked = session::apply(s, event::extend_asked{1, hour, birth});
    CHECK(what_goes_on(s) == "a change of it is being stored");
    store(s, asked);
  }
  CHECK(what_goes_on(s).empty());
  CHECK(what_goes_on(new_session()) == "it is being made");
  CHECK(what_goes_on(new_session(session_status::ended)).empty());
  session::apply(s, event::terminate_asked{9});
  CHECK(what_goes_on(s) == "it is being ended");
}

TEST_CASE("a session that leaves takes no work, and takes it again if it "
          "stays") {
  auto s = active_session();
  s.record.token_hash = "hash";
  CHECK(session::apply(s, event::leave_asked{{}, birth}).empty());
  CHECK(refused_with(ask(s, 1, command("a")), 1, errc::unavailable, moved));
  for (const auto& what : {any_event{event::extend_asked{2, hour, birth}},
                           any_event{event::checkin_asked{2}},
                           any_event{event::terminate_asked{2}},
                           any_event{event::rotate_asked{2, "h"}},
                           any_event{event::transfer_asked{2, "hash"}}})
    CHECK(refused_with(session::apply(s, what), 2, errc::unavailable, moved));
  // Its deadline is the next node's to keep.
  CHECK(session::apply(s, event::tick{birth + 100 * hour}).empty());
  CHECK(s.unexpected == 0);

  auto stays = session::apply(s, event::stay_asked{});
  CHECK(find<effect::arm>(stays)->at == next_deadline(s.record));
  CHECK(find<effect::spawn_exec>(ask(s, 3, command("a")))->exec_id == "a");
  CHECK(session::apply(s, event::stay_asked{}).empty());
}

TEST_CASE("at the deadline what runs is ended as lost, and what waits as "
          "canceled") {
  auto s = active_session();
  for (auto id : {"a", "b", "waits"})
    ask(s, 0, command(id));
  begin_exec(s, "a");
  begin_exec(s, "b");
  session::apply(s, event::exec_asked{1, command("late"), 1});
  auto left = session::apply(s, event::leave_asked{drained, 7});
  CHECK(count<effect::kill_exec>(left) == 2);
  CHECK(find<effect::end_transfers>(left));
  CHECK(s.execs.at("waits").status == exec_status::canceled);
  CHECK(s.execs.at("waits").outcome.reason == drained);
  session::apply(s, event::exec_announced{"waits", true, 7});
  // What was being written down never begins either.
  session::apply(s, event::exec_kept{"late", 8});
  CHECK(s.execs.at("late").status == exec_status::canceled);
  session::apply(s, event::exec_announced{"late", true, 8});

  CHECK(what_goes_on(s) == "2 commands run");
  end_exec(s, "a", killed());
  CHECK(s.execs.at("a").status == exec_status::lost);
  CHECK(s.execs.at("a").outcome.reason == drained);
  // One that has come to its own end has that.
  end_exec(s, "b", exit_with(3));
  CHECK(s.execs.at("b").outcome.exit_code == 3);
  CHECK(what_goes_on(s).empty());
  CHECK(s.unexpected == 0);
}

TEST_CASE("what the runner does not have yet at the deadline never begins") {
  auto s = active_session();
  s.runner = runner_state::absent;
  ask(s, 1, command("a"), true);
  auto left = session::apply(s, event::leave_asked{drained, 7});
  CHECK(find<effect::publish_exec>(left)->exec_id == "a");
  CHECK(s.execs.at("a").status == exec_status::canceled);
  CHECK(find<effect::answer_exec>(
          session::apply(s, event::exec_announced{"a", true, 7}))
          ->who
        == 1);
  CHECK(what_goes_on(s).empty());
}
