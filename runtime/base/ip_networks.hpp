// Addresses of the Internet Protocol, networks of them, and which of them the
// server connects to for others.
//
// Whoever gives us a URL to call must not reach by it what only we can reach:
// this machine, its neighbours, the metadata service of a cloud.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace greenroom {

/// An address of version 6, or of version 4 in the form ::ffff:a.b.c.d: what is
/// the same destination is the same value.
struct ip_address {
  std::array<std::uint8_t, 16> bytes{};
  friend bool operator==(const ip_address&, const ip_address&) = default;
};

/// Reads what inet_pton reads: no brackets, no scope, no shorthands of version
/// 4.
std::optional<ip_address> parse_ip(std::string_view text);

/// The first `bits` of `base`, of 128.
struct ip_network {
  ip_address base;
  unsigned bits = 128;

  bool contains(const ip_address& address) const noexcept;
  friend bool operator==(const ip_network&, const ip_network&) = default;
};

/// `10.0.0.0/8`, `fd00::/8`, or one address. Bits behind the prefix must be 0.
std::optional<ip_network> parse_network(std::string_view text);

/// Why the server does not connect to an address for others: what it is, as in
/// "a private address". Empty: it does. What lies in one of `allowed` is
/// allowed whatever it is.
std::string_view why_forbidden(const ip_address& address,
                               std::span<const ip_network> allowed);

} // namespace greenroom
