// A ticket for a stream, as a request has it: `ticket=` in its query.
#pragma once

#include "http/base/request.hpp"

#include <string_view>

namespace greenroom::http {

/// Empty where there is none, or the request is no GET. A view of the request;
/// tickets have nothing in them that would need decoding.
inline std::string_view ticket_of(const request& in) noexcept {
  constexpr std::string_view name = "ticket=";
  if (in.verb != verb::get)
    return {};
  for (auto rest = in.query; !rest.empty();) {
    auto end = rest.find('&');
    auto item = rest.substr(0, end);
    if (item.starts_with(name))
      return item.substr(name.size());
    rest = end == rest.npos ? std::string_view{} : rest.substr(end + 1);
  }
  return {};
}

} // namespace greenroom::http
