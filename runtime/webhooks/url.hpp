// Where a webhook's deliveries go.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace greenroom {

inline constexpr std::size_t max_webhook_url = 2000;

struct webhook_url {
  bool tls = false;
  std::string host; // a name or an address, without brackets
  std::uint16_t port = 0;
  std::string target; // path and query
  friend bool operator==(const webhook_url&, const webhook_url&) = default;

  /// What the Host header says.
  std::string authority() const;
};

/// Reads a URL. Throws refused bad_request, with a sentence that begins with
/// "url", for one that is not http(s)://HOST[:PORT][/PATH][?QUERY] in ASCII:
/// no user, no fragment.
webhook_url parse_webhook_url(std::string_view text);

} // namespace greenroom
