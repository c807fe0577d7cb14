#include "runtime/webhooks/schedule.hpp"

#include <catch2/catch.hpp>

using namespace greenroom;

namespace {

constexpr millis second = 1000;
constexpr millis hour = 3600 * second;
constexpr millis day = 24 * hour;

constexpr unix_ms start = 1'000'000'000'000;

attempt_outcome failed(std::uint16_t status = 500, millis retry_after = 0) {
  return {status, "the receiver answered " + std::to_string(status),
          retry_after};
}

next_step after(std::uint32_t attempts, const attempt_outcome& outcome,
                unix_ms now, unix_ms delivered_at = 0, double jitter = 0) {
  return after_attempt({attempts, start, delivered_at, false}, outcome, now,
                       day, jitter);
}

} // namespace

TEST_CASE("what was taken is delivered, whatever was before") {
  for (std::uint16_t status : {200, 201, 204, 299})
    CHECK(after(7, {status, "", 0}, start + 9 * day).what
          == attempt_verdict::delivered);
}

TEST_CASE("what was not taken is tried again, ever more seldom") {
  for (std::uint16_t status : {0, 301, 302, 400, 404, 429, 500, 503}) {
    auto next = after(1, failed(status), start + 10);
    CHECK(next.what == attempt_verdict::retry);
    CHECK(next.at == start + 10 + 1 * second);
  }
  millis before = 0;
  for (std::uint32_t i = 1; i < 12; ++i) {
    CHECK(retry_pause(i) >= before);
    before = retry_pause(i);
  }
  CHECK(retry_pause(1) == second);
  CHECK(retry_pause(50) == 4 * hour);
  // Those that failed together do not come back together.
  auto late = after(6, failed(), start, 0, 0.99);
  CHECK(late.at > start + retry_pause(6));
  CHECK(late.at < start + retry_pause(6) * 6 / 5);
}

TEST_CASE("a receiver may ask for a longer pause, up to an hour") {
  CHECK(after(1, failed(429, 60 * second), start).at == start + 60 * second);
  CHECK(after(1, failed(429, day), start).at == start + hour);
  CHECK(after(6, failed(503, second), start).at == start + retry_pause(6));
}

TEST_CASE("after a day it is given up, with a last attempt at its end") {
  auto last = after(9, failed(), start + day - second);
  CHECK(last.what == attempt_verdict::retry);
  CHECK(last.at == start + day);
  auto over = after(10, failed(502), start + day);
  CHECK(over.what == attempt_verdict::disable);
  CHECK(over.reason == "nothing was delivered for too long");
  CHECK(over.detail == "at last: the receiver answered 502");
}

TEST_CASE("a receiver that takes others is not disabled for one that it does "
          "not take") {
  CHECK(after(10, failed(), start + day, start + hour).what
        == attempt_verdict::give_up);
  CHECK(after(10, failed(), start + day, start - hour).what
        == attempt_verdict::disable);
}

TEST_CASE("a receiver that is gone is disabled at once") {
  auto next = after(1, failed(410), start);
  CHECK(next.what == attempt_verdict::disable);
  CHECK(next.reason == "the receiver answered 410: it takes no more");
}

TEST_CASE("a test is sent once, and disables nothing") {
  for (std::uint16_t status : {0, 410, 500})
    CHECK(after_attempt({1, start, 0, true}, failed(status), start, day, 0).what
          == attempt_verdict::give_up);
  CHECK(after_attempt({1, start, 0, true}, {200, "", 0}, start, day, 0).what
        == attempt_verdict::delivered);
}

TEST_CASE("no receiver takes all places") {
  CHECK(may_attempt(0, 0, false));
  CHECK(may_attempt(10, max_attempts_of_one - 1, false));
  CHECK_FALSE(may_attempt(10, max_attempts_of_one, false));
  // One that fails gets one at a time.
  CHECK(may_attempt(10, 0, true));
  CHECK_FALSE(may_attempt(10, 1, true));
  // So does everybody where it is crowded.
  CHECK(may_attempt(max_attempts_at_once / 2, 0, false));
  CHECK_FALSE(may_attempt(max_attempts_at_once / 2, 1, false));
  CHECK_FALSE(may_attempt(max_attempts_at_once, 0, false));
}
