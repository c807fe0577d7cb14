// What follows an attempt to deliver, and when: decisions without I/O.
#pragma once

#include "messages/time.hpp"

#include <cstddef>
#include <cstdint>
#include <string>

namespace greenroom {

/// How an attempt went. A status of 0: there was no answer, for `error`.
struct attempt_outcome {
  std::uint16_t status = 0;
  std::string error;      // one sentence; empty where it was delivered
  millis retry_after = 0; // as the receiver asked; 0: it did not
};

/// A delivery as it is after an attempt.
struct attempt_facts {
  std::uint32_t attempts = 1; // this one included
  unix_ms first_attempt_at = 0;
  unix_ms webhook_delivered_at = 0; // its last success with any; 0: never
  bool is_test = false;
};

enum class attempt_verdict : std::uint8_t {
  delivered,
  retry,
  give_up,
  disable, // give up, and deliver nothing more to this receiver
};

struct next_step {
  attempt_verdict what = attempt_verdict::delivered;
  unix_ms at = 0;     // of the next attempt, of `retry`
  std::string reason; // of `disable`
  std::string detail; // beside it; may say where the receiver is
};

/// The pause after the n-th failed attempt (n from 1), without jitter: seconds
/// at first, four hours in the end.
millis retry_pause(std::uint32_t attempts) noexcept;

/// `timeout` is for how long a delivery is tried; `jitter` is in [0, 1) and
/// spreads what failed together. A receiver that took others meanwhile is not
/// disabled for one that it does not take; one that answers 410 is at once.
next_step after_attempt(const attempt_facts& facts,
                        const attempt_outcome& outcome, unix_ms now,
                        millis timeout, double jitter);

/// How many deliveries may be on their way: to all, and to one receiver, which
/// gets one at a time while it fails, or while half of all places are taken. So
/// no receiver, however slow, takes them all.
inline constexpr std::size_t max_attempts_at_once = 128;
inline constexpr std::size_t max_attempts_of_one = 4;

bool may_attempt(std::size_t under_way, std::size_t of_receiver,
                 bool is_failing) noexcept;

} // namespace greenroom
