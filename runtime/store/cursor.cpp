#include "runtime/store/cursor.hpp"

#include "messages/errors.hpp"
#include "messages/ids.hpp"

#include <charconv>

namespace greenroom::store {

std::string make_cursor(const place& last) {
  return std::to_string(last.created_at) + '-' + last.id;
}

place parse_cursor(const std::string& text) {
  place result;
  if (text.empty())
    return result;
  auto* end = text.data() + text.size();
  auto [at, error] = std::from_chars(text.data(), end, result.created_at);
  if (error != std::errc{} || at == end || *at != '-'
      || !is_id(std::string_view{at + 1, end}))
    throw refused(errc::bad_request, "cursor is not one that this server gave");
  result.id.assign(at + 1, end);
  return result;
}

} // namespace greenroom::store
