// Where previews are seen: one host for each port of each session.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace greenroom {

struct preview_address {
  std::string_view domain;     // preview.localhost
  std::string_view public_url; // scheme and port of it count; empty: http, as
                               // it listens
  std::uint16_t port = 0;      // where it listens; 0: it does not
};

/// The scheme that browsers reach it by.
std::string_view preview_scheme(std::string_view public_url) noexcept;

/// `http://3000-SESSION.preview.localhost:8081/`; empty where none is served.
std::string preview_url(const preview_address& address,
                        std::string_view session_id, std::uint16_t port);

} // namespace greenroom
