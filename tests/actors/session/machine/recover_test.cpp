// Sessions that are brought back, from all that can have been written down.
#include "actors/session/machine/recover.hpp"
#include "tests/actors/session/machine/fixture.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace greenroom;
using namespace greenroom::session;

namespace {

state revived(session_status status) {
  auto record = new_session(status).record;
  record.base_commit = "base";
  return first_state(std::move(record), {}, "make deps");
}

void add_exec(past& what, const std::string& id, exec_status status) {
  exec_record exec;
  exec.spec = command(id);
  exec.status = status;
  what.execs.emplace(id, exec);
  what.order.push_back(id);
}

} // namespace

TEST_CASE("a session whose files were removed has no checkout made anew, and "
          "what may run of it is looked for") {
  for (auto status : {session_status::active, session_status::checking_in}) {
    auto s = revived(status);
    past what;
    what.removed = true;
    auto todo = recover(s, what);
    CHECK_FALSE(s.installing);
    CHECK(s.runner == runner_state::asked);
    REQUIRE(todo.size() == 1);
    CHECK(std::holds_alternative<effect::find_runner>(todo[0]));
  }
}

TEST_CASE("an exec is taken up from where it was cut off") {
  struct row {
    const char* what;
    session_status session;
    exec_status exec;
    bool sent;
    std::uint32_t running;
    std::size_t waiting;
    bool find_runner;
    exec_status after;
  };
  using enum exec_status;
  constexpr auto active = session_status::active;
  for (auto& x : {
         row{"in line", active, queued, false, 0, 1, false, queued},
         row{"told to start", active, queued, true, 1, 0, true, queued},
         row{"runs", active, running, true, 1, 0, true, running},
         row{"runs while its session is checked in",
             session_status::checking_in, running, true, 1, 0, true, running},
         row{"over", active, exited, false, 0, 0, false, exited},
         row{"of a session that is over", session_status::ended, running, true,
             0, 0, false, lost},
       }) {
    INFO(x.what);
    auto s = revived(x.session);
    past what;
    add_exec(what, "a", x.exec);
    if (x.sent)
      what.sent.insert("a");
    auto todo = recover(s, what);
    CHECK(s.running == x.running);
    CHECK(s.waiting.size() == x.waiting);
    CHECK((find<effect::find_runner>(todo) != nullptr) == x.find_runner);
    CHECK(s.execs.at("a").status == x.after);
  }
}

TEST_CASE("what is taken up goes on") {
  auto s = revived(session_status::active);
  s.bounds.max_concurrent = 2;
  past what;
  what.used = true;
  for (auto id : {"a", "b", "c"})
    add_exec(what, id, exec_status::queued);
  what.sent = {"a"};
  recover(s, what);
  CHECK_FALSE(find<effect::start_runner>(session::apply(s, event::begin{})));
  auto found = session::apply(s, event::runner_found{{{"a", 5}}});
  CHECK(find<effect::publish_exec>(found)->kind == event_kind::exec_started);
  CHECK(find<effect::spawn_exec>(found)->exec_id == "b");
  auto done = session::apply(s, event::exec_done{"a", exit_with(0)});
  CHECK(find<effect::spawn_exec>(done)->exec_id == "c");
}

TEST_CASE("the runner of a server in the background is looked for") {
  for (auto [status, looked] : {std::pair{session_status::active, true},
                                std::pair{session_status::ended, false}}) {
    auto s = revived(status);
    past what;
    add_exec(what, "a", exec_status::exited);
    what.listens = true;
    auto todo = recover(s, what);
    CHECK((find<effect::find_runner>(todo) != nullptr) == looked);
  }
}

TEST_CASE("an exit record says how an exec ended whose session is over") {
  auto s = revived(session_status::terminated);
  past what;
  add_exec(what, "a", exec_status::running);
  add_exec(what, "b", exec_status::queued);
  what.outcomes.emplace("a", exit_with(3));
  recover(s, what);
  CHECK(s.execs.at("a").outcome.exit_code == 3);
  CHECK(s.execs.at("b").outcome.reason == "the session ended");
}

TEST_CASE("a setup is started if it never was") {
  struct row {
    session_status session;
    bool announced;
    bool known;
    bool started;
  };
  for (auto& x : {row{session_status::creating, false, false, true},
                  row{session_status::active, true, false, true},
                  row{session_status::active, true, true, false},
                  row{session_status::active, false, false, false},
                  row{session_status::checking_in, true, false, false}}) {
    auto s = revived(x.session);
    past what;
    what.last.announces_setup = x.announced;
    what.setup_known = x.known;
    recover(s, what);
    CHECK(!s.setup.empty() == x.started);
  }
}

TEST_CASE(
  "a checkout is made anew only where nothing can have been done in it") {
  struct row {
    session_status session;
    bool used;
    bool sent;
    bool there;
    bool anew;
  };
  for (auto& x : {row{session_status::active, false, false, false, true},
                  row{session_status::checking_in, false, false, false, true},
                  row{session_status::active, true, false, false, false},
                  row{session_status::active, false, true, false, false},
                  row{session_status::active, false, false, true, false},
                  row{session_status::creating, false, false, false, false},
                  row{session_status::ended, false, false, false, false}}) {
    auto s = revived(x.session);
    past what;
    what.used = x.used;
    what.checkout = x.there;
    if (x.sent)
      what.sent.insert("a");
    recover(s, what);
    CHECK(s.installing == x.anew);
  }
}

TEST_CASE("a check-in that is taken up does what it was asked to do") {
  auto s = revived(session_status::checking_in);
  past what;
  what.used = true;
  what.last = {false, {"key", "Ada", ""}, "done", true, true};
  what.tip = "tip";
  recover(s, what);
  CHECK(s.author.key_name == "Ada");
  CHECK(s.message == "done");
  CHECK((s.skip_review && s.auto_merge));
  CHECK(s.tip == "tip");
}

TEST_CASE("what another node had since is made anew, whatever lies here") {
  auto s = revived(session_status::active);
  past what;
  what.elsewhere = what.used = what.checkout = true;
  recover(s, what);
  CHECK(s.installing);
  CHECK(find<effect::begin_checkout>(session::apply(s, event::begin{})));
}

TEST_CASE("an exec that another node has had is there as it ended; of one that "
          "ran there the end is announced") {
  auto s = active_session();
  exec_record before;
  before.spec = command("before");
  before.status = before.outcome.status = exec_status::exited;
  CHECK(session::apply(s, event::exec_noted{before, false}).empty());
  exec_record ran;
  ran.spec = command("ran");
  ran.status = ran.outcome.status = exec_status::lost;
  auto noted = session::apply(s, event::exec_noted{ran, true});
  auto* told = find<effect::publish_exec>(noted);
  REQUIRE(told);
  CHECK(told->kind == event_kind::exec_exited);
  CHECK(told->exec_id == "ran");
  session::apply(s, event::exec_announced{"ran", true, 1});
  CHECK(s.order == std::vector<std::string>{"before", "ran"});
  // Asked for by the same name once more it is the same.
  CHECK(find<effect::answer_exec>(ask(s, 3, command("before")))->exec_id
        == "before");
  CHECK(session::apply(s, event::exec_noted{before, true}).empty());
  CHECK(s.running == 0);
  CHECK(s.unexpected == 0);
}
