// What is written down of every request that is answered: its place in the
// counts of /metrics, and an entry of the audit where it changes something.
//
// One per HTTP thread; the exchange tells it as the answer begins, so no
// handler knows of it.
#pragma once

#include "http/api/audit_trail.hpp"
#include "http/api/input_folds.hpp"
#include "http/edge/exchange.hpp"
#include "http/edge/request_counts.hpp"
#include "http/edge/unread_request.hpp"

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

namespace greenroom::http {

class request_records final : public answer_observer {
public:
  request_records(edge& thread, request_counts& counts)
    : env_(thread), counts_(counts), trail_(thread) {}

  void answered(const exchange& ex, int status, std::string_view body,
                std::chrono::nanoseconds taken) override;
  void refused_unread(const unread_request& what);

  /// Hands over what waits of the audit, without a pause.
  void flush();

private:
  void add_input(audit_entry entry, std::size_t bytes, bool ends);
  void look_at_inputs();
  void write_inputs();

  edge& env_;
  request_counts& counts_;
  audit_trail trail_;
  input_folds inputs_;
  bool looking_ = false; // at them, in a while
};

/// The entry for an answered request; empty `method`: it changes nothing.
audit_entry audit_of(const exchange& ex, int status, std::string_view body);

/// The id of what an answer says was made: `id` or `exec_id` where its data
/// begins with it.
std::string_view made_id(std::string_view body) noexcept;

/// Whether the answer to what was written to an input says that it has ended.
bool ends_input(std::string_view body) noexcept;

/// The code of an answer that is an error; empty: it is none.
std::string_view error_code(std::string_view body) noexcept;

} // namespace greenroom::http
