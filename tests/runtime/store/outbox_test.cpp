#include "runtime/store/outbox.hpp"
#include "runtime/store/sessions.hpp"
#include "tests/runtime/store/fixture.hpp"

#include <catch2/catch.hpp>

using namespace greenroom;
using namespace greenroom::store;
using namespace greenroom::test;

namespace {

session_event event_of(std::uint64_t version, event_kind kind) {
  session_event event;
  event.version = version;
  event.kind = kind;
  event.time = 1'000'000'000'000 + static_cast<unix_ms>(version);
  return event;
}

event_field text_field(std::string name, std::string text) {
  event_field field;
  field.name = std::move(name);
  field.text = std::move(text);
  return field;
}

event_field number_field(std::string name, event_field::type what,
                         std::int64_t number) {
  event_field field;
  field.name = std::move(name);
  field.what = what;
  field.number = number;
  return field;
}

} // namespace

TEST_CASE_METHOD(store_fixture, "what a session announces is kept with the "
                                "change, in its order") {
  auto session = insert(some_session("a"));
  ++session.version;
  auto first = event_of(session.version, event_kind::checkin_started);
  first.fields = {text_field("message", "a \"b\" :c\nd"),
                  number_field("auto_merge", event_field::type::flag, 1),
                  number_field("count", event_field::type::number, -7)};
  auto second = event_of(session.version, event_kind::session_ended);
  second.fields.push_back({});
  second.fields.back().name = "files";
  second.fields.back().what = event_field::type::list;
  second.fields.back().list = {"a", "b"};
  REQUIRE(update_session(c, session, {first, second}));
  CHECK(outbox_of(c, session.id) == std::vector{first, second});
  // The same write once more adds nothing.
  CHECK(update_session(c, session, {first, second}));
  CHECK(outbox_of(c, session.id).size() == 2);
  ++session.version;
  auto third = event_of(session.version, event_kind::session_extended);
  REQUIRE(update_session(c, session, {third}));
  CHECK(outbox_of(c, session.id) == std::vector{first, second, third});
  CHECK(outbox_of(c, "another").empty());
}

TEST_CASE_METHOD(store_fixture, "what is not written announces nothing") {
  auto session = insert(some_session("a"));
  auto stale = session;
  stale.epoch += 1;
  ++stale.version;
  CHECK_FALSE(update_session(
    c, stale, {event_of(stale.version, event_kind::session_extended)}));
  CHECK(outbox_of(c, session.id).empty());
}

TEST_CASE_METHOD(store_fixture, "the outbox keeps the last changes of a "
                                "session, until that is removed") {
  auto session = insert(some_session("a"));
  for (std::uint64_t i = 0; i < 3 * kept_changes; ++i) {
    ++session.version;
    REQUIRE(update_session(
      c, session, {event_of(session.version, event_kind::session_extended)}));
  }
  auto kept = outbox_of(c, session.id);
  CHECK(kept.size() >= kept_changes);
  CHECK(kept.size() <= 2 * kept_changes);
  CHECK(kept.back().version == session.version);
  ++session.version;
  session.status = session_status::ended;
  session.ended_at = 1;
  REQUIRE(update_session(c, session));
  CHECK(drop_ended(c, 2, 10).sessions.size() == 1);
  CHECK(outbox_of(c, session.id).empty());
}
