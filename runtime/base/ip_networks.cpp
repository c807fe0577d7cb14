#include "runtime/base/ip_networks.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <vector>

namespace greenroom {

namespace {

constexpr unsigned mapped_bits = 96;

ip_address mapped(const std::uint8_t* four) {
  ip_address result;
  result.bytes[10] = result.bytes[11] = 0xff;
  std::copy_n(four, 4, result.bytes.begin() + 12);
  return result;
}

struct forbidden {
  const char* network;
  std::string_view what;
};

constexpr std::string_view loopback = "a loopback address";
constexpr std::string_view private_use = "a private address";
constexpr std::string_view link_local = "a link-local address";
constexpr std::string_view metadata = "the address of a metadata service";
constexpr std::string_view reserved = "a reserved address";
constexpr std::string_view shared = "an address of a provider's inner network";
constexpr std::string_view multicast = "a multicast address";
constexpr std::string_view tunnel = "an address that leads to another one";

// The first that fits says what it is. By the registries of special-purpose
// addresses of IANA; what clouds answer on besides stands before them.
constexpr forbidden table[] = {
  {"169.254.169.254", metadata},   {"168.63.129.16", metadata},
  {"100.100.100.200", metadata},   {"192.0.0.192", metadata},
  {"fd00:ec2::254", metadata},     {"fd20:ce::254", metadata},
  {"0.0.0.0/8", reserved},         {"10.0.0.0/8", private_use},
  {"100.64.0.0/10", shared},       {"127.0.0.0/8", loopback},
  {"169.254.0.0/16", link_local},  {"172.16.0.0/12", private_use},
  {"192.0.0.0/24", reserved},      {"192.0.2.0/24", reserved},
  {"192.88.99.0/24", reserved},    {"192.168.0.0/16", private_use},
  {"198.18.0.0/15", reserved},     {"198.51.100.0/24", reserved},
  {"203.0.113.0/24", reserved},    {"224.0.0.0/4", multicast},
  {"240.0.0.0/4", reserved},       {"::1", loopback},
  {"64:ff9b:1::/48", private_use}, {"100::/64", reserved},
  {"2001::/23", tunnel},           {"2001:db8::/32", reserved},
  {"2002::/16", tunnel},           {"3fff::/20", reserved},
  {"5f00::/16", reserved},         {"fc00::/7", private_use},
  {"fe80::/10", link_local},       {"fec0::/10", private_use},
  {"ff00::/8", multicast},
};

struct known_network {
  ip_network network;
  std::string_view what;
};

const std::vector<known_network>& known_networks() {
  static const auto result = [] {
    std::vector<known_network> all;
    for (auto& row : table)
      all.push_back({*parse_network(row.network), row.what});
    return all;
  }();
  return result;
}

// Behind this prefix a gateway finds an address of version 4.
const ip_network& translated() {
  static const auto result = *parse_network("64:ff9b::/96");
  return result;
}

const ip_network& version_4() {
  static const ip_network result{mapped(std::array<std::uint8_t, 4>{}.data()),
                                 mapped_bits};
  return result;
}

} // namespace

std::optional<ip_address> parse_ip(std::string_view text) {
  const std::string copy{text};
  std::array<std::uint8_t, 4> four{};
  if (::inet_pton(AF_INET, copy.c_str(), four.data()) == 1)
    return mapped(four.data());
  ip_address result;
  if (::inet_pton(AF_INET6, copy.c_str(), result.bytes.data()) == 1)
    return result;
  return std::nullopt;
}

bool ip_network::contains(const ip_address& address) const noexcept {
  const auto whole = bits / 8;
  if (!std::equal(base.bytes.begin(), base.bytes.begin() + whole,
                  address.bytes.begin()))
    return false;
  const auto rest = bits % 8;
  if (rest == 0)
    return true;
  const auto mask = static_cast<std::uint8_t>(0xff << (8 - rest));
  return ((base.bytes[whole] ^ address.bytes[whole]) & mask) == 0;
}

std::optional<ip_network> parse_network(std::string_view text) {
  const auto slash = text.find('/');
  const auto address = parse_ip(text.substr(0, slash));
  if (!address)
    return std::nullopt;
  ip_network result{*address, 128};
  if (slash == std::string_view::npos)
    return result;
  const auto is_short = text.find(':') == std::string_view::npos;
  const auto number = text.substr(slash + 1);
  unsigned bits = 0;
  auto [end, error] =
    std::from_chars(number.data(), number.data() + number.size(), bits);
  if (error != std::errc{} || end != number.data() + number.size()
      || bits > (is_short ? 32U : 128U))
    return std::nullopt;
  result.bits = is_short ? bits + mapped_bits : bits;
  for (auto i = result.bits; i < 128; ++i)
    if ((result.base.bytes[i / 8] & (0x80 >> (i % 8))) != 0)
      return std::nullopt;
  return result;
}

std::string_view why_forbidden(const ip_address& address,
                               std::span<const ip_network> allowed) {
  if (std::ranges::any_of(
        allowed, [&](auto& network) { return network.contains(address); }))
    return {};
  if (translated().contains(address))
    return why_forbidden(mapped(address.bytes.data() + 12), allowed);
  for (auto& known : known_networks())
    if (known.network.contains(address))
      return known.what;
  // Of version 6 only what is given out for the public is.
  const auto is_global = (address.bytes[0] & 0xe0) == 0x20;
  if (!version_4().contains(address) && !is_global)
    return reserved;
  return {};
}

} // namespace greenroom
