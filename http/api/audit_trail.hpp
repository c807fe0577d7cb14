// The audit's entries of one HTTP thread, on their way to the store.
//
// They are handed over together, a few times a second, so that no answer waits
// for them; what the store does not take is tried again. Belongs to the thread.
// Bounds: max_waiting entries; beyond that the oldest go to the log, counted as
// lost. An entry of a request whose key is not known costs a stranger nothing,
// so only max_strangers of them are written in a second.
#pragma once

#include "messages/audit.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

namespace greenroom::http {

struct edge;

class audit_trail {
public:
  static constexpr std::size_t max_waiting = 8192;
  static constexpr std::size_t max_batch = 256;
  static constexpr unsigned max_strangers = 20;
  static constexpr std::chrono::milliseconds pause{200};
  static constexpr std::chrono::milliseconds pause_after_failure{2000};

  explicit audit_trail(edge& thread) : env_(thread) {}
  audit_trail(const audit_trail&) = delete;
  audit_trail& operator=(const audit_trail&) = delete;

  void add(audit_entry entry);

  /// Hands over what waits, without a pause.
  void flush();

  bool empty() const noexcept {
    return waiting_.empty() && !sending_;
  }

private:
  bool admits(const audit_entry& entry);
  void flush_after(std::chrono::milliseconds time);
  void not_stored(std::vector<audit_entry> entries, const std::string& why);
  void bound();

  edge& env_;
  std::deque<audit_entry> waiting_; // oldest first
  bool sending_ = false;
  bool armed_ = false;
  std::int64_t second_ = 0; // in which strangers are counted
  unsigned strangers_ = 0;
};

} // namespace greenroom::http
