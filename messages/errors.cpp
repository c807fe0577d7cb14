#include "messages/errors.hpp"

#include <caf/atom.hpp>
#include <caf/exit_reason.hpp>
#include <caf/message.hpp>
#include <caf/sec.hpp>

namespace greenroom {

namespace {

constexpr auto category = caf::atom("greenroom");

} // namespace

std::string_view code_name(errc code) noexcept {
  switch (code) {
    case errc::bad_request:
      return "BAD_REQUEST";
    case errc::unauthorized:
      return "UNAUTHORIZED";
    case errc::forbidden:
      return "FORBIDDEN";
    case errc::not_found:
      return "NOT_FOUND";
    case errc::method_not_allowed:
      return "METHOD_NOT_ALLOWED";
    case errc::session_exists:
      return "SESSION_EXISTS";
    case errc::checkout_exists:
      return "CHECKOUT_EXISTS";
    case errc::branch_exists:
      return "BRANCH_EXISTS";
    case errc::exec_exists:
      return "EXEC_EXISTS";
    case errc::project_exists:
      return "PROJECT_EXISTS";
    case errc::conflict:
      return "CONFLICT";
    case errc::body_too_large:
      return "BODY_TOO_LARGE";
    case errc::unsupported_media_type:
      return "UNSUPPORTED_MEDIA_TYPE";
    case errc::overloaded:
      return "OVERLOADED";
    case errc::unavailable:
      return "UNAVAILABLE";
    case errc::timeout:
      return "TIMEOUT";
    case errc::key_reused:
      return "IDEMPOTENCY_KEY_REUSED";
    case errc::operation_in_progress:
      return "OPERATION_IN_PROGRESS";
    case errc::rate_limited:
      return "RATE_LIMITED";
    case errc::quota_exceeded:
      return "QUOTA_EXCEEDED";
    case errc::internal:
      break;
  }
  return "INTERNAL";
}

caf::error make_error(errc code, std::string message) {
  return {static_cast<std::uint8_t>(code), category,
          caf::make_message(std::move(message))};
}

caf::error to_error(const refusal& what) {
  return make_error(what.code, what.message);
}

refusal to_refusal(const caf::error& error) {
  if (error.category() == category) {
    refusal result{static_cast<errc>(error.code()), {}};
    if (error.context().match_elements<std::string>())
      result.message = error.context().get_as<std::string>(0);
    return result;
  }
  if (error == caf::sec::request_timeout)
    return {errc::timeout, "the server did not answer in time, try again"};
  if (error == caf::sec::request_receiver_down
      || error.category() == caf::atom("exit"))
    return {
      errc::unavailable,
      "the part of the server that answers this is restarting, try again"};
  return {errc::internal, "internal error (" + to_string(error) + ")"};
}

} // namespace greenroom
