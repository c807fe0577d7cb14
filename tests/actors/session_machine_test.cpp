#include "actors/session_machine.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <string>
#include <vector>

using namespace greenroom;
using namespace greenroom::session;

namespace {

constexpr millis minute = 60'000;
constexpr millis hour = 60 * minute;
constexpr unix_ms birth = 1'000'000'000'000;

state new_session(session_status status = session_status::creating,
                  millis lifetime = 48 * hour) {
  state s;
  s.record.id = "aaaaaaaaaaaaaaaaaaaa";
  s.record.status = status;
  s.record.created_at = birth;
  s.record.expires_at = birth + lifetime;
  s.record.warned = first_warning(lifetime);
  s.bounds.max_concurrent = 2;
  s.bounds.max_queued = 2;
  return s;
}

template <class T>
const T* find(const effects& list) {
  for (auto& what : list)
    if (auto* found = std::get_if<T>(&what.as_variant()))
      return found;
  return nullptr;
}

template <class T>
std::size_t count(const effects& list) {
  return static_cast<std::size_t>(
    std::ranges::count_if(list, [](const effect& what) {
      return std::holds_alternative<T>(what.as_variant());
    }));
}

// Plays the store: takes the change, answers with what follows from it.
effects store(state& s, const effects& list) {
  auto* change = find<out::persist>(list);
  REQUIRE(change != nullptr);
  REQUIRE(busy(s));
  REQUIRE(change->next.version == s.record.version + 1);
  auto copy = *change;
  REQUIRE(session::apply(s, in::stored{copy.next}).empty());
  REQUIRE_FALSE(busy(s));
  return copy.then;
}

state active_session(millis lifetime = 48 * hour) {
  auto s = new_session(session_status::creating, lifetime);
  REQUIRE(find<out::make_checkout>(session::apply(s, in::begin{})));
  store(s, session::apply(s, in::checkout_made{}));
  REQUIRE(s.record.status == session_status::active);
  return s;
}

exec_spec command(std::string id, std::string text = "true") {
  exec_spec spec;
  spec.exec_id = std::move(id);
  spec.command = std::move(text);
  return spec;
}

exec_outcome exit_with(int code) {
  exec_outcome outcome;
  outcome.status = exec_status::exited;
  outcome.exit_code = code;
  return outcome;
}

bool refused_with(const effects& list, ticket who, errc code,
                  const std::string& message = "") {
  auto* found = find<out::answer_refused>(list);
  return found != nullptr && found->who == who && found->why.code == code
         && (message.empty() || found->why.message == message);
}

} // namespace

TEST_CASE("a session becomes active once its checkout is made and stored") {
  auto s = new_session();
  session::apply(s, in::begin{});
  REQUIRE(session::apply(s, in::start_asked{7}).empty());
  auto made = session::apply(s, in::checkout_made{});
  auto* change = find<out::persist>(made);
  REQUIRE(change);
  CHECK(change->events.at(0).kind == event_kind::session_created);
  // Nothing is promised before it is on disk.
  CHECK(s.record.status == session_status::creating);
  auto then = store(s, made);
  CHECK(s.record.status == session_status::active);
  CHECK(find<out::answer_session>(then)->who == 7);
  CHECK(find<out::arm>(then)->at == birth + 24 * hour);
}

TEST_CASE("a checkout that cannot be made fails the session and says why") {
  auto s = new_session();
  session::apply(s, in::begin{});
  session::apply(s, in::start_asked{7});
  auto then =
    store(s, session::apply(
               s, in::checkout_failed{{errc::unavailable, "no upstream"}, 5}));
  CHECK(s.record.status == session_status::failed);
  CHECK(s.record.status_reason == "no upstream");
  CHECK(s.record.ended_at == 5);
  CHECK(refused_with(then, 7, errc::unavailable, "no upstream"));
  CHECK(find<out::over>(then));
  CHECK(find<out::remove_checkout>(then));
}

TEST_CASE("a check-in goes through its steps in order") {
  auto s = active_session();
  auto asked = session::apply(s, in::checkin_asked{3, {"key", "Ada"}, "done"});
  CHECK(find<out::persist>(asked)->next.status == session_status::checking_in);
  CHECK(find<out::stop_runner>(asked) == nullptr);
  auto stored = store(s, asked);
  REQUIRE(find<out::stop_runner>(stored));
  CHECK(session::apply(s, in::checkin_saved{"too early"}).empty());
  REQUIRE(find<out::save_checkin>(session::apply(s, in::runner_stopped{})));
  auto saved = session::apply(s, in::checkin_saved{"c0ffee", birth + 5});
  auto* change = find<out::persist>(saved);
  REQUIRE(change);
  CHECK(change->events.front().kind == event_kind::checkin_finished);
  CHECK(change->events.back().kind == event_kind::session_ended);
  auto then = store(s, saved);
  CHECK(s.record.status == session_status::ended);
  CHECK(s.record.ended_at == birth + 5);
  CHECK(s.commit == "c0ffee");
  CHECK(find<out::answer_checkin>(then)->who == 3);
  CHECK(find<out::remove_checkout>(then));
}

TEST_CASE("a check-in that cannot be saved leaves the session active") {
  auto s = active_session();
  store(s, session::apply(s, in::checkin_asked{3, {}, ""}));
  session::apply(s, in::runner_stopped{});
  auto failed = session::apply(
    s, in::checkin_failed{{errc::conflict, "the branch has moved"}});
  CHECK(find<out::persist>(failed)->next.status == session_status::active);
  auto then = store(s, failed);
  CHECK(refused_with(then, 3, errc::conflict, "the branch has moved"));
  CHECK(s.why == ending::none);
  // It takes work again.
  CHECK(find<out::spawn_exec>(
    session::apply(s, in::exec_asked{4, command("a"), 1})));
}

TEST_CASE("a check-in that the store refuses leaves the session active") {
  auto s = active_session();
  session::apply(s, in::checkin_asked{3, {}, ""});
  session::apply(s, in::store_refused{});
  CHECK_FALSE(busy(s));
  CHECK(s.record.status == session_status::active);
  CHECK(find<out::spawn_exec>(
    session::apply(s, in::exec_asked{4, command("a"), 1})));
}

TEST_CASE("execs that waited go on when a check-in could not be stored") {
  auto s = active_session();
  for (auto id : {"a", "b", "c"})
    session::apply(s, in::exec_asked{1, command(id), 1});
  session::apply(s, in::checkin_asked{3, {}, ""});
  CHECK_FALSE(find<out::spawn_exec>(
    session::apply(s, in::exec_ended{"a", exit_with(0)})));
  CHECK(find<out::spawn_exec>(session::apply(s, in::store_refused{}))->exec_id
        == "c");
}

TEST_CASE("a check-in that was cut off by a crash is taken up again") {
  auto s = new_session(session_status::checking_in);
  REQUIRE(find<out::stop_runner>(session::apply(s, in::begin{})));
  REQUIRE(find<out::save_checkin>(session::apply(s, in::runner_stopped{})));
  store(s, session::apply(s, in::checkin_saved{"c0ffee", 1}));
  CHECK(s.record.status == session_status::ended);
}

TEST_CASE("an administrator's end keeps the work and names where") {
  auto s = active_session();
  REQUIRE(find<out::stop_runner>(session::apply(s, in::terminate_asked{9})));
  CHECK(refused_with(session::apply(s, in::exec_asked{1, command("a"), 1}), 1,
                     errc::bad_request, "session is not active"));
  REQUIRE(find<out::save_rescue>(session::apply(s, in::runner_stopped{})));
  auto then = store(s, session::apply(s, in::rescue_saved{{"refs/x"}, 1}));
  CHECK(s.record.status == session_status::terminated);
  CHECK(s.rescue_refs == std::vector<std::string>{"refs/x"});
  CHECK(find<out::answer_terminated>(then)->who == 9);
}

TEST_CASE("a session that is ended while its checkout is being made waits for "
          "the checkout") {
  auto s = new_session();
  session::apply(s, in::begin{});
  session::apply(s, in::start_asked{1});
  auto asked = session::apply(s, in::terminate_asked{2});
  CHECK(refused_with(asked, 1, errc::conflict));
  CHECK(find<out::stop_runner>(asked) == nullptr);
  CHECK(find<out::stop_runner>(session::apply(s, in::checkout_made{})));
  session::apply(s, in::runner_stopped{});
  store(s, session::apply(s, in::rescue_saved{{}, 1}));
  CHECK(s.record.status == session_status::terminated);
}

TEST_CASE("work that cannot be saved stays where it is, and the reason says "
          "where") {
  auto s = active_session();
  session::apply(s, in::terminate_asked{9});
  session::apply(s, in::runner_stopped{});
  auto then = store(s, session::apply(s, in::rescue_failed{"kept in x", 1}));
  CHECK(s.record.status == session_status::terminated);
  CHECK(s.record.status_reason.find("kept in x") != std::string::npos);
  CHECK(find<out::remove_checkout>(then) == nullptr);
  CHECK(find<out::over>(then));
}

TEST_CASE("users are warned a day, an hour and five minutes before the end") {
  auto s = active_session(48 * hour);
  std::vector<millis> given;
  for (auto left : {30 * hour, 24 * hour, 23 * hour, hour, 59 * minute,
                    5 * minute, minute}) {
    auto what = session::apply(s, in::tick{birth + 48 * hour - left});
    if (find<out::persist>(what)) {
      CHECK(find<out::persist>(what)->events.at(0).kind
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
  CHECK_FALSE(find<out::persist>(session::apply(s, in::tick{birth + minute})));
  CHECK(find<out::persist>(session::apply(s, in::tick{birth + 25 * minute})));
}

TEST_CASE("a session whose time is over expires, not a moment before") {
  auto s = active_session(hour);
  s.record.warned = 5 * minute;
  CHECK(find<out::stop_runner>(session::apply(s, in::tick{birth + hour - 1}))
        == nullptr);
  REQUIRE(find<out::stop_runner>(session::apply(s, in::tick{birth + hour})));
  REQUIRE(find<out::save_rescue>(session::apply(s, in::runner_stopped{})));
  store(s, session::apply(s, in::rescue_saved{{}, birth + hour}));
  CHECK(s.record.status == session_status::expired);
}

TEST_CASE("on_expire checkin checks in first, and rescues where it cannot") {
  auto works = GENERATE(true, false);
  auto s = active_session(hour);
  s.record.expiry = on_expire::checkin;
  session::apply(s, in::tick{birth + hour});
  REQUIRE(find<out::save_checkin>(session::apply(s, in::runner_stopped{})));
  if (works) {
    store(s, session::apply(s, in::checkin_saved{"c0ffee", birth + hour}));
  } else {
    REQUIRE(find<out::save_rescue>(
      session::apply(s, in::checkin_failed{{errc::conflict, "moved"}})));
    store(s, session::apply(s, in::rescue_saved{{}, birth + hour}));
  }
  CHECK(s.record.status == session_status::expired);
  CHECK(s.commit == (works ? "c0ffee" : ""));
}

TEST_CASE("extending moves the end, up to the session's longest life") {
  auto s = active_session(hour);
  auto then =
    store(s, session::apply(s, in::extend_asked{5, 3 * hour, birth + 1}));
  CHECK(s.record.expires_at == birth + 1 + 3 * hour);
  CHECK(find<out::answer_session>(then)->who == 5);
  CHECK(find<out::arm>(then)->at == s.record.expires_at - hour);
  store(s, session::apply(s, in::extend_asked{6, 30 * 24 * hour, birth + 2}));
  CHECK(s.record.expires_at == birth + s.bounds.max_lifetime);
}

TEST_CASE("execs run in order of arrival, no more at once than allowed") {
  auto s = active_session();
  CHECK(
    find<out::spawn_exec>(session::apply(s, in::exec_asked{1, command("a"), 1}))
      ->exec_id
    == "a");
  CHECK(find<out::spawn_exec>(
    session::apply(s, in::exec_asked{2, command("b"), 1})));
  CHECK_FALSE(find<out::spawn_exec>(
    session::apply(s, in::exec_asked{3, command("c"), 1})));
  session::apply(s, in::exec_asked{4, command("d"), 1});
  CHECK(refused_with(session::apply(s, in::exec_asked{5, command("e"), 1}), 5,
                     errc::overloaded));
  CHECK_FALSE(s.execs.contains("e"));
  auto ended = session::apply(s, in::exec_ended{"a", exit_with(0)});
  CHECK(find<out::publish_exec>(ended)->kind == event_kind::exec_exited);
  CHECK(find<out::spawn_exec>(ended)->exec_id == "c");
  CHECK(s.execs.at("a").status == exec_status::exited);
  CHECK(
    find<out::spawn_exec>(session::apply(s, in::exec_ended{"b", exit_with(1)}))
      ->exec_id
    == "d");
}

TEST_CASE("an exec's name with the same body is the same exec, with another "
          "it is refused") {
  auto s = active_session();
  session::apply(s, in::exec_asked{1, command("a"), 1});
  auto again = session::apply(s, in::exec_asked{2, command("a"), 2});
  CHECK(find<out::answer_exec_later>(again)->who == 2);
  CHECK(find<out::spawn_exec>(again) == nullptr);
  CHECK(
    refused_with(session::apply(s, in::exec_asked{3, command("a", "false"), 2}),
                 3, errc::exec_exists));
  CHECK(s.order.size() == 1);
}

TEST_CASE("an exec ends once, whatever comes after") {
  auto s = active_session();
  session::apply(s, in::exec_asked{1, command("a"), 1});
  session::apply(s, in::exec_started{"a", 2});
  session::apply(s, in::exec_ended{"a", exit_with(3)});
  CHECK(session::apply(s, in::exec_ended{"a", exec_outcome{}}).empty());
  CHECK(session::apply(s, in::exec_started{"a", 9}).empty());
  CHECK(s.execs.at("a").outcome.exit_code == 3);
  CHECK(s.running == 0);
}

TEST_CASE("canceling ends a waiting exec at once and kills a running one") {
  auto s = active_session();
  for (auto id : {"a", "b", "c"})
    session::apply(s, in::exec_asked{1, command(id), 1});
  auto waiting = session::apply(s, in::cancel_asked{2, "c", 5});
  CHECK(s.execs.at("c").status == exec_status::canceled);
  CHECK(find<out::answer_exec_ended>(waiting)->exec_id == "c");
  auto running = session::apply(s, in::cancel_asked{3, "a", 5});
  CHECK(find<out::kill_exec>(running)->exec_id == "a");
  CHECK(s.execs.at("a").status == exec_status::queued);
  CHECK(refused_with(session::apply(s, in::cancel_asked{4, "nobody", 5}), 4,
                     errc::not_found));
}

TEST_CASE("execs that still wait when the session ends are canceled") {
  auto s = active_session();
  for (auto id : {"a", "b", "c"})
    session::apply(s, in::exec_asked{1, command(id), 1});
  session::apply(s, in::terminate_asked{9});
  session::apply(s, in::exec_ended{"a", exit_with(0)});
  CHECK(s.execs.at("c").status == exec_status::queued);
  auto stopped = session::apply(s, in::runner_stopped{birth + 1});
  CHECK(s.execs.at("c").status == exec_status::canceled);
  CHECK(s.execs.at("c").outcome.ended_at == birth + 1);
  CHECK(count<out::spawn_exec>(stopped) == 0);
}

TEST_CASE("a session whose actor crashes again and again ends as failed, its "
          "work kept") {
  auto s = active_session();
  REQUIRE(
    find<out::stop_runner>(session::apply(s, in::give_up{"crashed 6 times"})));
  REQUIRE(find<out::save_rescue>(session::apply(s, in::runner_stopped{})));
  store(s, session::apply(s, in::rescue_saved{{}, 1}));
  CHECK(s.record.status == session_status::failed);
  CHECK(s.record.status_reason == "crashed 6 times");
}

TEST_CASE("a session that is over does nothing more, whatever is asked") {
  auto status = GENERATE(session_status::ended, session_status::expired,
                         session_status::terminated, session_status::failed);
  auto s = new_session(status);
  const refusal over{errc::bad_request, "session is not active"};
  for (input what : {input{in::extend_asked{1, hour, birth}},
                     input{in::checkin_asked{1}}, input{in::terminate_asked{1}},
                     input{in::exec_asked{1, command("a"), birth}}}) {
    auto result = session::apply(s, what);
    REQUIRE(result.size() == 1);
    CHECK(refused_with(result, 1, over.code, over.message));
  }
  for (input what :
       {input{in::begin{}}, input{in::checkout_made{}},
        input{in::checkout_failed{}}, input{in::checkin_saved{}},
        input{in::checkin_failed{}}, input{in::runner_stopped{}},
        input{in::rescue_saved{}}, input{in::rescue_failed{}},
        input{in::give_up{"x"}}, input{in::tick{birth + 1000 * hour}},
        input{in::exec_started{"a", 1}}, input{in::exec_ended{"a", {}}}})
    CHECK(session::apply(s, what).empty());
  CHECK(s.record.status == status);
}

TEST_CASE("a session that is being made refuses work but can be ended") {
  auto s = new_session();
  session::apply(s, in::begin{});
  for (input what :
       {input{in::extend_asked{1, hour, birth}}, input{in::checkin_asked{1}},
        input{in::exec_asked{1, command("a"), birth}}})
    CHECK(refused_with(session::apply(s, what), 1, errc::bad_request,
                       "session is not active"));
  for (input what : {input{in::checkin_saved{}}, input{in::checkin_failed{}},
                     input{in::runner_stopped{}}, input{in::rescue_saved{}},
                     input{in::tick{birth + 1000 * hour}}})
    CHECK(session::apply(s, what).empty());
  CHECK(s.record.status == session_status::creating);
}

TEST_CASE("a session that is checking in takes no other orders") {
  auto s = active_session();
  store(s, session::apply(s, in::checkin_asked{1, {}, ""}));
  for (input what : {input{in::extend_asked{2, hour, birth}},
                     input{in::checkin_asked{2}}, input{in::terminate_asked{2}},
                     input{in::exec_asked{2, command("a"), birth}}})
    CHECK(refused_with(session::apply(s, what), 2, errc::bad_request,
                       "session is not active"));
  // Its time may run out meanwhile: the check-in is the better end.
  CHECK(session::apply(s, in::tick{birth + 1000 * hour}).empty());
  CHECK(s.record.status == session_status::checking_in);
}
