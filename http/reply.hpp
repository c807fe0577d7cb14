// Answers: the envelope of API.md, and the one place where an error code
// becomes an HTTP status.
#pragma once

#include "messages/errors.hpp"
#include "messages/time.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace greenroom::http {

/// An answer on its way to the HTTP library. The headers that every answer has
/// are added there.
struct response {
  int status = 200;
  std::string body;
  std::string_view content_type = "application/json; charset=utf-8";
  // Names are literals.
  std::vector<std::pair<std::string_view, std::string>> headers;
};

int status_of(errc code) noexcept;

/// The reason phrase of a status that we send.
std::string_view reason_of(int status) noexcept;

/// `{"data": DATA, "meta": {…}}`. `data` is JSON and goes in as it is.
std::string envelope(std::string_view data, std::string_view request_id,
                     unix_ms now);

/// `{"error": {…}, "meta": {…}}` with the headers that the code needs.
/// `details` is a JSON object, or empty for none.
response error_response(const refusal& what, std::string_view request_id,
                        unix_ms now, std::string_view details = {});

} // namespace greenroom::http
