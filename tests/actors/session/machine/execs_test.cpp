// The commands of a session: their order, their names, what they are fed.
#include "tests/actors/session/machine/fixture.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace greenroom;
using namespace greenroom::session;

namespace {

exec_spec reader(std::string id, bool terminal = false) {
  auto spec = command(std::move(id), "cat");
  spec.stdin_open = !terminal;
  spec.rows = terminal ? 24 : 0;
  spec.cols = terminal ? 80 : 0;
  return spec;
}

} // namespace

TEST_CASE("execs that waited go on when a check-in could not be stored") {
  auto s = active_session();
  for (auto id : {"a", "b", "c"})
    ask(s, 1, command(id));
  session::apply(s, event::checkin_asked{3, {}, ""});
  CHECK_FALSE(find<effect::spawn_exec>(
    session::apply(s, event::exec_done{"a", exit_with(0)})));
  CHECK(
    find<effect::spawn_exec>(session::apply(s, event::store_refused{}))->exec_id
    == "c");
}

TEST_CASE("execs run in order of arrival, no more at once than allowed") {
  auto s = active_session();
  CHECK(find<effect::spawn_exec>(ask(s, 1, command("a")))->exec_id == "a");
  CHECK(find<effect::spawn_exec>(ask(s, 2, command("b"))));
  CHECK_FALSE(find<effect::spawn_exec>(ask(s, 3, command("c"))));
  ask(s, 4, command("d"));
  CHECK(refused_with(ask(s, 5, command("e")), 5, errc::overloaded));
  CHECK_FALSE(s.execs.contains("e"));
  auto ended = session::apply(s, event::exec_done{"a", exit_with(0)});
  CHECK(find<effect::publish_exec>(ended)->kind == event_kind::exec_exited);
  CHECK(find<effect::spawn_exec>(ended)->exec_id == "c");
  CHECK(s.execs.at("a").status == exec_status::exited);
  CHECK(find<effect::spawn_exec>(
          session::apply(s, event::exec_done{"b", exit_with(1)}))
          ->exec_id
        == "d");
}

TEST_CASE("an exec's name with the same body is the same exec, with another "
          "it is refused") {
  auto s = active_session();
  ask(s, 1, command("a"));
  CHECK(ask(s, 2, command("a")).empty());
  CHECK(refused_with(ask(s, 3, command("a", "false")), 3, errc::exec_exists));
  CHECK(s.order.size() == 1);
  CHECK(count<effect::answer_exec>(begin_exec(s, "a")) == 2);
}

TEST_CASE("an exec ends once, whatever comes after") {
  auto s = active_session();
  ask(s, 1, command("a"));
  session::apply(s, event::exec_running{"a", 2});
  session::apply(s, event::exec_done{"a", exit_with(3)});
  CHECK(session::apply(s, event::exec_done{"a", exec_outcome{}}).empty());
  CHECK(session::apply(s, event::exec_running{"a", 9}).empty());
  CHECK(s.execs.at("a").outcome.exit_code == 3);
  CHECK(s.running == 0);
}

TEST_CASE("canceling ends a waiting exec at once and kills a running one") {
  auto s = active_session();
  for (auto id : {"a", "b", "c"})
    ask(s, 1, command(id));
  auto waiting = session::apply(s, event::cancel_asked{2, "c", 5});
  CHECK(s.execs.at("c").status == exec_status::canceled);
  CHECK(find<effect::answer_exec>(waiting)->exec_id == "c");
  auto running = session::apply(s, event::cancel_asked{3, "a", 5});
  CHECK(find<effect::kill_exec>(running)->exec_id == "a");
  CHECK(s.execs.at("a").status == exec_status::queued);
  CHECK(refused_with(session::apply(s, event::cancel_asked{4, "nobody", 5}), 4,
                     errc::not_found));
}

TEST_CASE("execs that still wait when the session ends are canceled") {
  auto s = active_session();
  for (auto id : {"a", "b", "c"})
    ask(s, 1, command(id));
  session::apply(s, event::terminate_asked{9});
  session::apply(s, event::exec_done{"a", exit_with(0)});
  CHECK(s.execs.at("c").status == exec_status::queued);
  auto stopped = session::apply(s, event::session_quiet{birth + 1});
  CHECK(s.execs.at("c").status == exec_status::canceled);
  CHECK(s.execs.at("c").outcome.ended_at == birth + 1);
  CHECK(count<effect::spawn_exec>(stopped) == 0);
}

TEST_CASE("a project's setup is started once, when the session becomes "
          "active") {
  auto s = new_session();
  s.setup = "make deps";
  s.runner = runner_state::up;
  session::apply(s, event::begin{});
  auto then = store(s, session::apply(s, event::checkout_made{}));
  auto* setup = find<effect::run_setup>(then);
  REQUIRE(setup);
  CHECK(setup->spec.exec_id == "setup");
  CHECK(setup->spec.command == "make deps");
  session::apply(s, event::checkout_installed{birth});
  CHECK(find<effect::spawn_exec>(ask(s, 0, setup->spec)));
  // However it goes, the session goes on.
  auto failed = session::apply(s, event::exec_done{"setup", exit_with(1)});
  CHECK(find<effect::persist>(failed) == nullptr);
  CHECK(s.record.status == session_status::active);
}

TEST_CASE("a setup that cannot be begun is begun later") {
  auto s = active_session();
  auto setup = command("setup", "make deps");
  const refusal full{errc::unavailable, "disk full"};
  auto put_off = [&](const effects& list) {
    auto* later = find<effect::run_setup>(list);
    REQUIRE(later);
    CHECK(later->later);
    CHECK(later->spec == setup);
    CHECK(find<effect::answer_refused>(list) == nullptr);
    CHECK(s.setup_waits);
  };
  auto again = [&] {
    return session::apply(s, event::exec_asked{0, setup, 1});
  };
  again();
  CHECK_FALSE(s.setup_waits);
  put_off(session::apply(s, event::exec_unkept{"setup", full, 1}));
  CHECK(find<effect::keep_exec>(again()));
  put_off(session::apply(s, event::exec_unkept{"setup", full, 1}));
  // Clients have filled the line meanwhile, or the session is about to go.
  for (auto id : {"a", "b", "c", "d"})
    ask(s, 1, command(id));
  put_off(again());
  s.leaving = true;
  put_off(again());
  s.leaving = false;
  for (auto id : {"a", "b"})
    session::apply(s, event::start_refused{id, full, 1});
  CHECK(find<effect::keep_exec>(again()));
  session::apply(s, event::exec_kept{"setup", 1});
  CHECK_FALSE(s.setup_waits);
  CHECK(s.execs.contains("setup"));
  // A client's exec of that name is only refused.
  auto other = active_session();
  session::apply(other, event::exec_asked{7, setup, 1});
  auto unkept = session::apply(other, event::exec_unkept{"setup", full, 1});
  CHECK(refused_with(unkept, 7, errc::unavailable));
  CHECK(find<effect::run_setup>(unkept) == nullptr);
  // One that is over has none.
  auto over = new_session(session_status::ended);
  CHECK(find<effect::run_setup>(
          session::apply(over, event::exec_asked{0, setup, 1}))
        == nullptr);
}

TEST_CASE("what an exec is fed at first is a part of what is asked for") {
  auto s = active_session();
  auto fed = [](std::string hash, bool ends = true) {
    auto spec = reader("a");
    spec.first_input = std::move(hash);
    spec.input_ends = ends;
    return spec;
  };
  auto asked = [&](ticket who, exec_spec spec) {
    return session::apply(
      s, event::exec_asked{
           who, std::move(spec), 1, false, {}, shared_text{"text"}});
  };
  auto first = asked(1, fed("hash"));
  auto* kept = find<effect::keep_exec>(first);
  REQUIRE(kept);
  CHECK(kept->input.view() == "text");
  CHECK(kept->exec.spec == fed("hash"));
  session::apply(s, event::exec_kept{"a", 1});
  begin_exec(s, "a");
  auto same = asked(2, fed("hash"));
  CHECK(same.size() == 1);
  CHECK(find<effect::answer_exec>(same));
  for (auto& other : {fed("other"), fed("hash", false), fed("", false)})
    CHECK(refused_with(asked(3, other), 3, errc::exec_exists));
  // Nothing comes behind one that is all.
  CHECK(refused_with(session::apply(s, event::input_asked{4, "a", 1}), 4,
                     errc::conflict,
                     "the exec's standard input is closed already"));
  // What an older release has written down does not say.
  s.execs.at("a").spec.first_input = unknown_input;
  s.execs.at("a").spec.input_ends = false;
  CHECK(find<effect::answer_exec>(asked(5, fed("hash"))));
  CHECK(find<effect::answer_exec>(asked(6, fed("", false))));
  CHECK(refused_with(asked(7, command("a")), 7, errc::exec_exists));
}

TEST_CASE("what execs are fed at first counts until it is on disk") {
  auto s = active_session();
  s.bounds.max_queued = 100;
  auto asked = [&](const std::string& id) {
    auto spec = reader(id);
    spec.first_input = "hash";
    return session::apply(
      s,
      event::exec_asked{1,
                        spec,
                        1,
                        false,
                        {},
                        shared_text{std::string(std::size_t{8} << 20, 'x')}});
  };
  for (int i = 0; i < 7; ++i)
    CHECK(find<effect::keep_exec>(asked("a" + std::to_string(i))));
  CHECK(refused_with(asked("b"), 1, errc::overloaded));
  session::apply(s, event::exec_kept{"a0", 1});
  CHECK(find<effect::keep_exec>(asked("b")));
}

TEST_CASE("a session without a setup starts nothing by itself") {
  auto s = new_session();
  session::apply(s, event::begin{});
  auto then = store(s, session::apply(s, event::checkout_made{}));
  CHECK(find<effect::run_setup>(then) == nullptr);
  CHECK(find<effect::run_setup>(session::apply(s, event::begin{})) == nullptr);
}

TEST_CASE("an exec that cannot be written down was never there") {
  auto s = active_session();
  for (auto id : {"a", "b"})
    ask(s, 1, command(id));
  auto asked = session::apply(s, event::exec_asked{1, reader("c"), 1});
  CHECK(find<effect::keep_exec>(asked)->queue_position == 1);
  // What names it meanwhile waits until that is known.
  CHECK(session::apply(s, event::exec_asked{2, reader("c"), 1}).empty());
  CHECK(session::apply(s, event::input_asked{3, "c", 5}).empty());
  CHECK(session::apply(s, event::cancel_asked{4, "c", 5}).empty());
  auto unkept = session::apply(
    s, event::exec_unkept{"c", {errc::unavailable, "disk full"}, 1});
  CHECK(refused_with(unkept, 1, errc::unavailable, "disk full"));
  // The second is tried by itself, and the others wait for that.
  CHECK(find<effect::keep_exec>(unkept)->exec.spec.exec_id == "c");
  CHECK(count<effect::answer_refused>(unkept) == 1);
  auto again = session::apply(
    s, event::exec_unkept{"c", {errc::unavailable, "disk full"}, 1});
  CHECK(count<effect::answer_refused>(again) == 3);
  CHECK(s.order == std::vector<std::string>{"a", "b"});
  CHECK(s.waiting.empty());
  CHECK(s.unexpected == 0);
  CHECK(session::apply(s, event::exec_unkept{"c", {}}).empty());
  CHECK(s.unexpected == 1);
}

TEST_CASE("an ending waits for an exec that is being written down") {
  auto s = active_session();
  session::apply(s, event::exec_asked{1, command("a"), 1});
  session::apply(s, event::terminate_asked{9});
  CHECK(session::apply(s, event::runner_gone{"", 2}).empty());
  auto kept = session::apply(s, event::exec_kept{"a", 3});
  CHECK(find<effect::begin_rescue>(kept));
  CHECK(s.execs.at("a").status == exec_status::canceled);
  CHECK(find<effect::answer_exec>(kept)->who == 1);
}

TEST_CASE("only so many execs that are over stay at hand, and none that is "
          "not") {
  auto s = active_session();
  s.bounds.max_finished = 2;
  ask(s, 1, command("server"));
  std::vector<std::string> gone;
  for (auto id : {"a", "b", "c", "d"}) {
    ask(s, 1, command(id));
    session::apply(s, event::exec_running{id, 1});
    session::apply(s, event::exec_done{id, exit_with(0)});
    // Not before the timeline has it.
    CHECK(s.execs.contains(id));
    auto finalized = session::apply(s, event::exec_announced{id, true, 1});
    if (auto* old = find<effect::archive_exec>(finalized))
      gone.push_back(old->exec_id);
    CHECK(session::apply(s, event::exec_announced{id, true, 1}).empty());
  }
  CHECK(gone == std::vector<std::string>{"a", "b"});
  CHECK(s.order == std::vector<std::string>{"server", "c", "d"});
  CHECK(s.execs.size() == 3);
  CHECK(session::apply(s, event::exec_announced{"server", true, 1}).empty());
}

TEST_CASE("an exec that is recalled takes the place of another") {
  auto s = active_session();
  s.bounds.max_finished = 1;
  exec_record old;
  old.spec = command("old");
  old.status = exec_status::exited;
  CHECK(session::apply(s, event::exec_recalled{old}).empty());
  old.spec = command("older");
  auto second = session::apply(s, event::exec_recalled{old});
  CHECK(find<effect::archive_exec>(second)->exec_id == "old");
  // It is the same exec still.
  CHECK(find<effect::answer_exec>(ask(s, 1, command("older"))));
  CHECK(
    refused_with(ask(s, 1, command("older", "false")), 1, errc::exec_exists));
  CHECK(s.order.empty());
}

TEST_CASE("a signal goes to an exec that runs, and to no other") {
  auto s = active_session();
  ask(s, 1, command("a"));
  CHECK(refused_with(session::apply(s, event::signal_asked{2, "a", 2}), 2,
                     errc::conflict));
  session::apply(s, event::exec_running{"a", 2});
  auto sent = session::apply(s, event::signal_asked{3, "a", 2});
  CHECK(find<effect::pass_signal>(sent)->signal == 2);
  CHECK(find<effect::answer_exec>(sent)->who == 3);
  session::apply(s, event::exec_done{"a", exit_with(0)});
  CHECK(refused_with(session::apply(s, event::signal_asked{4, "a", 2}), 4,
                     errc::conflict, "the exec has ended"));
  CHECK(refused_with(session::apply(s, event::signal_asked{5, "b", 2}), 5,
                     errc::not_found, "exec not found"));
}

TEST_CASE("input goes to an exec that was started with an open one") {
  auto s = active_session();
  ask(s, 1, command("closed"));
  session::apply(s, event::exec_running{"closed", 1});
  CHECK(refused_with(session::apply(s, event::input_asked{2, "closed", 1}), 2,
                     errc::bad_request));
  ask(s, 1, reader("a"));
  session::apply(s, event::exec_running{"a", 1});
  CHECK(
    find<effect::pass_input>(session::apply(s, event::input_asked{3, "a", 5}))
      ->who
    == 3);
  auto last = session::apply(s, event::input_asked{4, "a", 5, true});
  CHECK(find<effect::pass_input>(last)->eof);
  CHECK(refused_with(session::apply(s, event::input_asked{5, "a", 5}), 5,
                     errc::conflict));
  CHECK(refused_with(session::apply(s, event::resize_asked{6, "a", 1, 1}), 6,
                     errc::bad_request));
  session::apply(s, event::exec_done{"a", exit_with(0)});
  CHECK(refused_with(session::apply(s, event::input_asked{7, "a", 5}), 7,
                     errc::conflict, "the exec has ended"));
  CHECK(s.inputs.empty());
}

TEST_CASE("a terminal stays open after an end of file") {
  auto s = active_session();
  ask(s, 1, reader("a", true));
  session::apply(s, event::exec_running{"a", 1});
  for (ticket who : {2, 3})
    CHECK(find<effect::pass_input>(
      session::apply(s, event::input_asked{who, "a", 1, true})));
  auto sized = session::apply(s, event::resize_asked{4, "a", 50, 100});
  CHECK(find<effect::pass_resize>(sized)->cols == 100);
  CHECK(s.execs.at("a").spec.rows == 50);
  CHECK(s.execs.at("a").spec.cols == 100);
  // Asked for again as before, it is still the same.
  CHECK_FALSE(
    refused_with(ask(s, 40, reader("a", true)), 40, errc::exec_exists));
}

TEST_CASE("input for a command that does not read is bounded") {
  auto s = active_session();
  ask(s, 1, reader("a"));
  session::apply(s, event::exec_running{"a", 1});
  // The first is taken however large it is: nothing waits before it.
  CHECK(find<effect::pass_input>(
    session::apply(s, event::input_asked{2, "a", max_waiting_input + 1})));
  CHECK(refused_with(session::apply(s, event::input_asked{3, "a", 1}), 3,
                     errc::overloaded));
  CHECK(find<effect::answer_input>(session::apply(s, event::input_taken{2, ""}))
          ->who
        == 2);
  // Requests without bytes count, too.
  for (ticket who = 0; who < 256; ++who)
    CHECK(find<effect::pass_input>(
      session::apply(s, event::input_asked{100 + who, "a", 0})));
  CHECK(refused_with(session::apply(s, event::input_asked{999, "a", 0}), 999,
                     errc::overloaded));
  for (ticket who = 0; who < 256; ++who)
    session::apply(s, event::input_taken{100 + who, ""});
  CHECK(find<effect::pass_input>(
    session::apply(s, event::input_asked{4, "a", max_waiting_input})));
  CHECK(refused_with(session::apply(s, event::input_asked{5, "a", 1}), 5,
                     errc::overloaded));
}

TEST_CASE("input for an exec that has not started waits for it, in order") {
  auto s = active_session();
  ask(s, 1, reader("a", true));
  CHECK(session::apply(s, event::input_asked{2, "a", 5}).empty());
  CHECK(session::apply(s, event::resize_asked{3, "a", 50, 100}).empty());
  CHECK(session::apply(s, event::input_asked{4, "a", 0, true}).empty());
  auto started = session::apply(s, event::exec_running{"a", 1});
  REQUIRE(count<effect::pass_input>(started) == 2);
  CHECK(find<effect::pass_input>(started)->who == 2);
  CHECK(find<effect::pass_resize>(started)->who == 3);
  // One that never starts answers all who waited.
  ask(s, 1, reader("b"));
  session::apply(s, event::input_asked{5, "b", 5});
  auto ended = session::apply(s, event::exec_done{"b", exec_outcome{}});
  CHECK(refused_with(ended, 5, errc::conflict, "the exec has ended"));
}

TEST_CASE("a wait that is over before its exec is written down is over then") {
  auto s = active_session();
  auto kept = [&s](const std::string& id) {
    return session::apply(s, event::exec_kept{id, 1});
  };
  session::apply(s, event::exec_asked{1, command("a"), 1, true});
  CHECK(session::apply(s, event::wait_ended{1}).empty());
  kept("a");
  auto begun = begin_exec(s, "a");
  REQUIRE(find<effect::answer_exec>(begun));
  CHECK(find<effect::answer_exec>(begun)->who == 1);
  // Likewise who asks for the same meanwhile, or cancels it.
  session::apply(s, event::exec_asked{2, command("b"), 1, true});
  session::apply(s, event::exec_asked{3, command("b"), 1, true});
  CHECK(session::apply(s, event::wait_ended{3}).empty());
  session::apply(s, event::cancel_asked{4, "b", 1});
  CHECK(session::apply(s, event::wait_ended{4}).empty());
  auto answers = kept("b");
  auto more = begin_exec(s, "b");
  answers.insert(answers.end(), more.begin(), more.end());
  std::vector<ticket> answered;
  for (auto& what : answers)
    if (auto* answer = std::get_if<effect::answer_exec>(&what))
      answered.push_back(answer->who);
  std::ranges::sort(answered);
  CHECK(answered == std::vector<ticket>{3, 4});
  // Of one that is never written down all are told so.
  session::apply(s, event::exec_asked{5, command("c"), 1, true});
  session::apply(s, event::wait_ended{5});
  auto unkept = session::apply(
    s, event::exec_unkept{"c", {errc::unavailable, "disk full"}, 1});
  CHECK(refused_with(unkept, 5, errc::unavailable));
  CHECK(unkept.size() == 1);
}
