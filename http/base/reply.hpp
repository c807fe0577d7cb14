// Answers: the envelope of openapi.json, and the one place where an error code
// becomes an HTTP status.
#pragma once

#include "http/base/slice.hpp"
#include "messages/errors.hpp"
#include "messages/time.hpp"

#include <cstdint>
#include <optional>
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
  // Instead of `body`: a text that is the same for all who ask, of which no
  // answer needs a copy, however many wait for their clients to read.
  slice shared;
  std::string_view content_type = "application/json; charset=utf-8";
  // Names are literals.
  std::vector<std::pair<std::string_view, std::string>> headers;
  bool close = false; // the connection ends with this answer
  // Of a body that is not in `body`: one that follows in pieces, or what a HEAD
  // asks about.
  std::optional<std::uint64_t> content_length;
  // Of one that follows in pieces, of unknown length: it does not go on until
  // its client leaves.
  bool ends_by_itself = false;

  std::string_view text() const noexcept {
    return shared.size() > 0 ? shared.view : std::string_view{body};
  }
};

int status_of(errc code) noexcept;

/// The reason phrase of a status that we send.
std::string_view reason_of(int status) noexcept;

/// `{"data": DATA, "meta": {…}}`. `data` is JSON and goes in as it is.
std::string envelope(std::string_view data, std::string_view request_id,
                     unix_ms now);

/// An envelope without its `meta`, which is its last field; and with another.
std::string_view without_meta(std::string_view body) noexcept;
std::string with_meta(std::string body, std::string_view request_id,
                      unix_ms now);

/// `{"error": {…}, "meta": {…}}`, with the headers and details that its code
/// has by the error table. `details` is a JSON object of more of these, or
/// empty.
response error_response(const refusal& what, std::string_view request_id,
                        unix_ms now, std::string_view details = {});

/// The same for what goes on for longer or shorter than its code's usual time.
response error_response_after(const refusal& what, std::string_view request_id,
                              unix_ms now, millis retry_after);

} // namespace greenroom::http
