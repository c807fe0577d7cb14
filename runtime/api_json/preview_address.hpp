// Where previews are seen: one host for each port of each session, or one path
// where there is no wildcard name.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace greenroom {

struct preview_address {
  std::string_view domain;     // preview.localhost; empty: previews are paths
  std::string_view public_url; // empty: http, as it listens. Of hosts only its
                               // scheme and port count, of paths all of it
  std::uint16_t port = 0;      // where it listens; 0: it does not
  std::string_view host = {};  // the address or name that it listens at
};

/// The scheme that browsers reach it by.
std::string_view preview_scheme(std::string_view public_url) noexcept;

/// `http://3000-SESSION.preview.localhost:8081/`, or without a domain
/// `http://127.0.0.1:8081/preview/SESSION/3000/`; empty where none is served.
std::string preview_url(const preview_address& address,
                        std::string_view session_id, std::uint16_t port);

} // namespace greenroom
