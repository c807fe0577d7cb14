// Where a webhook's deliveries go.
#pragma once

#include "runtime/base/ip_networks.hpp"

#include <cstdint>
#include <span>
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

/// The settings that let webhooks lead to more than public addresses: those of
/// projects, and those that a session is made with.
inline constexpr std::string_view allowed_to_projects =
  "webhooks.allow_networks";
inline constexpr std::string_view allowed_to_sessions =
  "webhooks.allow_networks_of_sessions";

/// That webhooks may not lead to `host`, which is `what`, as why_forbidden()
/// says it, and the `setting` that would let them.
std::string forbidden_receiver(std::string_view host, std::string_view what,
                               std::string_view setting);

/// Throws refused bad_request where the URL names a forbidden address by itself
/// or by localhost; `allowed` is what `setting` says. Of other names it is not
/// known before a delivery looks them up, which checks all of them.
void check_receiver(const webhook_url& to, std::span<const ip_network> allowed,
                    std::string_view setting);

} // namespace greenroom
