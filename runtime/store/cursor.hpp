// Where a page of a list ended: what clients give back to get the next one.
#pragma once

#include <string>

namespace greenroom::store {

/// The place of the last thing that was given. Lists are ordered by both.
struct place {
  long long created_at = 0;
  std::string id;
};

std::string make_cursor(const place& last);

/// Empty text gives an empty place. What make_cursor cannot have made is
/// refused as bad_request.
place parse_cursor(const std::string& text);

} // namespace greenroom::store
