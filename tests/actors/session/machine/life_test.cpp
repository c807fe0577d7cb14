// The life of a session, from its making to each of its ends.
#include "messages/left_work.hpp"
#include "tests/actors/session/machine/fixture.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace greenroom;
using namespace greenroom::session;

namespace {

const std::vector<rescue_ref> kept{{"refs/x", "c1", "the files"}};

} // namespace

TEST_CASE("a session becomes active once its checkout is made and stored") {
  auto s = new_session();
  session::apply(s, event::begin{});
  REQUIRE(session::apply(s, event::start_asked{7}).empty());
  auto made = session::apply(s, event::checkout_made{});
  auto* change = find<effect::persist>(made);
  REQUIRE(change);
  CHECK(change->events.at(0).kind == event_kind::session_created);
  // Nothing is promised before it is on disk.
  CHECK(s.record.status == session_status::creating);
  auto then = store(s, made);
  CHECK(s.record.status == session_status::active);
  CHECK(find<effect::answer_session>(then)->who == 7);
  CHECK(find<effect::arm>(then)->at == birth + 24 * hour);
}

TEST_CASE("a create is answered whenever it arrives") {
  auto s = new_session();
  session::apply(s, event::begin{});
  REQUIRE(session::apply(s, event::start_asked{1}).empty());
  auto made = session::apply(s, event::checkout_made{});
  // The change to active is on its way to the store.
  REQUIRE(session::apply(s, event::start_asked{2}).empty());
  auto then = store(s, made);
  CHECK(count<effect::answer_session>(then) == 2);
  CHECK(
    find<effect::answer_session>(session::apply(s, event::start_asked{3}))->who
    == 3);
}

TEST_CASE("a create of a session that fails is told why, whenever it arrives") {
  auto s = new_session();
  session::apply(s, event::begin{});
  session::apply(s, event::start_asked{1});
  auto failed =
    session::apply(s, event::checkout_failed{{errc::not_found, "no ref"}, 5});
  session::apply(s, event::start_asked{2});
  auto then = store(s, failed);
  CHECK(count<effect::answer_refused>(then) == 2);
  CHECK(refused_with(session::apply(s, event::start_asked{3}), 3,
                     errc::not_found, "no ref"));
  // Of one that has failed before, the record knows.
  auto old = new_session(session_status::failed);
  old.record.status_reason = "no disk";
  CHECK(refused_with(session::apply(old, event::start_asked{4}), 4,
                     errc::conflict, "the session failed: no disk"));
}

TEST_CASE("a create of a session that is ended before it is ready is refused") {
  auto s = new_session();
  session::apply(s, event::begin{});
  session::apply(s, event::start_asked{1});
  SECTION("by an administrator") {
    CHECK(refused_with(session::apply(s, event::terminate_asked{2}), 1,
                       errc::conflict));
    CHECK(refused_with(session::apply(s, event::start_asked{3}), 3,
                       errc::conflict,
                       "the session was terminated before it was ready"));
  }
  SECTION("because its actor crashes") {
    session::apply(s, event::give_up{"crashed 6 times"});
    session::apply(s, event::start_asked{3});
    session::apply(s, event::session_quiet{birth});
    auto then = store(s, session::apply(s, event::rescue_saved{{}, birth}));
    CHECK(count<effect::answer_refused>(then) == 2);
    CHECK(refused_with(then, 1, errc::unavailable, "crashed 6 times"));
  }
}

TEST_CASE("a session that is given up answers all who wait") {
  auto s = active_session();
  s.record.token_hash = "token";
  s.installing = true;
  REQUIRE(session::apply(s, event::transfer_asked{1, "token"}).empty());
  session::apply(s, event::terminate_asked{2});
  auto given_up = session::apply(s, event::give_up{"crashed 6 times"});
  CHECK(count<effect::answer_refused>(given_up) == 2);
}

TEST_CASE("nothing is done in a checkout before it is in its place") {
  auto s = new_session();
  session::apply(s, event::begin{});
  REQUIRE(find<effect::finish_checkout>(
    store(s, session::apply(s, event::checkout_made{}))));
  s.record.token_hash = "hash";
  // It is admitted, known, and answered once it has begun.
  auto asked = ask(s, 1, command("a"));
  CHECK(asked.empty());
  CHECK(session::apply(s, event::transfer_asked{2, "hash"}).empty());
  CHECK(refused_with(session::apply(s, event::transfer_asked{3, "other"}), 3,
                     errc::unauthorized,
                     "the token is not one of a live session"));
  CHECK(session::apply(s, event::look{}).empty());
  SECTION("then it is") {
    auto placed = session::apply(s, event::checkout_installed{birth});
    CHECK(find<effect::start_runner>(placed));
    CHECK(find<effect::spawn_exec>(session::apply(s, event::runner_found{}))
            ->exec_id
          == "a");
    CHECK(find<effect::answer_transfer>(placed)->who == 2);
    CHECK(find<effect::read_branch>(session::apply(s, event::look{})));
    CHECK(session::apply(s, event::checkout_installed{birth}).empty());
  }
  SECTION("an ending begins, and waits for it") {
    store(s, session::apply(s, event::checkin_asked{4}));
    CHECK(session::apply(s, event::session_quiet{birth}).empty());
    auto placed = session::apply(s, event::checkout_installed{birth});
    CHECK(find<effect::begin_checkin>(placed));
    CHECK_FALSE(find<effect::answer_transfer>(placed));
    CHECK(s.execs.at("a").status == exec_status::canceled);
  }
  SECTION("many transfers do not pile up") {
    for (ticket who = 10; who < 73; ++who)
      CHECK(session::apply(s, event::transfer_asked{who, "hash"}).empty());
    CHECK(refused_with(session::apply(s, event::transfer_asked{73, "hash"}), 73,
                       errc::overloaded,
                       "the session is being put on disk, try again"));
  }
  SECTION("one that is given up has nothing in it") {
    CHECK(find<effect::stop_runner>(session::apply(s, event::give_up{"x"})));
    CHECK(find<effect::begin_rescue>(
      session::apply(s, event::session_quiet{birth})));
  }
}

TEST_CASE("a session whose checkout was not in its place makes it anew") {
  auto s = new_session(session_status::active);
  s.installing = true;
  auto begun = session::apply(s, event::begin{});
  CHECK(find<effect::begin_checkout>(begun));
  CHECK(find<effect::arm>(begun));
  auto made = session::apply(s, event::checkout_made{});
  REQUIRE(made.size() == 1);
  CHECK(find<effect::finish_checkout>(made));
  session::apply(s, event::checkout_installed{birth});
  CHECK(s.record.status == session_status::active);
}

TEST_CASE("a checkout that cannot be put on disk fails the session") {
  auto s = new_session(session_status::active);
  s.installing = true;
  session::apply(s, event::begin{});
  store(s, session::apply(s, event::checkin_asked{4}));
  const refusal why{errc::unavailable, "no disk"};
  any_event what = GENERATE_COPY(any_event{event::checkout_install_failed{why}},
                                 any_event{event::checkout_failed{why, 5}});
  auto failed = session::apply(s, what);
  CHECK(refused_with(failed, 4, why.code, why.message));
  CHECK(find<effect::stop_runner>(failed));
  session::apply(s, event::session_quiet{birth});
  store(s, session::apply(s, event::rescue_saved{{}, birth}));
  CHECK(s.record.status == session_status::failed);
  CHECK(s.record.status_reason == "no disk");
}

TEST_CASE("a checkout that cannot be made fails the session and says why") {
  auto s = new_session();
  session::apply(s, event::begin{});
  session::apply(s, event::start_asked{7});
  auto then =
    store(s, session::apply(s, event::checkout_failed{
                                 {errc::unavailable, "no upstream"}, 5}));
  CHECK(s.record.status == session_status::failed);
  CHECK(s.record.status_reason == "no upstream");
  CHECK(s.record.ended_at == 5);
  CHECK(refused_with(then, 7, errc::unavailable, "no upstream"));
  CHECK(find<effect::over>(then));
  CHECK(find<effect::discard_checkout>(then));
}

TEST_CASE("a check-in goes through its steps in order") {
  auto s = active_session();
  auto asked =
    session::apply(s, event::checkin_asked{3, {"key", "Ada"}, "done"});
  CHECK(find<effect::persist>(asked)->next.status
        == session_status::checking_in);
  CHECK(find<effect::stop_runner>(asked) == nullptr);
  auto stored = store(s, asked);
  REQUIRE(find<effect::stop_runner>(stored));
  CHECK(session::apply(s, event::checkin_saved{"too early"}).empty());
  REQUIRE(
    find<effect::begin_checkin>(session::apply(s, event::session_quiet{})));
  REQUIRE(find<effect::request_review>(
    session::apply(s, event::checkin_saved{"c0ffee", birth + 4})));
  CHECK(session::apply(s, event::checkin_saved{"once more", birth}).empty());
  auto queued =
    session::apply(s, event::review_queued{some_review(), birth + 5});
  auto* change = find<effect::persist>(queued);
  REQUIRE(change);
  REQUIRE(change->events.size() == 3);
  CHECK(change->events[0].kind == event_kind::review_queued);
  CHECK(change->events[1].kind == event_kind::checkin_finished);
  CHECK(change->events[2].kind == event_kind::session_ended);
  auto then = store(s, queued);
  CHECK(s.record.status == session_status::ended);
  CHECK(s.record.ended_at == birth + 5);
  CHECK(s.record.commit == "c0ffee");
  CHECK(s.record.review_id == "r1");
  CHECK(find<effect::answer_checkin>(then)->who == 3);
  CHECK(find<effect::discard_checkout>(then));
}

TEST_CASE("a review that has begun as its session ends is told by that") {
  auto events_with = [](review_record review) {
    auto s = active_session();
    store(s, session::apply(s, event::checkin_asked{3, {"key", "Ada"}, ""}));
    session::apply(s, event::session_quiet{});
    session::apply(s, event::checkin_saved{"c0ffee", birth + 4});
    auto queued = session::apply(s, event::review_queued{review, birth + 5});
    std::vector<event_kind> kinds;
    auto* change = find<effect::persist>(queued);
    REQUIRE(change);
    for (auto& one : change->events)
      kinds.push_back(one.kind);
    return kinds;
  };
  using kinds = std::vector<event_kind>;
  auto review = some_review(review_status::running);
  CHECK(events_with(review)
        == kinds{event_kind::review_queued, event_kind::review_started,
                 event_kind::checkin_finished, event_kind::session_ended});
  // Nobody reviews what is merged without that.
  review.skipped = true;
  CHECK(events_with(review)
        == kinds{event_kind::review_queued, event_kind::checkin_finished,
                 event_kind::session_ended});
}

TEST_CASE("a check-in that cannot be saved leaves the session active") {
  auto s = active_session();
  store(s, session::apply(s, event::checkin_asked{3, {}, ""}));
  CHECK(find<effect::begin_checkin>(
    session::apply(s, event::runner_gone{"", birth})));
  auto failed = session::apply(
    s, event::checkin_failed{{errc::conflict, "the branch has moved"}});
  CHECK(find<effect::persist>(failed)->next.status == session_status::active);
  auto then = store(s, failed);
  CHECK(refused_with(then, 3, errc::conflict, "the branch has moved"));
  CHECK(s.why == ending::none);
  // It takes work again.
  CHECK(find<effect::start_runner>(ask(s, 4, command("a"))));
}

TEST_CASE("a check-in that the store refuses leaves the session active") {
  auto s = active_session();
  session::apply(s, event::checkin_asked{3, {}, ""});
  CHECK(refused_with(
    session::apply(s, event::store_refused{{errc::unavailable, "no store"}}), 3,
    errc::unavailable, "no store"));
  CHECK_FALSE(busy(s));
  CHECK(s.record.status == session_status::active);
  CHECK(find<effect::spawn_exec>(ask(s, 4, command("a"))));
}

TEST_CASE("a check-in that was cut off by a crash is taken up again") {
  auto s = new_session(session_status::checking_in);
  REQUIRE(find<effect::stop_runner>(session::apply(s, event::begin{})));
  REQUIRE(
    find<effect::begin_checkin>(session::apply(s, event::session_quiet{})));
  session::apply(s, event::checkin_saved{"c0ffee", 1});
  store(s, session::apply(s, event::review_queued{some_review(), 2}));
  CHECK(s.record.status == session_status::ended);
}

TEST_CASE("an administrator's end keeps the work and names where") {
  auto s = active_session();
  REQUIRE(
    find<effect::stop_runner>(session::apply(s, event::terminate_asked{9})));
  CHECK(refused_with(ask(s, 1, command("a")), 1, errc::bad_request,
                     "session is not active"));
  REQUIRE(
    find<effect::begin_rescue>(session::apply(s, event::session_quiet{})));
  auto then = store(s, session::apply(s, event::rescue_saved{kept, 1}));
  CHECK(s.record.status == session_status::terminated);
  CHECK(s.record.rescue_refs == kept);
  CHECK(find<effect::answer_terminated>(then)->who == 9);
}

TEST_CASE("a session that is ended while its checkout is being made waits for "
          "the checkout") {
  auto s = new_session();
  session::apply(s, event::begin{});
  session::apply(s, event::start_asked{1});
  auto asked = session::apply(s, event::terminate_asked{2});
  CHECK(refused_with(asked, 1, errc::conflict));
  CHECK(find<effect::stop_runner>(asked) == nullptr);
  CHECK(find<effect::stop_runner>(session::apply(s, event::checkout_made{})));
  session::apply(s, event::session_quiet{});
  store(s, session::apply(s, event::rescue_saved{{}, 1}));
  CHECK(s.record.status == session_status::terminated);
}

TEST_CASE("work that cannot be saved stays where it is, and the reason says "
          "where") {
  auto s = active_session();
  session::apply(s, event::terminate_asked{9});
  session::apply(s, event::session_quiet{});
  auto then = store(s, session::apply(s, event::rescue_failed{"kept in x", 1}));
  CHECK(s.record.status == session_status::terminated);
  CHECK(s.record.status_reason.find("kept in x") != std::string::npos);
  CHECK(find<effect::discard_checkout>(then) == nullptr);
  CHECK(find<effect::over>(then));
}

TEST_CASE("users are warned a day, an hour and five minutes before the end") {
  auto s = active_session(48 * hour);
  std::vector<millis> given;
  for (auto left : {30 * hour, 24 * hour, 23 * hour, hour, 59 * minute,
                    5 * minute, minute}) {
    auto what = session::apply(s, event::tick{birth + 48 * hour - left});
    if (find<effect::persist>(what)) {
      CHECK(find<effect::persist>(what)->events.at(0).kind
            == event_kind::session_expiring);
      store(s, what);
      given.push_back(left);
    }
  }
  CHECK(given == std::vector<millis>{24 * hour, hour, 5 * minute});
}

TEST_CASE("a session shorter than a warning is not given that warning") {
  auto s = active_session(30 * minute);
  CHECK(next_deadline(s.record) == birth + 25 * minute);
  CHECK_FALSE(
    find<effect::persist>(session::apply(s, event::tick{birth + minute})));
  CHECK(
    find<effect::persist>(session::apply(s, event::tick{birth + 25 * minute})));
}

TEST_CASE("a session whose time is over expires, not a moment before") {
  auto s = active_session(hour);
  s.record.warned = 5 * minute;
  CHECK(
    find<effect::stop_runner>(session::apply(s, event::tick{birth + hour - 1}))
    == nullptr);
  REQUIRE(
    find<effect::stop_runner>(session::apply(s, event::tick{birth + hour})));
  REQUIRE(
    find<effect::begin_rescue>(session::apply(s, event::session_quiet{})));
  store(s, session::apply(s, event::rescue_saved{{}, birth + hour}));
  CHECK(s.record.status == session_status::expired);
}

TEST_CASE("on_expire checkin checks in first, and rescues where it cannot") {
  auto works = GENERATE(true, false);
  auto s = active_session(hour);
  s.record.expiry = on_expire::checkin;
  session::apply(s, event::tick{birth + hour});
  REQUIRE(
    find<effect::begin_checkin>(session::apply(s, event::session_quiet{})));
  if (works) {
    session::apply(s, event::checkin_saved{"c0ffee", birth + hour});
    store(s,
          session::apply(s, event::review_queued{some_review(), birth + hour}));
  } else {
    REQUIRE(find<effect::begin_rescue>(
      session::apply(s, event::checkin_failed{{errc::conflict, "moved"}})));
    store(s, session::apply(s, event::rescue_saved{{}, birth + hour}));
  }
  CHECK(s.record.status == session_status::expired);
  CHECK(s.record.commit == (works ? "c0ffee" : ""));
}

TEST_CASE("extending moves the end, up to the session's longest life") {
  auto s = active_session(hour);
  auto then =
    store(s, session::apply(s, event::extend_asked{5, 3 * hour, birth + 1}));
  CHECK(s.record.expires_at == birth + 1 + 3 * hour);
  CHECK(find<effect::answer_session>(then)->who == 5);
  CHECK(find<effect::arm>(then)->at == s.record.expires_at - hour);
  store(s,
        session::apply(s, event::extend_asked{6, 30 * 24 * hour, birth + 2}));
  CHECK(s.record.expires_at == birth + s.bounds.max_lifetime);
}

TEST_CASE("a session whose actor crashes again and again ends as failed, its "
          "work kept") {
  auto s = active_session();
  REQUIRE(find<effect::stop_runner>(
    session::apply(s, event::give_up{"crashed 6 times"})));
  REQUIRE(
    find<effect::begin_rescue>(session::apply(s, event::session_quiet{})));
  store(s, session::apply(s, event::rescue_saved{{}, 1}));
  CHECK(s.record.status == session_status::failed);
  CHECK(s.record.status_reason == "crashed 6 times");
}

TEST_CASE("a session that is over does nothing more, whatever is asked") {
  auto status = GENERATE(session_status::ended, session_status::expired,
                         session_status::terminated, session_status::failed);
  auto s = new_session(status);
  const refusal over{errc::bad_request, "session is not active"};
  for (any_event what :
       {any_event{event::extend_asked{1, hour, birth}},
        any_event{event::checkin_asked{1}},
        any_event{event::terminate_asked{1}},
        any_event{event::rotate_asked{1, "h"}},
        any_event{event::exec_asked{1, command("a"), birth}}}) {
    auto result = session::apply(s, what);
    REQUIRE(result.size() == 1);
    CHECK(refused_with(result, 1, over.code, over.message));
  }
  for (any_event what : {any_event{event::begin{}},
                         any_event{event::checkout_made{}},
                         any_event{event::checkout_failed{}},
                         any_event{event::checkout_installed{}},
                         any_event{event::checkout_install_failed{}},
                         any_event{event::checkin_saved{}},
                         any_event{event::checkin_failed{}},
                         any_event{event::review_queued{}},
                         any_event{event::review_refused{}},
                         any_event{event::session_quiet{}},
                         any_event{event::rescue_saved{}},
                         any_event{event::rescue_failed{}},
                         any_event{event::pushed{"", "c0ffee"}},
                         any_event{event::look{}},
                         any_event{event::branch_polled{"c0ffee"}},
                         any_event{event::input_taken{1, ""}},
                         any_event{event::give_up{"x"}},
                         any_event{event::tick{birth + 1000 * hour}},
                         any_event{event::exec_running{"a", 1}},
                         any_event{event::exec_done{"a", {}}}})
    CHECK(session::apply(s, what).empty());
  CHECK(s.record.status == status);
}

TEST_CASE("a session that is being made refuses work but can be ended") {
  auto s = new_session();
  session::apply(s, event::begin{});
  for (any_event what : {any_event{event::extend_asked{1, hour, birth}},
                         any_event{event::checkin_asked{1}},
                         any_event{event::exec_asked{1, command("a"), birth}}})
    CHECK(refused_with(session::apply(s, what), 1, errc::bad_request,
                       "session is not active"));
  for (any_event what :
       {any_event{event::checkin_saved{}}, any_event{event::checkin_failed{}},
        any_event{event::session_quiet{}}, any_event{event::rescue_saved{}},
        any_event{event::tick{birth + 1000 * hour}}})
    CHECK(session::apply(s, what).empty());
  CHECK(s.record.status == session_status::creating);
}

TEST_CASE("a session that is checking in takes no other orders") {
  auto s = active_session();
  store(s, session::apply(s, event::checkin_asked{1, {}, ""}));
  for (any_event what : {any_event{event::extend_asked{2, hour, birth}},
                         any_event{event::checkin_asked{2}},
                         any_event{event::exec_asked{2, command("a"), birth}}})
    CHECK(refused_with(session::apply(s, what), 2, errc::bad_request,
                       "session is not active"));
  // Its time may run out meanwhile: the check-in is the better end.
  CHECK(session::apply(s, event::tick{birth + 1000 * hour}).empty());
  CHECK(s.record.status == session_status::checking_in);
}

TEST_CASE("a check-in queues no review where nobody wants one") {
  struct wish {
    bool skip_review;
    bool auto_merge;
    bool queued;
  };
  for (auto x : {wish{false, false, true}, wish{false, true, true},
                 wish{true, true, true}, wish{true, false, false}}) {
    auto s = active_session();
    store(s, session::apply(s, event::checkin_asked{
                                 3, {}, "", x.skip_review, x.auto_merge}));
    session::apply(s, event::session_quiet{});
    auto saved = session::apply(s, event::checkin_saved{"c0ffee", birth});
    CHECK((find<effect::request_review>(saved) != nullptr) == x.queued);
    CHECK((find<effect::persist>(saved) != nullptr) != x.queued);
  }
}

TEST_CASE("a check-in of nothing queues no review") {
  auto s = active_session();
  store(s, session::apply(s, event::checkin_asked{3, {}, ""}));
  session::apply(s, event::session_quiet{});
  store(s, session::apply(s, event::checkin_saved{"", birth}));
  CHECK(s.record.status == session_status::ended);
  CHECK(s.record.review_id.empty());
}

TEST_CASE("what a check-in was asked to do lies in the event that starts it") {
  auto s = active_session();
  auto asked = session::apply(
    s,
    event::checkin_asked{3, {"key", "Ada", "Ada <ada@x>"}, "done", true, true});
  auto& fields = find<effect::persist>(asked)->events.at(0).fields;
  CHECK(std::get<std::string>(fields.at("author")) == "Ada <ada@x>");
  CHECK(std::get<std::string>(fields.at("message")) == "done");
  CHECK(std::get<bool>(fields.at("skip_review")));
  CHECK(std::get<bool>(fields.at("auto_merge")));
}

TEST_CASE("a check-in whose review is refused leaves the session active") {
  auto s = active_session();
  store(s, session::apply(s, event::checkin_asked{3, {}, ""}));
  session::apply(s, event::session_quiet{});
  session::apply(s, event::checkin_saved{"c0ffee", birth});
  auto then = store(
    s, session::apply(s, event::review_refused{{errc::conflict, "no"}, birth}));
  // The branch has been pushed: there is no way back.
  CHECK(find<effect::answer_checkin>(then)->who == 3);
  CHECK(s.record.status == session_status::ended);
  CHECK(s.record.commit == "c0ffee");
  CHECK(s.record.status_reason == "checked in, but not reviewed (no)");
}

TEST_CASE("a session whose time is over ends although its review is refused") {
  auto s = active_session(hour);
  s.record.expiry = on_expire::checkin;
  session::apply(s, event::tick{birth + hour});
  session::apply(s, event::session_quiet{});
  session::apply(s, event::checkin_saved{"c0ffee", birth + hour});
  store(s, session::apply(
             s, event::review_refused{{errc::conflict, "no"}, birth + hour}));
  CHECK(s.record.status == session_status::expired);
  CHECK(s.record.commit == "c0ffee");
  CHECK(s.record.status_reason == "expired; checked in, but not reviewed (no)");
}

TEST_CASE("a repeated end is answered like the first, at any time") {
  auto s = active_session();
  store(s, session::apply(s, event::checkin_asked{3, {}, "", true}));
  event::checkin_asked again{4, {}, "", true};
  again.repeat = true;
  // While it goes on, it joins.
  REQUIRE(session::apply(s, again).empty());
  session::apply(s, event::session_quiet{});
  auto then =
    store(s, session::apply(s, event::checkin_saved{"c0ffee", birth}));
  CHECK(count<effect::answer_checkin>(then) == 2);
  // Afterwards it is told how that went.
  CHECK(find<effect::answer_checkin>(session::apply(s, again))->who == 4);
  CHECK(refused_with(session::apply(s, event::terminate_asked{5, true}), 5,
                     errc::bad_request, "session is not active"));
}

TEST_CASE("a repeated termination is answered like the first") {
  auto s = active_session();
  session::apply(s, event::terminate_asked{3});
  REQUIRE(session::apply(s, event::terminate_asked{4, true}).empty());
  session::apply(s, event::session_quiet{});
  auto then = store(s, session::apply(s, event::rescue_saved{kept, birth}));
  CHECK(count<effect::answer_terminated>(then) == 2);
  CHECK(find<effect::answer_terminated>(
          session::apply(s, event::terminate_asked{5, true}))
          ->who
        == 5);
}

TEST_CASE("every ending keeps where the work is that no branch has") {
  auto s = active_session();
  SECTION("a termination") {
    session::apply(s, event::terminate_asked{3});
    session::apply(s, event::session_quiet{});
    store(s, session::apply(s, event::rescue_saved{kept, birth, "here only"}));
  }
  SECTION("a check-in, after one that failed") {
    for (bool good : {false, true}) {
      event::checkin_asked asked;
      asked.who = 3;
      asked.skip_review = true;
      store(s, session::apply(s, asked));
      session::apply(s, event::session_quiet{});
      if (!good)
        store(s, session::apply(s, event::checkin_failed{}));
    }
    store(s, session::apply(
               s, event::checkin_saved{"c0ffee", birth, kept, "here only"}));
  }
  CHECK_FALSE(is_live(s.record.status));
  CHECK(s.record.rescue_refs == kept);
  CHECK(s.record.rescue_note == "here only");
}

TEST_CASE("what could not be saved stays where it is while the rest is kept") {
  auto s = active_session();
  const auto note = std::string{left_work_note} + "x";
  effects then;
  SECTION("a termination") {
    session::apply(s, event::terminate_asked{3});
    session::apply(s, event::session_quiet{});
    then = store(s, session::apply(s, event::rescue_saved{kept, birth, note}));
  }
  SECTION("a check-in") {
    event::checkin_asked asked;
    asked.who = 3;
    asked.skip_review = true;
    store(s, session::apply(s, asked));
    session::apply(s, event::session_quiet{});
    then = store(
      s, session::apply(s, event::checkin_saved{"c0ffee", birth, kept, note}));
  }
  CHECK_FALSE(is_live(s.record.status));
  CHECK(s.record.rescue_refs == kept);
  CHECK(s.record.rescue_note == note);
  CHECK_THAT(s.record.status_reason, Catch::Contains("is kept in sessions/"));
  CHECK(find<effect::discard_checkout>(then) == nullptr);
  CHECK(find<effect::over>(then));
}

TEST_CASE("a warning says how long is left, as a number") {
  auto s = active_session(48 * hour);
  auto due = session::apply(s, event::tick{birth + 24 * hour});
  auto& fields = find<effect::persist>(due)->events.at(0).fields;
  CHECK(std::get<std::int64_t>(fields.at("remaining_seconds")) == 24 * 3600);
}

TEST_CASE("the reason of an end that was asked for names who asked") {
  struct row {
    caller by;
    const char* reason;
  };
  for (auto& x :
       {row{{"k1", "ci", ""}, "terminated by \"ci\", the key that made it"},
        row{{"k2", "Ada", ""}, "terminated by \"Ada\", an administrator"},
        row{{}, "terminated"}}) {
    auto s = active_session();
    s.record.created_by = "k1";
    session::apply(s, event::terminate_asked{1, false, x.by});
    session::apply(s, event::session_quiet{birth});
    auto saved = session::apply(s, event::rescue_saved{{}, birth});
    CHECK(find<effect::persist>(saved)->next.status_reason == x.reason);
  }
}
