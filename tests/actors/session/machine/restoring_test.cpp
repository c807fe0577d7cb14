// How a session that another node had gets its checkout again, and what becomes
// of those who need it meanwhile.
#include "actors/session/machine/recover.hpp"
#include "tests/actors/session/machine/fixture.hpp"

#include <catch2/catch.hpp>

#include <string>

using namespace greenroom;
using namespace greenroom::session;

namespace {

const refusal away{errc::unavailable, "no upstream"};

state moved_session(session_status status = session_status::active) {
  auto s = new_session(status);
  s.record.token_hash = "hash";
  s.roams = true;
  past what;
  what.elsewhere = true;
  recover(s, what);
  REQUIRE(s.installing);
  return s;
}

state begun_session() {
  auto s = moved_session();
  auto begun = session::apply(s, event::begin{});
  REQUIRE(find<effect::await_turn>(begun));
  CHECK_FALSE(find<effect::await_turn>(begun)->urgent);
  CHECK_FALSE(find<effect::begin_checkout>(begun));
  return s;
}

// Plays line, git and disk.
effects restore(state& s) {
  REQUIRE(find<effect::begin_checkout>(session::apply(s, event::turn_came{})));
  REQUIRE(
    find<effect::finish_checkout>(session::apply(s, event::checkout_made{})));
  auto there = session::apply(s, event::checkout_installed{birth});
  REQUIRE(find<effect::end_turn>(there));
  CHECK(s.restore == restoring::no);
  return there;
}

effects fail_once(state& s) {
  REQUIRE(find<effect::begin_checkout>(session::apply(s, event::turn_came{})));
  auto failed = session::apply(s, event::restore_failed{away, birth});
  REQUIRE(find<effect::end_turn>(failed));
  return failed;
}

// Ends it, whose work is in its checkpoint.
void end_by_delete(state& s, ticket who) {
  auto asked = session::apply(s, event::terminate_asked{who, false, {}, birth});
  CHECK(find<effect::end_turn>(asked));
  REQUIRE(find<effect::stop_runner>(asked));
  CHECK_FALSE(s.installing);
  REQUIRE(find<effect::begin_rescue>(
    session::apply(s, event::runner_gone{"", birth})));
  auto told = store(s, session::apply(s, event::rescue_saved{{}, birth, "x"}));
  CHECK(find<effect::answer_terminated>(told)->who == who);
  CHECK(s.record.status == session_status::terminated);
  CHECK(s.record.rescue_note == "x");
}

} // namespace

TEST_CASE("a session that moved lives before its checkout is restored") {
  auto s = begun_session();
  auto longer = session::apply(s, event::extend_asked{1, hour, birth});
  CHECK(find<effect::answer_session>(store(s, longer))->who == 1);
  restore(s);
  CHECK(find<effect::keep_exec>(
    session::apply(s, event::exec_asked{2, command("a"), 1})));
  CHECK(s.unexpected == 0);
}

TEST_CASE("who needs a checkout has it restored next, and waits for it") {
  auto s = begun_session();
  auto asked = session::apply(s, event::exec_asked{1, command("a"), 1});
  CHECK(find<effect::await_turn>(asked)->urgent);
  CHECK(find<effect::limit_wait>(asked)->who == 1);
  CHECK_FALSE(find<effect::keep_exec>(asked));
  // Once is enough.
  auto more = session::apply(s, event::question_asked{2});
  CHECK_FALSE(find<effect::await_turn>(more));
  CHECK(find<effect::limit_wait>(more)->who == 2);
  CHECK(find<effect::limit_wait>(
          session::apply(s, event::transfer_asked{3, "hash"}))
          ->who
        == 3);
  auto there = restore(s);
  CHECK(find<effect::keep_exec>(there)->exec.spec.exec_id == "a");
  CHECK(find<effect::answer_transfer>(there)->who == 3);
  CHECK(find<effect::answer_question>(there)->who == 2);
  CHECK_FALSE(is_needed(s));
}

TEST_CASE("who waits for a checkout hears in the end that nothing was done") {
  auto s = begun_session();
  session::apply(s, event::exec_asked{1, command("a"), 1, true});
  session::apply(s, event::question_asked{2});
  session::apply(s, event::transfer_asked{3, "hash"});
  session::apply(s, event::checkin_asked{4});
  // The time that the command has is over: it has not even begun.
  CHECK(session::apply(s, event::wait_ended{1, 2}).empty());
  fail_once(s);
  for (ticket who : {1, 2, 3, 4}) {
    auto told = session::apply(s, event::checkout_wait_over{who});
    CHECK(refused_with(told, who, errc::unavailable));
    CHECK(find<effect::answer_refused>(told)->why.message.find("no upstream")
          != std::string::npos);
    CHECK(session::apply(s, event::checkout_wait_over{who}).empty());
  }
  CHECK(s.questions == 0);
  CHECK_FALSE(is_needed(s));
}

TEST_CASE("a restore that failed is tried again, later each time") {
  auto s = begun_session();
  millis last = 0;
  for (int i = 0; i < 9; ++i) {
    auto pause = find<effect::pause_restore>(fail_once(s))->pause;
    CHECK(pause == (i < 6 ? 1000 << i : 60'000));
    CHECK(pause >= last);
    last = pause;
    CHECK_FALSE(
      find<effect::await_turn>(session::apply(s, event::pause_over{}))->urgent);
  }
  CHECK(s.restore_problem == "no upstream");
  fail_once(s);
  // Whoever needs it does not wait for that.
  auto asked = session::apply(s, event::exec_asked{1, command("a"), 1});
  CHECK(find<effect::await_turn>(asked)->urgent);
  CHECK(session::apply(s, event::pause_over{}).empty());
  CHECK(find<effect::pause_restore>(fail_once(s))->pause == 2000);
  CHECK(
    find<effect::await_turn>(session::apply(s, event::pause_over{}))->urgent);
  CHECK(find<effect::keep_exec>(restore(s)));
  CHECK(s.restore_problem.empty());
  CHECK(s.unexpected == 0);
}

TEST_CASE("a session that is not restored ends with its checkpoint") {
  auto s = begun_session();
  SECTION("while it waits for its turn") {}
  SECTION("while it is not tried again") {
    fail_once(s);
  }
  session::apply(s, event::exec_asked{1, command("a"), 1});
  end_by_delete(s, 9);
  CHECK(s.unexpected == 0);
}

TEST_CASE("who needed a checkout hears that its session is ended") {
  auto s = begun_session();
  session::apply(s, event::question_asked{1});
  CHECK(refused_with(session::apply(s, event::terminate_asked{9}), 1,
                     errc::unavailable));
}

TEST_CASE("an end waits for git, and not for another try") {
  auto s = begun_session();
  session::apply(s, event::turn_came{});
  session::apply(s, event::terminate_asked{9});
  CHECK(session::apply(s, event::runner_gone{"", birth}).empty());
  SECTION("it failed") {
    CHECK(find<effect::begin_rescue>(
      session::apply(s, event::restore_failed{away, birth})));
    CHECK(s.unmade);
  }
  SECTION("it cannot be done") {
    CHECK(find<effect::begin_rescue>(session::apply(
      s, event::checkout_failed{{errc::conflict, "odd"}, birth})));
    CHECK(s.unmade);
  }
  SECTION("it is done") {
    session::apply(s, event::checkout_made{});
    CHECK(find<effect::begin_rescue>(
      session::apply(s, event::checkout_installed{birth})));
    CHECK_FALSE(s.unmade);
  }
  CHECK(s.restore == restoring::no);
}

TEST_CASE("a checkout that can never be restored fails the session, whose work "
          "is kept") {
  auto s = begun_session();
  session::apply(s, event::exec_asked{1, command("a"), 1});
  session::apply(s, event::turn_came{});
  auto failed =
    session::apply(s, event::checkout_failed{{errc::conflict, "odd"}, birth});
  CHECK(refused_with(failed, 1, errc::conflict, "odd"));
  CHECK(find<effect::end_turn>(failed));
  CHECK(find<effect::begin_rescue>(
    session::apply(s, event::runner_gone{"", birth})));
}

TEST_CASE("a check-in begins once the checkout is restored") {
  auto s = begun_session();
  auto asked = session::apply(s, event::checkin_asked{1, {"key", "Ada"}, "m"});
  CHECK_FALSE(find<effect::persist>(asked));
  CHECK(find<effect::await_turn>(asked)->urgent);
  auto there = restore(s);
  CHECK(find<effect::persist>(there)->next.status
        == session_status::checking_in);
}

TEST_CASE("a check-in that was cut off waits for the checkout, unless the "
          "session is to end") {
  auto s = moved_session(session_status::checking_in);
  CHECK(find<effect::await_turn>(session::apply(s, event::begin{}))->urgent);
  CHECK(session::apply(s, event::runner_gone{"", birth}).empty());
  fail_once(s);
  SECTION("it is done in the end") {
    CHECK(
      find<effect::await_turn>(session::apply(s, event::pause_over{}))->urgent);
    CHECK(find<effect::begin_checkin>(restore(s)));
  }
  SECTION("it is ended") {
    session::apply(s, event::checkin_asked{4, {}, "", false, false, true});
    auto ended = session::apply(s, event::terminate_asked{5, false, {}, birth});
    CHECK(refused_with(ended, 4, errc::unavailable));
    CHECK(find<effect::begin_rescue>(ended));
    auto told = store(s, session::apply(s, event::rescue_saved{{}, birth}));
    CHECK(find<effect::answer_terminated>(told)->who == 5);
    CHECK(s.record.status == session_status::terminated);
  }
  CHECK(s.unexpected == 0);
}

TEST_CASE("a session that expires needs its checkout for a check-in only") {
  auto s = begun_session();
  SECTION("its work is kept") {
    s.record.expiry = on_expire::rescue;
    session::apply(s, event::tick{birth + 100 * hour});
    CHECK(find<effect::begin_rescue>(
      session::apply(s, event::runner_gone{"", birth})));
  }
  SECTION("it is checked in") {
    s.record.expiry = on_expire::checkin;
    CHECK(find<effect::await_turn>(
            session::apply(s, event::tick{birth + 100 * hour}))
            ->urgent);
    CHECK(session::apply(s, event::runner_gone{"", birth}).empty());
    SECTION("once it is restored") {
      CHECK(find<effect::begin_checkin>(restore(s)));
    }
    SECTION("or ended before") {
      CHECK(find<effect::begin_rescue>(
        session::apply(s, event::terminate_asked{5, false, {}, birth})));
    }
  }
}

TEST_CASE("a session that is not restored goes on to another node as it is") {
  auto s = begun_session();
  CHECK(what_goes_on(s).empty());
  SECTION("but for one whose checkout is needed") {
    session::apply(s, event::exec_asked{1, command("a"), 1});
    CHECK(what_goes_on(s) == "its checkout is being restored");
    auto left = session::apply(s, event::leave_asked{"drained", birth});
    CHECK(refused_with(left, 1, errc::unavailable));
    CHECK(what_goes_on(s).empty());
    return;
  }
  SECTION("or is being made") {
    session::apply(s, event::turn_came{});
    session::apply(s, event::exec_asked{1, command("a"), 1});
    CHECK(what_goes_on(s) == "its checkout is being restored");
    session::apply(s, event::leave_asked{"drained", birth});
    auto failed = session::apply(s, event::restore_failed{away, birth});
    CHECK(refused_with(failed, 1, errc::unavailable));
    CHECK_FALSE(find<effect::pause_restore>(failed));
    CHECK(what_goes_on(s).empty());
    CHECK(find<effect::await_turn>(session::apply(s, event::stay_asked{})));
    return;
  }
  SECTION("or is not tried again yet") {
    fail_once(s);
    CHECK(what_goes_on(s).empty());
  }
  CHECK(
    find<effect::end_turn>(session::apply(s, event::leave_asked{{}, birth})));
  CHECK(what_goes_on(s).empty());
  // A turn that was on its way is given back.
  auto late = session::apply(s, event::turn_came{});
  CHECK(find<effect::end_turn>(late));
  CHECK_FALSE(find<effect::begin_checkout>(late));
  CHECK(refused_with(session::apply(s, event::question_asked{1}), 1,
                     errc::unavailable));
  CHECK(session::apply(s, event::pause_over{}).empty());
  CHECK(find<effect::await_turn>(session::apply(s, event::stay_asked{})));
  restore(s);
}

TEST_CASE("too many requests do not wait for a checkout") {
  auto s = begun_session();
  ticket who = 0;
  while (!find<effect::answer_refused>(session::apply(
    s, event::exec_asked{++who, command(std::to_string(who)), 1})))
    REQUIRE(who < 1000);
  CHECK(who == 65);
  CHECK(s.early_execs.size() == 64);
}

TEST_CASE("of a session of this node alone the checkout is made at once") {
  auto s = new_session(session_status::active);
  recover(s, {});
  REQUIRE(s.installing);
  CHECK(find<effect::begin_checkout>(session::apply(s, event::begin{})));
}
