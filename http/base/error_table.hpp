// What a client can do about each error: the one table behind `error.details`,
// the error schema of the OpenAPI document and `GET /docs/errors`.
//
// The code decides, unless the refusal is one of those whose sentence the API
// fixes and for which there is better advice than for their code at large.
#pragma once

#include "messages/errors.hpp"
#include "messages/time.hpp"

#include <span>
#include <string>
#include <string_view>

namespace greenroom::http {

struct error_advice {
  errc code = errc::internal;
  std::string_view message;     // empty: every refusal with this code
  std::string_view remediation; // one sentence that says what would help
  // The same request may succeed later without anything being changed.
  bool retryable = false;
  millis retry_after = 0; // 0: no time is better than another
};

/// The rows, those of a whole code first.
std::span<const error_advice> error_table() noexcept;

/// The best row for a refusal.
const error_advice& advice_for(const refusal& what) noexcept;

/// The table for people, as Markdown.
std::string errors_document();

} // namespace greenroom::http
