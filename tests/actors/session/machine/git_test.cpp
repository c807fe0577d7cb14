// Tokens, pushes and commits of a session.
#include "tests/actors/session/machine/fixture.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace greenroom;
using namespace greenroom::session;

TEST_CASE("a new token is stored before it counts, and ends what the old one "
          "has opened") {
  auto s = active_session();
  s.record.token_hash = "old";
  auto asked = session::apply(s, event::rotate_asked{3, "new"});
  CHECK(find<effect::persist>(asked)->next.token_hash == "new");
  CHECK(find<effect::persist>(asked)->events.empty());
  CHECK(find<effect::end_transfers>(asked) == nullptr);
  CHECK(s.record.token_hash == "old");
  auto then = store(s, asked);
  CHECK(s.record.token_hash == "new");
  CHECK(find<effect::end_transfers>(then));
  CHECK(find<effect::answer_token>(then)->who == 3);
  CHECK(refused_with(session::apply(s, event::transfer_asked{4, "old"}), 4,
                     errc::unauthorized));
  CHECK(find<effect::answer_transfer>(
          session::apply(s, event::transfer_asked{5, "new"}))
          ->who
        == 5);
}

TEST_CASE("a token lets in while its session is active, and never otherwise") {
  auto s = new_session();
  CHECK(refused_with(session::apply(s, event::transfer_asked{1, ""}), 1,
                     errc::unauthorized));
  s.record.token_hash = "token";
  CHECK(refused_with(session::apply(s, event::transfer_asked{1, "token"}), 1,
                     errc::conflict));
  s = active_session();
  s.record.token_hash = "token";
  CHECK(refused_with(session::apply(s, event::transfer_asked{1, "tokem"}), 1,
                     errc::unauthorized));
  CHECK(refused_with(session::apply(s, event::transfer_asked{1, "toke"}), 1,
                     errc::unauthorized));
  auto started = store(s, session::apply(s, event::checkin_asked{2, {}, ""}));
  CHECK(find<effect::end_transfers>(started));
  CHECK(refused_with(session::apply(s, event::transfer_asked{1, "token"}), 1,
                     errc::conflict, "the session is being checked in"));
  CHECK(refused_with(session::apply(s, event::rotate_asked{1, "new"}), 1,
                     errc::conflict));
  for (auto over : {session_status::ended, session_status::expired,
                    session_status::terminated, session_status::failed}) {
    auto dead = new_session(over);
    dead.record.token_hash = "token";
    CHECK(refused_with(session::apply(dead, event::transfer_asked{1, "token"}),
                       1, errc::unauthorized));
  }
}

TEST_CASE("every end of a session ends its transfers first") {
  for (any_event what : {any_event{event::terminate_asked{1}},
                         any_event{event::tick{birth + 1000 * hour}},
                         any_event{event::give_up{"crashed"}}}) {
    auto s = active_session();
    s.record.token_hash = "token";
    auto ending = session::apply(s, what);
    CHECK(std::holds_alternative<effect::end_transfers>(ending.at(0)));
    CHECK(refused_with(session::apply(s, event::transfer_asked{2, "token"}), 2,
                       errc::unauthorized));
  }
}

TEST_CASE("a commit in the checkout is announced once") {
  auto s = active_session();
  s.record.branch = "work";
  s.tip = "one";
  REQUIRE(find<effect::read_branch>(session::apply(s, event::look{})));
  // One question at a time.
  CHECK(session::apply(s, event::look{}).empty());
  auto found = session::apply(s, event::branch_polled{"two"});
  auto* event = find<effect::publish>(found);
  REQUIRE(event);
  CHECK(event->kind == event_kind::git_committed);
  CHECK(std::get<std::string>(event->fields.at("old")) == "one");
  CHECK(std::get<std::string>(event->fields.at("new")) == "two");
  CHECK(std::get<std::string>(event->fields.at("branch")) == "work");
  // What was asked meanwhile is asked now.
  CHECK(find<effect::read_branch>(found));
  CHECK(session::apply(s, event::branch_polled{"two"}).empty());
  session::apply(s, event::look{});
  CHECK(
    session::apply(s, event::branch_polled{""}).empty()); // could not be found
  CHECK(s.tip == "two");
}

TEST_CASE("a push is announced as a push, whatever was being looked at") {
  auto s = active_session();
  s.tip = "one";
  session::apply(s, event::look{});
  auto pushed = session::apply(s, event::pushed{"one", "two", false});
  auto* event = find<effect::publish>(pushed);
  REQUIRE(event);
  CHECK(event->kind == event_kind::git_pushed);
  CHECK_FALSE(std::get<bool>(event->fields.at("applied")));
  // The answer is older than the push, or has it already: it is asked anew.
  auto late = session::apply(s, event::branch_polled{"one"});
  CHECK(find<effect::publish>(late) == nullptr);
  CHECK(find<effect::read_branch>(late));
  CHECK(session::apply(s, event::branch_polled{"two"}).empty());
}

TEST_CASE("a push from inside is announced, and is no news of the branch") {
  auto s = active_session();
  s.tip = "one";
  auto pushed = session::apply(
    s, event::pushed{"", "two", true, {s.record.id, {}, {}, {}}});
  auto* event = find<effect::publish>(pushed);
  REQUIRE(event);
  CHECK(event->kind == event_kind::git_pushed);
  CHECK(std::get<std::string>(event->fields.at("by")) == "session");
  CHECK(std::get<std::string>(event->fields.at("new")) == "two");
  CHECK_FALSE(event->fields.contains("applied"));
  CHECK(s.tip == "one");
  session::apply(s, event::look{});
  auto seen = session::apply(s, event::branch_polled{"two"});
  REQUIRE(find<effect::publish>(seen));
  CHECK(find<effect::publish>(seen)->kind == event_kind::git_committed);
}

TEST_CASE("nobody looks at a branch whose session is on its way out") {
  auto s = active_session();
  session::apply(s, event::terminate_asked{1});
  CHECK(session::apply(s, event::look{}).empty());
}
