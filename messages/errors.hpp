// What can go wrong, as clients see it.
//
// Every refusal inside the server is one of these codes with one sentence; it
// travels between actors as caf::error and is turned into an HTTP status in
// one place, http/reply. The sentence is shown to the user, so it names the
// bad input and says what would do; it never holds a secret.
#pragma once

#include <caf/error.hpp>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace greenroom {

enum class errc : std::uint8_t {
  bad_request = 1,
  unauthorized,
  forbidden,
  not_found,
  method_not_allowed,
  session_exists,
  checkout_exists,
  branch_exists,
  exec_exists,
  project_exists,
  conflict,
  body_too_large,
  unsupported_media_type,
  overloaded,
  unavailable,
  timeout,
  internal,
  key_reused,            // an Idempotency-Key that stands for another request
  operation_in_progress, // a rebase, merge, … is under way in the checkout
  rate_limited,          // too often within a minute
  quota_exceeded,        // a key or project has as much as it may have
};

/// The `error.code` of openapi.json: UPPER_SNAKE.
std::string_view code_name(errc code) noexcept;

/// A refusal as a value: what actors answer and the edge prints.
struct refusal {
  errc code = errc::internal;
  std::string message;
  friend bool operator==(const refusal&, const refusal&) = default;
};

/// A refusal as an exception, for code below the actors. None crosses an
/// actor: handlers turn it into caf::error with `to_error`.
class refused : public std::runtime_error {
public:
  refused(errc code, const std::string& message)
    : std::runtime_error(message), code_(code) {}
  errc code() const noexcept {
    return code_;
  }

private:
  errc code_;
};

/// Refuses what a client asked for: one sentence, which names what is wrong
/// and says what would do.
[[noreturn]] inline void refuse(const std::string& sentence) {
  throw refused(errc::bad_request, sentence);
}

caf::error make_error(errc code, std::string message);
caf::error to_error(const refusal& what);

/// Reads a refusal back. Errors that are CAF's own (a time-out, an actor that
/// went away) become `timeout` or `unavailable`.
refusal to_refusal(const caf::error& error);

} // namespace greenroom
