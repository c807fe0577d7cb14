#include "runtime/webhooks/schedule.hpp"

#include <algorithm>
#include <iterator>

namespace greenroom {

namespace {

constexpr millis second = 1000;
constexpr millis minute = 60 * second;
constexpr millis hour = 60 * minute;

constexpr millis pauses[] = {
  1 * second,  5 * second, 30 * second, 2 * minute, 10 * minute,
  30 * minute, 1 * hour,   2 * hour,    4 * hour,
};

/// A receiver may ask for no longer a pause than that.
constexpr millis longest_asked = 1 * hour;

constexpr int gone = 410;

} // namespace

millis retry_pause(std::uint32_t attempts) noexcept {
  const auto index = attempts == 0 ? 0 : attempts - 1;
  return pauses[std::min<std::size_t>(index, std::size(pauses) - 1)];
}

next_step after_attempt(const attempt_facts& facts,
                        const attempt_outcome& outcome, unix_ms now,
                        millis timeout, double jitter) {
  if (outcome.status >= 200 && outcome.status < 300)
    return {attempt_verdict::delivered, 0, {}, {}};
  if (facts.is_test)
    return {attempt_verdict::give_up, 0, {}, {}};
  if (outcome.status == gone)
    return {attempt_verdict::disable,
            0,
            "the receiver answered 410: it takes no more",
            {}};
  const auto end = facts.first_attempt_at + timeout;
  if (now >= end) {
    if (facts.webhook_delivered_at > facts.first_attempt_at)
      return {attempt_verdict::give_up, 0, {}, {}};
    return {attempt_verdict::disable, 0, "nothing was delivered for too long",
            "at last: " + outcome.error};
  }
  const auto spread = static_cast<millis>(
    static_cast<double>(retry_pause(facts.attempts)) * (1 + jitter / 5));
  const auto pause =
    std::max(spread, std::min(outcome.retry_after, longest_asked));
  return {attempt_verdict::retry, std::min(now + pause, end), {}, {}};
}

bool may_attempt(std::size_t under_way, std::size_t of_receiver,
                 bool is_failing) noexcept {
  if (under_way >= max_attempts_at_once)
    return false;
  const auto crowded = under_way >= max_attempts_at_once / 2;
  return of_receiver < (is_failing || crowded ? 1 : max_attempts_of_one);
}

} // namespace greenroom
