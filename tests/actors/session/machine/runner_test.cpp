// The runner: started when something is to run, found again, lost, stopped.
#include "tests/actors/session/machine/fixture.hpp"

#include <catch2/catch.hpp>

#include <string>

using namespace greenroom;
using namespace greenroom::session;

namespace {

state without_runner() {
  auto s = active_session();
  s.runner = runner_state::absent;
  return s;
}

// One that runs, in a session that was just revived.
state looking_for_runner() {
  auto s = active_session();
  exec_spec spec = command("a");
  spec.stdin_open = true;
  ask(s, 1, spec);
  begin_exec(s, "a");
  s.runner = runner_state::asked;
  return s;
}

} // namespace

TEST_CASE("the runner is started once, by the first exec") {
  auto s = without_runner();
  CHECK(find<effect::start_runner>(ask(s, 1, command("a"))));
  CHECK(ask(s, 2, command("b")).empty());
  auto up = session::apply(s, event::runner_found{});
  CHECK(count<effect::spawn_exec>(up) == 2);
  CHECK(find<effect::spawn_exec>(up)->exec_id == "a");
  CHECK(session::apply(s, event::runner_found{{{"a", 0}, {"b", 0}}}).empty());
}

TEST_CASE("a runner that cannot be started refuses what was to run") {
  auto s = without_runner();
  ask(s, 1, command("a"));
  auto gone = session::apply(s, event::runner_gone{"no memory", 7});
  CHECK(refused_with(gone, 1, errc::unavailable,
                     "the session's runner cannot be started: no memory"));
  CHECK(s.execs.at("a").status == exec_status::canceled);
  CHECK(s.execs.at("a").outcome.ended_at == 7);
  CHECK(s.running == 0);
  // The next exec tries it again.
  CHECK(find<effect::start_runner>(ask(s, 2, command("b"))));
}

TEST_CASE("where no runner survived, one is started for what waits") {
  auto s = without_runner();
  s.runner = runner_state::asked; // to be found
  CHECK(ask(s, 1, command("a")).empty());
  CHECK(
    find<effect::start_runner>(session::apply(s, event::runner_gone{"", 1})));
  CHECK(find<effect::spawn_exec>(session::apply(s, event::runner_found{})));
}

TEST_CASE("what a runner does not know any more is settled by its files") {
  auto s = looking_for_runner();
  SECTION("it is found again and knows nothing of it") {
    auto found = session::apply(s, event::runner_found{});
    CHECK(find<effect::settle_exec>(found)->exec_id == "a");
  }
  SECTION("it is gone") {
    auto gone = session::apply(s, event::runner_gone{"", 1});
    CHECK(find<effect::settle_exec>(gone)->reason
          == "the session's runner is gone");
  }
  auto ended = session::apply(s, event::exec_exited{"a", 3, exit_with(4)});
  CHECK(find<effect::finish_output>(ended)->records == 3);
  // Whoever else says so comes late.
  CHECK(session::apply(s, event::exec_exited{"a", 9, {}}).empty());
  end_exec(s, "a", exit_with(4));
  CHECK(s.execs.at("a").outcome.exit_code == 4);
  CHECK(s.runs.empty());
}

TEST_CASE("what a runner runs that nobody asked for is killed") {
  auto s = looking_for_runner();
  auto found = session::apply(s, event::runner_found{{{"a", 5}, {"b", 5}}});
  REQUIRE(found.size() == 1);
  CHECK(find<effect::kill_exec>(found)->exec_id == "b");
}

TEST_CASE("a cancel reaches an exec whose runner is yet to be found") {
  auto s = looking_for_runner();
  CHECK(session::apply(s, event::cancel_asked{2, "a", 1}).empty());
  auto found = session::apply(s, event::runner_found{{{"a", 5}}});
  CHECK(find<effect::kill_exec>(found)->exec_id == "a");
}

TEST_CASE("an exec that is canceled before it begins never began") {
  auto s = without_runner();
  ask(s, 1, command("a"));
  auto canceled = session::apply(s, event::cancel_asked{2, "a", 5});
  CHECK(find<effect::publish_exec>(canceled)->kind == event_kind::exec_exited);
  CHECK(s.execs.at("a").outcome.reason
        == "it was canceled by a request before it began");
  CHECK(find<effect::answer_exec>(canceled)->who == 2);
  auto over = session::apply(s, event::exec_announced{"a", true, 5});
  CHECK(find<effect::answer_exec>(over)->who == 1);
  CHECK(session::apply(s, event::runner_found{}).empty());
}

TEST_CASE("input is held back until the runner is found, and lost with it") {
  auto s = looking_for_runner();
  CHECK(session::apply(s, event::input_asked{2, "a", 5}).empty());
  SECTION("it is found") {
    auto found = session::apply(s, event::runner_found{{{"a", 5}}});
    CHECK(find<effect::pass_input>(found)->who == 2);
    CHECK(
      find<effect::answer_input>(session::apply(s, event::input_taken{2, ""}))
        ->who
      == 2);
    CHECK(session::apply(s, event::input_taken{2, "gone"}).empty());
  }
  SECTION("it is gone") {
    auto gone = session::apply(s, event::runner_gone{"killed", 1});
    CHECK(refused_with(gone, 2, errc::conflict, "killed"));
    // Until it is settled, it counts as running; but nothing takes input.
    CHECK(refused_with(session::apply(s, event::input_asked{3, "a", 5}), 3,
                       errc::conflict, "the session's runner is gone"));
  }
  CHECK(s.passed.empty());
  CHECK(s.held.empty());
}

TEST_CASE("a signal that waits for the runner is not sent twice") {
  auto s = looking_for_runner();
  for (ticket who : {2, 3})
    CHECK(find<effect::answer_exec>(
            session::apply(s, event::signal_asked{who, "a", 15}))
            ->who
          == who);
  auto found = session::apply(s, event::runner_found{{{"a", 5}}});
  CHECK(count<effect::pass_signal>(found) == 1);
}

TEST_CASE("an ending goes on when nothing has anything to say any more") {
  auto s = active_session();
  s.record.token_hash = "token";
  ask(s, 1, command("a"));
  begin_exec(s, "a");
  REQUIRE(find<effect::answer_transfer>(
    session::apply(s, event::transfer_asked{2, "token"})));
  session::apply(s, event::terminate_asked{3});
  // Too late: it is on its way out.
  CHECK(session::apply(s, event::runner_found{}).empty());
  auto gone = session::apply(s, event::runner_gone{"", 4});
  REQUIRE(gone.size() == 1);
  CHECK(find<effect::settle_exec>(gone));
  session::apply(s, event::exec_exited{"a", 0, exit_with(0)});
  CHECK_FALSE(find<effect::begin_rescue>(end_exec(s, "a", exit_with(0))));
  CHECK(find<effect::begin_rescue>(session::apply(s, event::transfer_over{5})));
}

TEST_CASE("who waits for an exec hears of it as it is when the time is over") {
  auto s = without_runner();
  ask(s, 1, command("a"), true);
  // Not started yet, so the answer waits for that.
  CHECK(session::apply(s, event::wait_ended{1}).empty());
  session::apply(s, event::runner_found{});
  CHECK(find<effect::answer_exec>(begin_exec(s, "a"))->who == 1);
  ask(s, 2, command("a"), true);
  auto over = session::apply(s, event::wait_ended{2});
  CHECK(find<effect::answer_exec>(over)->who == 2);
  CHECK_FALSE(find<effect::answer_exec>(over)->with_output);
  ask(s, 3, command("a"), true);
  auto ended = end_exec(s, "a", exit_with(0));
  CHECK(find<effect::answer_exec>(ended)->who == 3);
  CHECK(find<effect::answer_exec>(ended)->with_output);
  CHECK(session::apply(s, event::wait_ended{3}).empty());
}

TEST_CASE("questions to git wait for the checkout, and are bounded") {
  auto s = active_session();
  s.installing = true;
  for (ticket who = 1; who <= max_questions; ++who)
    CHECK(session::apply(s, event::question_asked{who}).empty());
  constexpr ticket one_more = max_questions + 1;
  CHECK(refused_with(session::apply(s, event::question_asked{one_more}),
                     one_more, errc::overloaded));
  auto there = session::apply(s, event::checkout_installed{birth});
  CHECK(count<effect::answer_question>(there) == max_questions);
  session::apply(s, event::question_answered{});
  CHECK(find<effect::answer_question>(
    session::apply(s, event::question_asked{one_more + 1})));
  auto over = new_session(session_status::ended);
  CHECK(refused_with(session::apply(over, event::question_asked{1}), 1,
                     errc::bad_request, "session is not active"));
}

TEST_CASE("nothing starts while a check-in is on its way to the store") {
  auto s = without_runner();
  ask(s, 1, command("a"));
  session::apply(s, event::checkin_asked{2, {}, ""});
  CHECK(session::apply(s, event::runner_found{}).empty());
  auto refused =
    session::apply(s, event::store_refused{{errc::unavailable, "no store"}});
  CHECK(find<effect::spawn_exec>(refused)->exec_id == "a");
}

TEST_CASE("an ending that takes the place of another waits for its own stop") {
  auto s = active_session();
  s.installing = true;
  session::apply(s, event::exec_asked{1, command("a"), 1});
  session::apply(s, event::tick{s.record.expires_at});
  session::apply(s, event::runner_gone{"", 2});
  CHECK(find<effect::stop_runner>(session::apply(
    s, event::checkout_install_failed{{errc::unavailable, "no disk"}})));
  CHECK_FALSE(
    find<effect::begin_rescue>(session::apply(s, event::exec_kept{"a", 3})));
  CHECK(
    find<effect::begin_rescue>(session::apply(s, event::runner_gone{"", 4})));
  CHECK(s.unexpected == 0);
}

// Who writes an exec down tells the runner that is there, before anybody else
// hears that it is written.
TEST_CASE("an exec that has a place is given to the runner as it is written") {
  auto s = active_session();
  s.bounds.max_concurrent = 2;
  auto asked = [&s](const std::string& id) {
    auto todo = session::apply(s, event::exec_asked{1, command(id), 1});
    return find<effect::keep_exec>(todo)->spawn;
  };
  REQUIRE(asked("a"));
  auto kept = [&s](const std::string& id, bool sent = true) {
    return session::apply(s, event::exec_kept{id, 2, sent});
  };
  SECTION("and nobody is asked to do it again") {
    CHECK_FALSE(find<effect::spawn_exec>(kept("a")));
    CHECK(s.running == 1);
    CHECK(s.runs.at("a").sent);
    begin_exec(s, "a");
  }
  SECTION("unless that did not work") {
    CHECK(find<effect::spawn_exec>(kept("a", false))->exec_id == "a");
    CHECK(s.running == 1);
  }
  SECTION("no more of them than have one") {
    CHECK(asked("b"));
    CHECK_FALSE(asked("c"));
    CHECK_FALSE(find<effect::spawn_exec>(kept("c", false)));
    kept("b");
    kept("a");
    CHECK(s.running == 2);
    CHECK(s.waiting.size() == 1);
  }
  SECTION("and its place is free again where it cannot be written") {
    REQUIRE(asked("b"));
    REQUIRE_FALSE(asked("c"));
    kept("c", false);
    auto unkept = session::apply(
      s, event::exec_unkept{"a", {errc::unavailable, "disk full"}, 2});
    CHECK(find<effect::spawn_exec>(unkept)->exec_id == "c");
  }
  SECTION("whose word waits until that is known") {
    exec_outcome outcome;
    outcome.status = exec_status::exited;
    CHECK(session::apply(s, event::exec_running{"a", 5}).empty());
    CHECK(session::apply(s, event::exec_exited{"a", 3, outcome}).empty());
    auto todo = kept("a");
    CHECK(find<effect::publish_exec>(todo)->kind == event_kind::exec_started);
    CHECK(find<effect::finish_output>(todo)->records == 3);
  }
  SECTION("and is lost with it") {
    CHECK(session::apply(s, event::runner_gone{"killed", 2}).empty());
    CHECK(find<effect::settle_exec>(kept("a"))->exec_id == "a");
  }
  SECTION("but where another one does not know it, either") {
    session::apply(s, event::runner_gone{"", 2});
    session::apply(s, event::runner_found{});
    CHECK(find<effect::settle_exec>(kept("a"))->exec_id == "a");
  }
  SECTION("which may be found again with it") {
    session::apply(s, event::runner_gone{"", 2});
    auto found = session::apply(s, event::runner_found{{{"a", 5}}});
    CHECK_FALSE(find<effect::kill_exec>(found));
    auto todo = kept("a");
    CHECK_FALSE(find<effect::settle_exec>(todo));
    CHECK(find<effect::publish_exec>(todo)->kind == event_kind::exec_started);
  }
  SECTION("and is canceled there") {
    CHECK(session::apply(s, event::cancel_asked{2, "a", 1}).empty());
    CHECK(find<effect::kill_exec>(kept("a"))->exec_id == "a");
  }
  SECTION("and has to go where the session goes to another node") {
    session::apply(s, event::leave_asked{"it moves", 2});
    CHECK(find<effect::kill_exec>(kept("a"))->exec_id == "a");
    CHECK(s.runs.at("a").evicted);
  }
  CHECK(s.unexpected == 0);
}

TEST_CASE("an exec that somebody ended says who") {
  const caller ada{"k1", "Ada", {}, "r-1"};
  const caller ben{"k2", "Ben", {}, "r-2"};
  auto s = looking_for_runner();
  session::apply(s, event::runner_found{{{"a", 5}}});
  exec_outcome outcome;
  SECTION("by a cancel, whoever came next") {
    session::apply(s, event::cancel_asked{2, "a", 1, ada});
    session::apply(s, event::cancel_asked{3, "a", 2, ben});
    outcome.status = exec_status::canceled;
    outcome.reason = "it was canceled by a request"; // as the runner says it
    end_exec(s, "a", outcome);
    CHECK(s.execs.at("a").outcome.reason
          == "it was canceled by \"Ada\" (request r-1)");
  }
  SECTION("by a signal") {
    session::apply(s, event::signal_asked{2, "a", 10, ada});
    session::apply(s, event::signal_asked{3, "a", 9, ben});
    outcome.status = exec_status::signaled;
    outcome.signal = 9;
    outcome.reason = GENERATE("", "the signal was sent by a request");
    end_exec(s, "a", outcome);
    CHECK(s.execs.at("a").outcome.reason
          == "the signal was sent by \"Ben\" (request r-2)");
  }
  SECTION("by another signal than that, nobody knows who") {
    session::apply(s, event::signal_asked{2, "a", 10, ada});
    outcome.status = exec_status::signaled;
    outcome.signal = 11;
    outcome.reason = "the signal came from inside the session";
    end_exec(s, "a", outcome);
    CHECK(s.execs.at("a").outcome.reason == outcome.reason);
  }
}
