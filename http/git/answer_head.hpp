// The head that every answer to git begins with.
#pragma once

#include "http/wire/message.hpp"

#include <string_view>

namespace greenroom::http::git_http {

inline wire::message_head answer_head(int status, std::string_view content_type,
                                      std::string_view request_id) {
  wire::message_head result;
  result.status = status;
  result.headers.add("Content-Type", content_type);
  result.headers.add("Cache-Control", "no-store");
  result.headers.add("X-Content-Type-Options", "nosniff");
  result.headers.add("X-Request-Id", request_id);
  return result;
}

} // namespace greenroom::http::git_http
