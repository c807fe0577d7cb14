// What has happened on this node since it started.
//
// Counted where it happens, on any thread, without a lock; read when somebody
// asks for /metrics. Made by the composition root, and outlives all who count.
#pragma once

#include "messages/events.hpp"
#include "messages/records.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace greenroom {

class counter {
public:
  void add(std::uint64_t amount = 1) noexcept {
    value_.fetch_add(amount, std::memory_order_relaxed);
  }
  std::uint64_t value() const noexcept {
    return value_.load(std::memory_order_relaxed);
  }

private:
  std::atomic<std::uint64_t> value_{0};
};

/// One for each value of an enumeration.
template <class Enum, std::size_t N>
class counters_of {
public:
  counter& operator[](Enum which) noexcept {
    return all_[static_cast<std::size_t>(which)];
  }
  const counter& operator[](Enum which) const noexcept {
    return all_[static_cast<std::size_t>(which)];
  }
  static constexpr std::size_t size() noexcept {
    return N;
  }

private:
  std::array<counter, N> all_;
};

struct node_counters {
  // Of sessions; written down and announced.
  counters_of<event_kind, event_kind_count> events;
  counters_of<session_status, 7> sessions_ended;
  counters_of<exec_status, 7> execs_ended;
  counter output_bytes; // as printed by commands, kept or not
  counter session_crashes;

  counters_of<review_status, 8> reviews_ended;

  std::array<counter, 6> previews; // by the first digit of the status; 0: none
  std::atomic<std::int64_t> preview_connections{0};

  // Entries of the audit that no store took, and requests without a key that
  // were too many to be written down.
  counter audit_lost;
  counter audit_skipped;
};

class metrics_page;

/// Puts all of them on the page.
void add_counters(metrics_page& page, const node_counters& all);

} // namespace greenroom
