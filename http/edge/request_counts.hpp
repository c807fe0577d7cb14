// How many requests one HTTP thread has answered, by route and status, and how
// long they took to the answer's head.
//
// Written by that thread alone, so that counting takes no lock and no other
// thread's cache line; read by any.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace greenroom::http {

class request_counts {
public:
  /// The statuses that are told apart; the last stands for all others.
  static constexpr std::array<int, 30> statuses{
    101, 200, 201, 202, 204, 206, 304, 307, 400, 401, 403, 404, 405, 409, 410,
    412, 413, 414, 415, 416, 421, 429, 431, 500, 501, 502, 503, 504, 507, 0};

  /// Upper bounds of the classes of durations, in seconds.
  static constexpr std::array<double, 12> bounds{
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5, 30, 120};

  struct row {
    std::array<std::atomic<std::uint64_t>, statuses.size()> by_status{};
    std::array<std::atomic<std::uint64_t>, bounds.size() + 1> by_duration{};
    std::atomic<std::uint64_t> nanoseconds{0};
  };

  explicit request_counts(std::size_t routes)
    : routes_(routes), rows_(std::make_unique<row[]>(routes)) {}

  void add(std::size_t route, int status,
           std::chrono::nanoseconds taken) noexcept {
    auto& counts = rows_[route];
    std::size_t at = 0;
    while (at + 1 < statuses.size() && statuses[at] != status)
      ++at;
    increase(counts.by_status[at], 1);
    const auto seconds = std::chrono::duration<double>(taken).count();
    std::size_t bucket = 0;
    while (bucket < bounds.size() && seconds > bounds[bucket])
      ++bucket;
    increase(counts.by_duration[bucket], 1);
    increase(counts.nanoseconds, static_cast<std::uint64_t>(taken.count()));
  }

  std::size_t routes() const noexcept {
    return routes_;
  }
  const row& operator[](std::size_t route) const noexcept {
    return rows_[route];
  }

  // What is open on the thread at the moment, as of a moment ago.
  std::atomic<std::uint64_t> connections{0};
  std::atomic<std::uint64_t> streams{0};
  std::atomic<std::uint64_t> waiting{0}; // for actors

private:
  // With one writer a plain addition is enough.
  static void increase(std::atomic<std::uint64_t>& which,
                       std::uint64_t amount) noexcept {
    which.store(which.load(std::memory_order_relaxed) + amount,
                std::memory_order_relaxed);
  }

  std::size_t routes_;
  std::unique_ptr<row[]> rows_;
};

} // namespace greenroom::http
