#include "runtime/store/webhooks.hpp"

#include "runtime/store/audit.hpp"
#include "runtime/store/project_events.hpp"
#include "runtime/store/reviews.hpp"
#include "runtime/store/sessions.hpp"
#include "runtime/store/sql.hpp"
#include "tests/runtime/store/fixture.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

using namespace greenroom;
using namespace greenroom::test;

namespace {

constexpr unix_ms start = 1'000'000'000'000;
const std::string secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const std::string other_secret = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

session_event event_of(const session_record& session, event_kind kind,
                       unix_ms time = start) {
  session_event event;
  event.version = session.version;
  event.kind = kind;
  event.time = time;
  return event;
}

struct webhook_fixture : store_fixture {
  webhook_record add(std::vector<std::string> types = {},
                     const std::string& project = "demo") {
    create_webhook what;
    what.webhook.id = make_id();
    what.webhook.project_id = project;
    what.webhook.url = "https://example.org/hook";
    what.webhook.types = std::move(types);
    what.webhook.created_by = "admin";
    what.webhook.created_at = start;
    what.secret = secret;
    return store::add_webhook(c, what).webhook;
  }

  /// One more change of the session, which announces these.
  void change(session_record& session, std::vector<event_kind> kinds,
              unix_ms time = start) {
    ++session.version;
    std::vector<session_event> events;
    for (auto kind : kinds)
      events.push_back(event_of(session, kind, time));
    REQUIRE(store::update_session(c, session, events));
  }

  std::vector<due_delivery> due(unix_ms now = start, std::uint32_t of_each = 10,
                                const std::string& owner = "") {
    return store::find_due(c, {owner, now, of_each});
  }

  /// As the deliverer would keep it.
  void end(const due_delivery& what, delivery_state state, unix_ms now = start,
           unix_ms next = 0, const std::string& disable = "",
           const std::string& as = "", const std::string& detail = "") {
    end_attempt result{what.delivery, disable, now, detail};
    auto& delivery = result.delivery;
    ++delivery.attempts;
    delivery.state = state;
    delivery.first_attempt_at = start;
    delivery.last_attempt_at = now;
    delivery.next_attempt_at = next;
    delivery.status = state == delivery_state::delivered ? 200 : 500;
    delivery.error = state == delivery_state::delivered ? "" : "no luck";
    delivery.took = 7;
    store::keep_attempt(c, result, as, "here");
  }

  webhook_record only() {
    auto all = store::webhooks_of(c, "demo");
    REQUIRE(all.size() == 1);
    return all.front();
  }
  /// Those of a session alone, in the order in which they were made.
  std::vector<webhook_record> webhooks_of(const std::string& session_id) {
    auto all = store::webhooks_of(c, "demo");
    std::erase_if(
      all, [&](const auto& one) { return one.session_id != session_id; });
    std::ranges::sort(all, {}, &webhook_record::id);
    return all;
  }
  std::vector<delivery_record> listed(const webhook_record& webhook,
                                      const std::string& state = "") {
    return store::deliveries_of(c, {"demo", webhook.id, state, 0, ""})
      .deliveries;
  }
};

std::vector<std::string> types_of(const std::vector<due_delivery>& due) {
  std::vector<std::string> result;
  for (auto& one : due)
    result.push_back(one.delivery.type);
  return result;
}

using texts = std::vector<std::string>;

} // namespace

TEST_CASE_METHOD(webhook_fixture, "a webhook is kept, changed and removed") {
  auto made = add({"session.created", "session.ended"});
  CHECK(only() == made);
  CHECK(made.types == texts{"session.created", "session.ended"});
  change_webhook change;
  change.project_id = "demo";
  change.webhook_id = made.id;
  change.has_url = change.has_types = true;
  change.url = "http://example.org/other";
  auto changed = store::alter_webhook(c, change, start);
  CHECK(changed.url == change.url);
  CHECK(changed.types.empty());
  CHECK(only() == changed);
  const refusal missing{errc::not_found, "webhook not found"};
  change.project_id = "other";
  CHECK(refusal_of([&] { store::alter_webhook(c, change, start); }) == missing);
  CHECK(refusal_of([&] { store::remove_webhook(c, "other", made.id); })
        == missing);
  store::remove_webhook(c, "demo", made.id);
  CHECK(store::webhooks_of(c, "demo").empty());
  CHECK(refusal_of([&] { store::remove_webhook(c, "demo", made.id); })
        == missing);
}

TEST_CASE_METHOD(webhook_fixture, "the same webhook is made once, and a "
                                  "project has only so many") {
  create_webhook what;
  what.webhook.id = make_id();
  what.webhook.project_id = "demo";
  what.secret = secret;
  CHECK(store::add_webhook(c, what).fresh);
  CHECK_FALSE(store::add_webhook(c, what).fresh);
  for (std::size_t i = 1; i < store::max_webhooks_of_project; ++i)
    add();
  CHECK(refusal_of([&] { add(); })
        == refusal{errc::quota_exceeded,
                   "project \"demo\" has 20 webhooks, and may have no more; "
                   "remove one first"});
  CHECK(refusal_of([&] { add({}, "none"); })
        == refusal{errc::not_found, "project not found"});
}

TEST_CASE_METHOD(webhook_fixture, "what a session announces is queued with the "
                                  "change, for whoever wants it") {
  auto all = add();
  auto ends = add({"session.ended"});
  auto session = insert(some_session("a"));
  session.token_hash = std::string(64, 'f');
  change(session, {event_kind::checkin_finished, event_kind::session_ended});
  // The same write once more queues nothing.
  CHECK(store::update_session(c, session,
                              {event_of(session, event_kind::session_ended)}));
  CHECK(listed(all).size() == 2);
  CHECK(listed(ends).size() == 1);
  auto found = due();
  REQUIRE(found.size() == 2); // of each the oldest
  for (auto& one : found) {
    CHECK(one.secret == secret);
    CHECK(one.delivery.session_id == session.id);
    auto expected = session;
    expected.token_hash.clear();
    CHECK(one.session == expected);
  }
  // Another project's are another's.
  store::put_project(c, some_project("other"));
  auto foreign = insert(some_session("a", "other"));
  change(foreign, {event_kind::session_extended});
  CHECK(due().size() == 2);
}

TEST_CASE_METHOD(webhook_fixture, "a session's webhooks are there with it, and "
                                  "told of it alone") {
  auto of_project = add();
  auto session = some_session("a");
  const std::vector<session_webhook> wanted{
    {"https://example.org/one", "first", {}, secret},
    {"https://example.org/two", "", {"session.ended"}, other_secret}};
  REQUIRE(store::insert_session(c, session, 100, 0, wanted)
          == store::insert_result::ok);
  auto own = webhooks_of(session.id);
  REQUIRE(own.size() == 2);
  for (std::size_t i = 0; i < own.size(); ++i) {
    CHECK(own[i].id == session_webhook_id(session.id, i));
    CHECK(is_id(own[i].id));
    CHECK(own[i].project_id == "demo");
    CHECK(own[i].url == wanted[i].url);
    CHECK(own[i].description == wanted[i].description);
    CHECK(own[i].types == wanted[i].types);
    CHECK(own[i].created_by == session.created_by);
    CHECK(own[i].created_at == session.created_at);
    CHECK(own[i].enabled);
  }
  change(session, {event_kind::session_created});
  change(session, {event_kind::session_ended});
  auto other = insert(some_session("b"));
  change(other, {event_kind::session_created});
  CHECK(listed(own[0]).size() == 2);
  CHECK(listed(own[1]).size() == 1);
  CHECK(listed(of_project).size() == 3);
  for (auto& one : due())
    if (one.webhook.id == own[1].id)
      CHECK(one.secret == other_secret);
}

TEST_CASE_METHOD(webhook_fixture, "a node of before there were webhooks of "
                                  "sessions tells none of another session") {
  auto of_project = add();
  auto session = some_session("a");
  store::insert_session(c, session, 100, 0,
                        {{"https://example.org/one", "", {}, secret}});
  auto own = webhooks_of(session.id);
  REQUIRE(own.size() == 1);
  auto told_by_older = [&] {
    int result = 0;
    c.self().sql << "SELECT COUNT(*) FROM webhooks WHERE project_id = 'demo'"
                    " AND enabled = 1",
      soci::into(result);
    return result;
  };
  CHECK(told_by_older() == 1);
  change_webhook what;
  what.project_id = "demo";
  what.has_enabled = true;
  for (auto id : {of_project.id, own[0].id})
    for (auto enabled : {false, true}) {
      what.webhook_id = id;
      what.enabled = enabled;
      CHECK(store::alter_webhook(c, what, start).enabled == enabled);
    }
  CHECK(told_by_older() == 1);
  change(session, {event_kind::session_created});
  CHECK(types_of(due())
        == texts{"webhook.disabled", "session.created", "session.created"});
}

TEST_CASE_METHOD(webhook_fixture, "a session that is not inserted leaves no "
                                  "webhook") {
  const std::vector<session_webhook> wanted{
    {"https://example.org/one", "", {}, secret}};
  auto first = insert(some_session("a"));
  auto insert_other = [&](const std::string& branch, std::uint32_t max,
                          std::uint32_t of_key) {
    return store::insert_session(c, some_session(branch), max, of_key, wanted);
  };
  CHECK(insert_other("b", 1, 0) == store::insert_result::no_slot);
  CHECK(insert_other("a", 2, 0) == store::insert_result::branch_taken);
  CHECK(insert_other("b", 2, 1) == store::insert_result::key_full);
  auto same = first;
  same.branch = "b";
  CHECK(refusal_of([&] { store::insert_session(c, same, 2, 0, wanted); }).code
        == errc::conflict);
  // Nor does a webhook that cannot be kept leave its session.
  auto broken = some_session("b");
  CHECK(refusal_of([&] {
          store::insert_session(c, broken, 2, 0,
                                {{std::string(1, '\0'), "", {}, secret}});
        }).code
        == errc::bad_request);
  CHECK_FALSE(store::find_session(c, broken.id));
  CHECK(store::webhooks_of(c, "demo").empty());
}

TEST_CASE_METHOD(webhook_fixture, "the webhooks of a session get new secrets, "
                                  "those that are left") {
  auto session = some_session("a");
  store::insert_session(c, session, 100, 0,
                        {{"https://example.org/one", "", {}, secret},
                         {"https://example.org/two", "", {}, secret}});
  auto own = webhooks_of(session.id);
  REQUIRE(own.size() == 2);
  store::remove_webhook(c, "demo", own[0].id);
  greenroom::renew_secrets what{"demo", session.id, {secret, other_secret}};
  CHECK(store::renew_secrets(c, what) == std::vector{own[1]});
  change(session, {event_kind::session_created});
  REQUIRE(due().size() == 1);
  CHECK(due().front().secret == other_secret);
  what.project_id = "other";
  CHECK(store::renew_secrets(c, what).empty());
  // A project's are nobody else's to change.
  auto of_project = add();
  CHECK(store::renew_secrets(c, {"demo", of_project.id, {secret}}).empty());
}

TEST_CASE_METHOD(webhook_fixture,
                 "a session's webhook is not changed to hear of "
                 "other webhooks") {
  auto session = some_session("a");
  store::insert_session(c, session, 100, 0,
                        {{"https://example.org/one", "", {}, secret}});
  const auto own = webhooks_of(session.id);
  REQUIRE(own.size() == 1);
  change_webhook change;
  change.project_id = "demo";
  change.webhook_id = own[0].id;
  change.has_types = change.has_enabled = true;
  change.enabled = false;
  change.types = {"session.ended", "webhook.disabled"};
  CHECK(
    refusal_of([&] { store::alter_webhook(c, change, start); })
    == refusal{errc::bad_request,
               "types: \"webhook.disabled\" is not delivered to a webhook of "
               "a session; use a webhook of the project for that"});
  CHECK(webhooks_of(session.id) == own);
  change.types = {"session.ended"};
  CHECK(store::alter_webhook(c, change, start).types == change.types);
  // A project's may be.
  change.webhook_id = add().id;
  change.types = {"webhook.disabled"};
  CHECK(store::alter_webhook(c, change, start).types == change.types);
}

TEST_CASE_METHOD(webhook_fixture, "a session's webhooks count among no "
                                  "project's twenty") {
  for (int i = 0; i < 6; ++i) {
    std::vector<session_webhook> wanted(
      max_webhooks_of_session, {"https://example.org/one", "", {}, secret});
    store::insert_session(c, some_session("b" + std::to_string(i)), 100, 0,
                          wanted);
  }
  for (std::size_t i = 0; i < store::max_webhooks_of_project; ++i)
    add();
  CHECK(refusal_of([&] { add(); }).code == errc::quota_exceeded);
}

TEST_CASE_METHOD(webhook_fixture, "the live sessions of a project have only so "
                                  "many webhooks together") {
  auto insert_with = [&](std::size_t count,
                         const std::string& project = "demo") {
    auto session = some_session("b-" + make_id(), project);
    REQUIRE(store::insert_session(
              c, session, 100, 0,
              std::vector<session_webhook>(
                count, {"https://example.org/one", "", {}, secret}))
            == store::insert_result::ok);
    return session;
  };
  store::put_project(c, some_project("other"));
  insert_with(5, "other");
  auto first = insert_with(5);
  for (auto left = store::max_webhooks_of_live_sessions - 5; left > 0;
       left -= 5)
    insert_with(5);
  const auto made = store::webhooks_of(c, "demo").size();
  auto one_more = some_session("one-more");
  CHECK(refusal_of([&] {
          store::insert_session(c, one_more, 100, 0,
                                {{"https://example.org/one", "", {}, secret}});
        })
        == refusal{errc::quota_exceeded,
                   "the sessions of project \"demo\" that live have 100 "
                   "webhooks, and may have 100; use the project's webhooks, or "
                   "end sessions that have some"});
  CHECK_FALSE(store::find_session(c, one_more.id));
  CHECK(store::webhooks_of(c, "demo").size() == made);
  insert_with(0);
  store_fixture::end(first);
  insert_with(5);
  insert_with(5, "other");
}

TEST_CASE_METHOD(webhook_fixture,
                 "a session's webhook that is disabled is told "
                 "to the project, and to its session") {
  auto of_project = add({"webhook.disabled"});
  auto session = some_session("a");
  store::insert_session(c, session, 100, 0,
                        {{"https://example.org/one", "", {}, secret},
                         {"https://example.org/two", "", {}, secret}});
  auto own = webhooks_of(session.id);
  REQUIRE(own.size() == 2);
  change(session, {event_kind::session_created});
  for (auto& one : due())
    if (one.webhook.id == own[0].id)
      end(one, delivery_state::failed, start, 0, "it is broken");
  CHECK_FALSE(webhooks_of(session.id)[0].enabled);
  CHECK(listed(own[1]).size() == 1); // is told of its session only
  REQUIRE(listed(of_project).size() == 1);
  CHECK(listed(of_project).front().type == "webhook.disabled");
  find_live what;
  what.events_after = 0;
  what.sessions = {session.id};
  auto told = store::project_events_after(c, what);
  REQUIRE(told.size() == 1);
  CHECK(told[0].session_id == session.id);
  CHECK(told[0].fields[0].text == own[0].id);
}

TEST_CASE_METHOD(webhook_fixture,
                 "a session's webhook goes when all is over and "
                 "delivered") {
  const auto hour = store::ended_webhook_kept;
  auto of_project = add();
  auto session = some_session("a");
  store::insert_session(c, session, 100, 0,
                        {{"https://example.org/one", "", {}, secret}});
  auto own = webhooks_of(session.id);
  REQUIRE(own.size() == 1);
  auto stays = [&](unix_ms now) {
    store::trim(c, {0, 1000, 1000, now});
    return !webhooks_of(session.id).empty();
  };
  auto deliver_all = [&](unix_ms now) {
    for (auto all = due(now); !all.empty(); all = due(now))
      for (auto& one : all)
        end(one, delivery_state::delivered, now);
  };
  change(session, {event_kind::session_created});
  deliver_all(start);
  CHECK(stays(start + 2 * hour)); // its session lives
  review_record review;
  review.id = make_id();
  review.project_id = "demo";
  review.session_id = session.id;
  review.status = review_status::queued;
  store::put_review(c, review);
  session.status = session_status::ended;
  session.ended_at = start;
  change(session, {event_kind::session_ended});
  CHECK(stays(start + 2 * hour)); // nor is it delivered
  deliver_all(start + hour);
  CHECK(stays(start + 3 * hour)); // its review waits
  review.status = review_status::rejected;
  review.ended_at = start + 3 * hour;
  store::put_review(c, review);
  CHECK(listed(own[0]).size() == 3);
  CHECK(stays(start + 5 * hour)); // that has yet to be told
  auto failed = due(start + 5 * hour);
  for (auto& one : failed)
    end(one,
        one.webhook.id == own[0].id ? delivery_state::failed
                                    : delivery_state::delivered,
        start + 5 * hour);
  CHECK(stays(start + 7 * hour)); // it can be sent again
  store::queue_again(c, {"demo", own[0].id, ""}, start + 7 * hour);
  deliver_all(start + 7 * hour);
  CHECK(stays(start + 8 * hour)); // it can be looked at for a while
  CHECK_FALSE(stays(start + 8 * hour + 1));
  CHECK(refusal_of([&] { listed(own[0]); }).code == errc::not_found);
  CHECK(store::webhooks_of(c, "demo").size() == 1);
  CHECK(listed(of_project).size() == 3);
}

TEST_CASE_METHOD(webhook_fixture, "what is not written is not queued") {
  add();
  auto session = insert(some_session("a"));
  auto stale = session;
  stale.epoch += 1;
  ++stale.version;
  CHECK_FALSE(store::update_session(
    c, stale, {event_of(stale, event_kind::session_extended)}));
  CHECK(due().empty());
}

TEST_CASE_METHOD(webhook_fixture, "a session's deliveries are due one after "
                                  "the other, sessions' beside each other") {
  auto webhook = add();
  auto one = insert(some_session("a"));
  auto other = insert(some_session("b"));
  change(one, {event_kind::session_created});
  change(one, {event_kind::checkin_started, event_kind::checkin_finished});
  change(other, {event_kind::session_extended}, start - 10);
  CHECK(types_of(due()) == texts{"session.extended", "session.created"});
  CHECK(due(start, 1).size() == 1);
  CHECK(due(start - 11).empty());
  auto first = due().back();
  // One that failed holds back what comes after it, and nobody else.
  end(first, delivery_state::pending, start, start + 1000);
  CHECK(types_of(due()) == texts{"session.extended"});
  CHECK(only().failing_since == start);
  CHECK(only().last_error == "no luck");
  CHECK(due(start + 1000).size() == 2);
  auto again = due(start + 1000);
  end(again.back(), delivery_state::delivered, start + 1000);
  CHECK(again.back().delivery.id == first.delivery.id);
  CHECK(again.back().delivery.attempts == 1);
  CHECK(only().failing_since == 0);
  CHECK(only().delivered_at == start + 1000);
  CHECK(types_of(due()) == texts{"session.extended", "checkin.started"});
  end(due().back(), delivery_state::failed);
  CHECK(types_of(due()) == texts{"session.extended", "checkin.finished"});
  // A result that comes late changes nothing any more.
  end(first, delivery_state::pending, start, start + 1000);
  CHECK(listed(webhook, "delivered").size() == 1);
}

TEST_CASE_METHOD(webhook_fixture, "a list has pages, newest first") {
  auto webhook = add();
  auto session = insert(some_session("a"));
  for (int i = 0; i < 5; ++i)
    change(session, {event_kind::session_extended}, start + i);
  texts seen;
  list_deliveries query{"demo", webhook.id, "", 2, ""};
  do {
    auto page = store::deliveries_of(c, query);
    for (auto& one : page.deliveries)
      seen.push_back(std::to_string(one.created_at - start));
    query.cursor = page.next_cursor;
  } while (!query.cursor.empty());
  CHECK(seen == texts{"4", "3", "2", "1", "0"});
  CHECK(listed(webhook, "failed").empty());
  CHECK(refusal_of([&] {
          store::deliveries_of(c, {"other", webhook.id, "", 0, ""});
        }).message
        == "webhook not found");
}

TEST_CASE_METHOD(webhook_fixture, "what is disabled gets nothing, and the "
                                  "others are told") {
  auto broken = add();
  auto other = add({"webhook.disabled", "session.ended"});
  auto deaf = add({"session.ended"});
  auto session = insert(some_session("a"));
  change(session, {event_kind::session_created});
  change(session, {event_kind::session_extended});
  end(due().front(), delivery_state::failed, start, 0, "it is broken", "",
      "at last: 10.0.0.1 refused");
  const std::string whole = "it is broken; at last: 10.0.0.1 refused";
  auto failed = listed(broken);
  REQUIRE(failed.size() == 2);
  for (auto& one : failed) {
    CHECK(one.state == delivery_state::failed);
    CHECK(one.error
          == (one.attempts == 0 ? "the webhook was disabled" : "no luck"));
  }
  CHECK(types_of(due()) == texts{"webhook.disabled"});
  CHECK(due().front().webhook.id == other.id);
  auto audit = store::list_audit(c, {}).entries;
  REQUIRE(audit.size() == 1);
  CHECK(audit[0].key_name == "greenroom");
  CHECK(audit[0].node == "here");
  CHECK(audit[0].object == broken.id);
  CHECK(audit[0].project_id == "demo");
  CHECK(due().front().fields.size() == 3);
  CHECK(due().front().fields[2].text == whole);
  for (auto& one : store::webhooks_of(c, "demo"))
    CHECK((one.id == broken.id) == (one.disabled_reason == whole));
  find_live after;
  after.events_after = 0;
  auto told = store::project_events_after(c, after);
  REQUIRE(told.size() == 1);
  CHECK(told[0].type == "webhook.disabled");
  CHECK(told[0].session_id.empty());
  REQUIRE(told[0].fields.size() == 2); // not its URL, nor where that leads
  CHECK(told[0].fields[0].text == broken.id);
  CHECK(told[0].fields[1].text == "it is broken");
  change(session, {event_kind::session_extended});
  CHECK(listed(broken).size() == 2);
  CHECK(refusal_of([&] {
          store::queue_again(c, {"demo", broken.id, ""}, start);
        }).code
        == errc::conflict);
  change_webhook enable;
  enable.project_id = "demo";
  enable.webhook_id = broken.id;
  enable.has_enabled = enable.enabled = true;
  auto enabled = store::alter_webhook(c, enable, start);
  CHECK(enabled.enabled);
  CHECK(enabled.disabled_reason.empty());
  // What failed can be sent again, in its order and with its ids.
  auto queued = store::queue_again(c, {"demo", broken.id, ""}, start + 5);
  CHECK(queued.size() == 2);
  auto found = due(start + 5);
  REQUIRE(types_of(found) == texts{"webhook.disabled", "session.created"});
  CHECK(found.back().delivery.attempts == 0);
  auto disable = enable;
  disable.enabled = false;
  disable.by = {"k1", "Ada", "", "r1"};
  CHECK(store::alter_webhook(c, disable, start).disabled_reason
        == "disabled by \"Ada\" (request r1)");
}

TEST_CASE_METHOD(webhook_fixture, "a review that is decided after its session "
                                  "ended is told once") {
  auto hook = add({"review.finished"});
  auto session = insert(some_session("a"));
  review_record review;
  review.id = make_id();
  review.project_id = "demo";
  review.session_id = session.id;
  review.branch = "work";
  review.target = "main";
  review.status = review_status::queued;
  review.created_at = start;
  auto is_now = [&](review_status status, unix_ms ended_at) {
    review.status = status;
    review.ended_at = ended_at;
    store::put_review(c, review);
  };
  is_now(review_status::queued, 0);
  CHECK(due().empty());
  is_now(review_status::approved, start);
  is_now(review_status::approved, start); // as one that is not sure
  REQUIRE(types_of(due()) == texts{"review.finished"});
  CHECK(due().front().session.id == session.id);
  CHECK(due().front().fields[1].text == "approved");
  // Merged later: that is told after it.
  is_now(review_status::running, 0);
  is_now(review_status::merged, start);
  REQUIRE(listed(hook).size() == 2);
  REQUIRE(due().size() == 1);
  end(due().front(), delivery_state::delivered);
  CHECK(due().front().fields[1].text == "merged");
  // Who watches the project is told of each step, once.
  auto told = [&](std::uint64_t after) {
    find_live what;
    what.events_after = after;
    texts result;
    for (auto& one : store::project_events_after(c, what))
      result.push_back(one.type);
    return result;
  };
  CHECK(told(0)
        == texts{"review.finished", "review.started", "review.finished"});
  CHECK(told(2) == texts{"review.finished"});
  CHECK(store::last_project_event(c) == 3);
  find_live elsewhere;
  elsewhere.events_after = 0;
  elsewhere.projects = {"other", "none"};
  CHECK(store::project_events_after(c, elsewhere).empty());
  elsewhere = {{"demo"}, {session.id}, 0, {}, 0};
  auto all = store::project_events_after(c, elsewhere);
  REQUIRE(all.size() == 3);
  CHECK(all.back().session_id == session.id);
  CHECK(all.back().fields[1].text == "merged");
  // What needs no judgement is told of by the session that ends.
  review.id = make_id();
  review.skipped = true;
  is_now(review_status::running, 0);
  is_now(review_status::merged, start);
  CHECK(listed(hook).size() == 2);
}

TEST_CASE_METHOD(webhook_fixture, "one delivery is sent again, whatever became "
                                  "of it") {
  auto webhook = add();
  auto session = insert(some_session("a"));
  change(session, {event_kind::session_created});
  auto first = due().front();
  end(first, delivery_state::delivered);
  CHECK(due().empty());
  auto queued =
    store::queue_again(c, {"demo", webhook.id, first.delivery.id}, start + 5);
  REQUIRE(queued.size() == 1);
  CHECK(queued.front().id == first.delivery.id);
  CHECK(due(start + 5).front().delivery.id == first.delivery.id);
  CHECK(refusal_of([&] {
          store::queue_again(c, {"demo", webhook.id, make_id()}, start);
        })
        == refusal{errc::not_found, "delivery not found"});
}

TEST_CASE_METHOD(webhook_fixture, "a test holds nothing up, and is due only "
                                  "when nobody has sent it") {
  auto webhook = add();
  auto test = store::add_test(c, {"demo", webhook.id, start + 100}, start);
  CHECK(test.delivery.type == "webhook.test");
  CHECK(test.secret == secret);
  auto session = insert(some_session("a"));
  change(session, {event_kind::session_created});
  CHECK(types_of(due()) == texts{"session.created"});
  CHECK(due(start + 100).size() == 2);
  end(test, delivery_state::failed);
  CHECK(types_of(due(start + 100)) == texts{"session.created"});
}

TEST_CASE_METHOD(webhook_fixture, "what is over is kept for a while, and only "
                                  "so much of it") {
  auto webhook = add();
  auto other = add();
  auto session = insert(some_session("a"));
  for (int i = 0; i < 6; ++i) {
    change(session, {event_kind::session_extended}, start + i);
    for (auto& one : due(start + 10))
      end(one, i < 4 ? delivery_state::delivered : delivery_state::pending,
          start + i, start + 1000);
  }
  REQUIRE(listed(webhook).size() == 6);
  store::trim(c, {start + 2, 100, 100, start + 10});
  CHECK(listed(webhook).size() == 4); // two are too old
  store::trim(c, {start, 1, 100, start + 10});
  CHECK(listed(webhook, "delivered").size() == 1);
  CHECK(listed(webhook, "delivered").front().created_at == start + 3);
  CHECK(listed(webhook, "pending").size() == 2); // they wait as long as need be
  // But not any number of them.
  store::trim(c, {start, 100, 1, start + 10});
  CHECK(store::webhooks_of(c, "demo").front().disabled_reason
        == "more than 1 deliveries wait for the receiver");
  CHECK(listed(webhook, "pending").empty());
  CHECK(listed(other, "pending").empty());
}

TEST_CASE_METHOD(webhook_fixture, "only a project's owner delivers") {
  store::put_project(c, some_project("mine"), "here");
  add({}, "mine");
  auto session = some_session("a", "mine");
  insert(session);
  change(session, {event_kind::session_created});
  CHECK(due(start, 10, "there").empty());
  auto found = due(start, 10, "here");
  REQUIRE(found.size() == 1);
  end(found.front(), delivery_state::delivered, start, 0, "", "there");
  CHECK(due(start, 10, "here").size() == 1);
  end(found.front(), delivery_state::delivered, start, 0, "", "here");
  CHECK(due(start, 10, "here").empty());
}

TEST_CASE_METHOD(webhook_fixture, "the webhooks of a project go with it") {
  auto webhook = add();
  auto session = insert(some_session("a"));
  change(session, {event_kind::session_created});
  store_fixture::end(session);
  CHECK(store::delete_project(c, "demo"));
  CHECK(store::webhooks_of(c, "demo").empty());
  CHECK(due().empty());
}

TEST_CASE_METHOD(webhook_fixture, "the audit has what nobody asked for") {
  auto session = insert(some_session("a"));
  session.status = session_status::expired;
  session.ended_at = start;
  change(session, {event_kind::session_ended});
  change(session, {}); // as a later change of one that is over
  review_record review;
  review.id = make_id();
  review.project_id = "demo";
  review.session_id = session.id;
  auto is_now = [&](review_status status, unix_ms ended_at) {
    review.status = status;
    review.ended_at = ended_at;
    store::put_review(c, review, {}, "here");
  };
  is_now(review_status::running, 0);
  is_now(review_status::conflict, start + 1);
  // What a person decides is a request of his.
  review.id = make_id();
  is_now(review_status::queued, 0);
  review.decided_by = "k1";
  is_now(review_status::approved, start + 2);
  auto audit = store::list_audit(c, {}).entries;
  REQUIRE(audit.size() == 2);
  CHECK(audit[0].key_name == "reviewer");
  CHECK(audit[0].node == "here");
  CHECK(audit[0].route == "/projects/{id}/reviews/{rid}/merge");
  CHECK(audit[0].status == 409);
  CHECK(audit[0].code == "CONFLICT");
  CHECK(audit[1].key_name == "clock");
  CHECK(audit[1].session_id == session.id);
  CHECK(audit[1].node == "here");
  CHECK(audit[1].status == 200);
}
