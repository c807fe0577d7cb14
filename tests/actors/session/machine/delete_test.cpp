// A DELETE while the session is on its way to another end, or takes long.
#include "tests/actors/session/machine/fixture.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace greenroom;
using namespace greenroom::session;

namespace {

const std::vector<rescue_ref> kept_refs{{"refs/x", "c1", "the files"}};

// A check-in that `who` has asked for, at the step where its work is saved.
state checking_in(ticket who) {
  auto s = active_session();
  event::checkin_asked asked;
  asked.who = who;
  asked.skip_review = true;
  store(s, session::apply(s, asked));
  REQUIRE(
    find<effect::begin_checkin>(session::apply(s, event::session_quiet{})));
  return s;
}

bool says(const effects& list, ticket who, const std::string& part) {
  auto* found = find<effect::answer_refused>(list);
  return found != nullptr && found->who == who
         && found->why.code == errc::timeout
         && found->why.message.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("a DELETE during a check-in waits for it, and is answered when the "
          "session is over") {
  auto s = checking_in(1);
  REQUIRE(session::apply(s, event::terminate_asked{2}).empty());
  auto then =
    store(s, session::apply(s, event::checkin_saved{"c0ffee", birth}));
  CHECK(s.record.status == session_status::ended);
  CHECK(find<effect::answer_checkin>(then)->who == 1);
  CHECK(find<effect::answer_terminated>(then)->who == 2);
}

TEST_CASE("a check-in that fails under a DELETE ends the session, its work "
          "kept") {
  auto s = checking_in(1);
  session::apply(s, event::terminate_asked{2, false, {"k2", "Ada", ""}});
  auto failed =
    session::apply(s, event::checkin_failed{{errc::conflict, "it moved"}});
  CHECK(refused_with(failed, 1, errc::conflict,
                     "it moved; the session is ended by a DELETE, its work is "
                     "kept"));
  REQUIRE(find<effect::begin_rescue>(failed));
  auto saved = session::apply(s, event::rescue_saved{kept_refs, birth});
  auto& events = find<effect::persist>(saved)->events;
  REQUIRE(events.size() == 2);
  CHECK(events.at(0).kind == event_kind::checkin_finished);
  CHECK(std::get<std::string>(events.at(0).fields.at("result")) == "failed");
  CHECK(events.at(1).kind == event_kind::session_ended);
  auto then = store(s, saved);
  CHECK(s.record.status == session_status::terminated);
  CHECK(s.record.status_reason == "terminated by \"Ada\", an administrator");
  CHECK(s.record.rescue_refs == kept_refs);
  CHECK(find<effect::answer_terminated>(then)->who == 2);
}

TEST_CASE("a DELETE while a check-in begins ends the session, also where the "
          "store refuses that") {
  auto s = active_session();
  auto begun = session::apply(s, event::checkin_asked{1});
  REQUIRE(session::apply(s, event::terminate_asked{2}).empty());
  SECTION("it is stored") {
    store(s, begun);
    session::apply(s, event::session_quiet{});
    REQUIRE(find<effect::begin_rescue>(
      session::apply(s, event::checkin_failed{{errc::conflict, "no"}})));
  }
  SECTION("it is not") {
    auto refused =
      session::apply(s, event::store_refused{{errc::unavailable, "full"}});
    CHECK(refused_with(refused, 1, errc::unavailable, "full"));
    REQUIRE(
      find<effect::begin_rescue>(session::apply(s, event::session_quiet{})));
  }
  auto then =
    store(s, session::apply(s, event::rescue_saved{kept_refs, birth}));
  CHECK(s.record.status == session_status::terminated);
  CHECK(find<effect::answer_terminated>(then)->who == 2);
}

TEST_CASE("a DELETE of a session that expires or fails is answered with that "
          "end") {
  auto s = active_session(hour);
  SECTION("it expires") {
    session::apply(s, event::tick{birth + hour});
  }
  SECTION("its actor crashes") {
    session::apply(s, event::give_up{"crashed 6 times"});
  }
  REQUIRE(session::apply(s, event::terminate_asked{2}).empty());
  session::apply(s, event::session_quiet{});
  auto then =
    store(s, session::apply(s, event::rescue_saved{kept_refs, birth}));
  CHECK(find<effect::answer_terminated>(then)->who == 2);
}

TEST_CASE("every DELETE of a session that ends is answered with its end") {
  auto s = active_session();
  session::apply(s, event::terminate_asked{1});
  REQUIRE(session::apply(s, event::terminate_asked{2}).empty());
  session::apply(s, event::session_quiet{});
  auto then =
    store(s, session::apply(s, event::rescue_saved{kept_refs, birth}));
  CHECK(count<effect::answer_terminated>(then) == 2);
}

TEST_CASE("who waits too long for an end hears what is left of it") {
  SECTION("while the checkout is made") {
    auto s = new_session();
    session::apply(s, event::begin{});
    session::apply(s, event::terminate_asked{1});
    CHECK(says(session::apply(s, event::wait_ended{1}), 1,
               "its checkout is being made"));
  }
  SECTION("while the session goes to its end") {
    auto s = active_session();
    session::apply(s, event::terminate_asked{1});
    auto told = session::apply(s, event::wait_ended{1, birth + 1});
    CHECK(says(told, 1, "its commands are being stopped"));
    store(s, told);
    session::apply(s, event::terminate_asked{2});
    session::apply(s, event::session_quiet{});
    CHECK(says(session::apply(s, event::wait_ended{2, birth + 1}), 2,
               "its work is being saved under rescue refs"));
    session::apply(s, event::terminate_asked{3});
    session::apply(s, event::terminate_asked{4});
    auto saved = session::apply(s, event::rescue_saved{kept_refs, birth});
    // One that came before, and one that waits for the store.
    CHECK(says(session::apply(s, event::wait_ended{3}), 3, "being stored"));
    session::apply(s, event::terminate_asked{5});
    CHECK(says(session::apply(s, event::wait_ended{5}), 5, "being stored"));
    // It ends all the same.
    auto then = store(s, saved);
    CHECK(count<effect::answer_terminated>(then) == 1);
    CHECK(s.record.status == session_status::terminated);
  }
  SECTION("while another end is on its way") {
    auto s = checking_in(1);
    session::apply(s, event::terminate_asked{2});
    CHECK(says(session::apply(s, event::wait_ended{2}), 2,
               "its work is being checked in"));
  }
}

TEST_CASE("who waits too long for a check-in hears that it goes on, and waits "
          "for the same one by asking for it once more") {
  auto s = active_session();
  const event::checkin_asked first{1, {"key", "Ada", ""}, "done", true};
  store(s, session::apply(s, first));
  CHECK(says(session::apply(s, event::wait_ended{1}), 1,
             "the check-in goes on by itself: its commands are being stopped"));
  session::apply(s, event::session_quiet{});
  auto again = first;
  again.who = 2;
  REQUIRE(session::apply(s, again).empty());
  CHECK(says(session::apply(s, event::wait_ended{2}), 2,
             "its work is being checked in; send it once more"));
  SECTION("another one is not under way") {
    auto other = first;
    other.who = 4;
    SECTION("of another message") {
      other.message = "other";
    }
    SECTION("of another key") {
      other.by.key_id = "other";
    }
    SECTION("with a review") {
      other.skip_review = false;
    }
    SECTION("with a merge") {
      other.auto_merge = true;
    }
    CHECK(refused_with(session::apply(s, other), 4, errc::bad_request,
                       "session is not active"));
  }
  again.who = 3;
  REQUIRE(session::apply(s, again).empty());
  // Of two at the same time one succeeds.
  again.who = 5;
  CHECK(refused_with(session::apply(s, again), 5, errc::bad_request,
                     "session is not active"));
  auto then =
    store(s, session::apply(s, event::checkin_saved{"c0ffee", birth}));
  CHECK(count<effect::answer_checkin>(then) == 1);
  CHECK(find<effect::answer_checkin>(then)->who == 3);
  CHECK(s.record.status == session_status::ended);
}

TEST_CASE("who asks once more for a check-in while that is being stored hears "
          "that it goes on") {
  auto s = active_session();
  event::checkin_asked asked{1, {"key", "Ada", ""}, "done", true};
  auto begun = session::apply(s, asked);
  CHECK(says(session::apply(s, event::wait_ended{1}), 1,
             "the check-in goes on by itself: a change of it is being stored"));
  asked.who = 2;
  REQUIRE(session::apply(s, asked).empty());
  CHECK(says(session::apply(s, event::wait_ended{2}), 2,
             "the check-in goes on by itself"));
  asked.who = 3;
  asked.message = "other";
  REQUIRE(session::apply(s, asked).empty());
  CHECK(refused_with(session::apply(s, event::wait_ended{3}), 3,
                     errc::unavailable,
                     "the check-in was not begun, for a change of the session "
                     "is still being stored: nothing was done, try again"));
  store(s, begun);
  CHECK(s.record.status == session_status::checking_in);
}

TEST_CASE("a check-in that nobody waits for any more leads back where it comes "
          "to nothing") {
  auto s = checking_in(1);
  session::apply(s, event::wait_ended{1});
  store(s, session::apply(s, event::checkin_failed{{errc::conflict, "no"}}));
  CHECK(s.record.status == session_status::active);
  CHECK(find<effect::persist>(session::apply(s, event::checkin_asked{2})));
}

TEST_CASE("a check-in that waits for the store too long is not begun") {
  auto s = active_session();
  auto extended = session::apply(s, event::extend_asked{1, hour, birth});
  REQUIRE(session::apply(s, event::checkin_asked{2}).empty());
  auto told = session::apply(s, event::wait_ended{2});
  auto* refused = find<effect::answer_refused>(told);
  REQUIRE(refused);
  CHECK(refused->who == 2);
  CHECK(refused->why.code == errc::unavailable);
  store(s, extended);
  CHECK(s.record.status == session_status::active);
}

TEST_CASE("a DELETE holds when who asked has stopped waiting for the end") {
  const auto later = birth + 1;
  SECTION("and the check-in that it waited for comes to nothing") {
    auto s = checking_in(1);
    session::apply(s, event::terminate_asked{2});
    store(s, session::apply(s, event::wait_ended{2, later}));
    session::apply(s, event::session_quiet{});
    auto then =
      session::apply(s, event::checkin_failed{{errc::conflict, "no"}});
    CHECK(count<effect::begin_rescue>(then) == 1);
    then = store(s, session::apply(s, event::rescue_saved{kept_refs, birth}));
    CHECK(s.record.status == session_status::terminated);
  }
  SECTION("and the node is started anew before it") {
    auto s = GENERATE(active_session(), checking_in(1));
    session::apply(s, event::terminate_asked{2});
    store(s, session::apply(s, event::wait_ended{2, later}));
    CHECK(is_live(s.record.status));
    CHECK(s.record.expires_at == later);
    CHECK(s.record.expiry == on_expire::rescue);
    // Once is enough.
    session::apply(s, event::terminate_asked{3});
    CHECK(
      count<effect::persist>(session::apply(s, event::wait_ended{3, later + 1}))
      == 0);
  }
  SECTION("and it has waited for a change to be stored") {
    auto s = active_session();
    session::apply(s, event::extend_asked{1, hour, birth});
    event::terminate_asked asked{2};
    asked.now = later;
    REQUIRE(session::apply(s, asked).empty());
    CHECK(
      says(session::apply(s, event::wait_ended{2, later}), 2, "being stored"));
    auto then = session::apply(s, event::stored{});
    CHECK(find<effect::end_transfers>(then));
    // Nobody waits for it, and a restart must not forget it.
    CHECK(find<effect::persist>(then)->next.expires_at == later);
    session::apply(s, event::stored{});
    session::apply(s, event::session_quiet{});
    then = store(s, session::apply(s, event::rescue_saved{kept_refs, birth}));
    CHECK(s.record.status == session_status::terminated);
    CHECK(count<effect::answer_terminated>(then) == 0);
  }
  SECTION("and the node is started anew while the checkout is made") {
    auto s = new_session();
    session::apply(s, event::begin{});
    session::apply(s, event::terminate_asked{1});
    store(s, session::apply(s, event::wait_ended{1, later}));
    auto next = new_session();
    next.record = s.record;
    session::apply(next, event::begin{});
    store(next, session::apply(next, event::checkout_made{}));
    session::apply(next, event::checkout_installed{later});
    session::apply(next, event::tick{later});
    CHECK(next.why == ending::expire);
    CHECK(next.record.expiry == on_expire::rescue);
  }
}

TEST_CASE("that the upstream has the rescue refs is stored, and then said") {
  auto s = new_session(session_status::terminated);
  s.record.rescue_note = "here only; a file was not readable";
  auto pushed =
    session::apply(s, event::rescue_pushed{7, "a file was not readable"});
  auto* change = find<effect::persist>(pushed);
  REQUIRE(change);
  CHECK(change->events.empty());
  CHECK(find<effect::answer_noted>(pushed) == nullptr);
  CHECK(find<effect::answer_noted>(store(s, pushed))->who == 7);
  CHECK(s.record.rescue_note == "a file was not readable");
  CHECK(find<effect::answer_noted>(
          session::apply(s, event::rescue_pushed{8, "a file was not readable"}))
          ->who
        == 8);
  auto live = active_session();
  CHECK(refused_with(session::apply(live, event::rescue_pushed{9, ""}), 9,
                     errc::conflict));
}
