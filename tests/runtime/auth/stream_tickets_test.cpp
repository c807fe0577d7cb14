#include "runtime/auth/stream_tickets.hpp"

#include <catch2/catch.hpp>

using namespace greenroom;

namespace {

constexpr unix_ms now = 1'700'000'000'000;
const std::string session = "aaaaaaaaaaaaaaaaaaaa";

struct fixture {
  key_record key = make_key("ann", {"sessions:read"}, {}, 0).record;
  key_record other = make_key("bob", {"sessions:read"}, {}, 0).record;
  key_table keys{{key, other}};
  stream_tickets of{"an-administrator's-key"};
  std::string ticket = of.make(key.id, session, now + ticket_time);

  bool opens(std::string_view text, unix_ms at = now,
             std::string_view of_session = session) {
    return of.spend(text, of_session, keys, at) != nullptr;
  }
};

} // namespace

TEST_CASE("a ticket stands for its key once") {
  fixture f;
  const auto* found = f.of.spend(f.ticket, session, f.keys, now);
  REQUIRE(found != nullptr);
  CHECK(found->id == f.key.id);
  CHECK_FALSE(f.opens(f.ticket));
  CHECK(f.opens(f.of.make(f.key.id, session, now + ticket_time)));
}

TEST_CASE("a ticket opens its session only, and until its time is over") {
  fixture f;
  CHECK_FALSE(f.opens(f.ticket, now, "bbbbbbbbbbbbbbbbbbbb"));
  CHECK_FALSE(f.opens(f.ticket, now + ticket_time));
  CHECK(f.opens(f.ticket, now + ticket_time - 1));
}

TEST_CASE("a ticket ends with its key and with the administrator's") {
  fixture f;
  CHECK(f.of.spend(f.ticket, session, key_table{{}}, now) == nullptr);
  stream_tickets other{"another-key"};
  CHECK(other.spend(f.ticket, session, f.keys, now) == nullptr);
  CHECK(f.opens(f.ticket));
}

TEST_CASE("no byte of a ticket can be another") {
  fixture f;
  for (std::size_t i = 0; i < f.ticket.size(); ++i) {
    auto forged = f.ticket;
    forged[i] = forged[i] == '1' ? '2' : '1';
    CHECK_FALSE(f.opens(forged));
    CHECK_FALSE(f.opens(f.ticket.substr(0, i)));
  }
  CHECK_FALSE(f.opens("..."));
  CHECK_FALSE(f.opens(""));
  CHECK(f.opens(f.ticket));
}

TEST_CASE("spent tickets are remembered no longer than they last") {
  fixture f;
  for (std::size_t i = 0; i < stream_tickets::max_spent; ++i)
    REQUIRE(f.opens(f.of.make(f.key.id, session, now + ticket_time)));
  CHECK_FALSE(f.opens(f.ticket));
  CHECK(f.opens(f.of.make(f.other.id, session, now + ticket_time)));
  auto later = f.of.make(f.key.id, session, now + 2 * ticket_time);
  CHECK(f.opens(later, now + ticket_time));
}
