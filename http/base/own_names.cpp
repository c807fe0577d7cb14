#include "http/base/own_names.hpp"

#include "http/base/asio.hpp"
#include "http/base/parse.hpp"
#include "runtime/base/ascii.hpp"

#include <boost/asio/ip/address.hpp>

#include <ifaddrs.h>
#include <netinet/in.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <vector>

namespace greenroom::http {

namespace {

constexpr std::size_t max_shown = 200;

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'
         || c == '.' || c == '_';
}

/// What stands between the scheme and the path.
std::string_view authority_of(std::string_view url) {
  auto begin = url.find("://");
  if (begin == url.npos)
    return {};
  url.remove_prefix(begin + 3);
  return url.substr(0, url.find('/'));
}

std::string machine_name() {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  return ascii_lowered(name.data());
}

std::vector<asio::ip::address> read_addresses() {
  std::vector<asio::ip::address> result;
  ifaddrs* all = nullptr;
  if (::getifaddrs(&all) != 0)
    return result;
  std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> owner{all, ::freeifaddrs};
  for (auto* one = all; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr)
      continue;
    if (one->ifa_addr->sa_family == AF_INET) {
      auto* in = reinterpret_cast<const sockaddr_in*>(one->ifa_addr);
      result.emplace_back(asio::ip::address_v4{ntohl(in->sin_addr.s_addr)});
    } else if (one->ifa_addr->sa_family == AF_INET6) {
      auto* in = reinterpret_cast<const sockaddr_in6*>(one->ifa_addr);
      asio::ip::address_v6::bytes_type bytes;
      std::copy_n(in->sin6_addr.s6_addr, bytes.size(), bytes.begin());
      result.emplace_back(asio::ip::address_v6{bytes});
    }
  }
  return result;
}

/// They may change while the server runs; but to ask for them costs more than
/// many a request, and strangers can have it asked.
bool is_address_of_machine(const asio::ip::address& wanted) {
  using clock = std::chrono::steady_clock;
  constexpr std::chrono::seconds fresh{2};
  thread_local std::vector<asio::ip::address> known;
  thread_local clock::time_point until;
  if (auto now = clock::now(); now >= until) {
    known = read_addresses();
    until = now + fresh;
  }
  return std::ranges::find(known, wanted) != known.end();
}

/// "example.org", "*.example.org" for all below it, or "*" for any.
bool is_listed(const std::vector<std::string>& list, const std::string& host) {
  return std::ranges::any_of(list, [&](const std::string& entry) {
    auto one = ascii_lowered(entry);
    if (one == "*" || one == host)
      return true;
    return one.starts_with("*.") && host.size() > one.size() - 1
           && host.ends_with(std::string_view{one}.substr(1));
  });
}

bool is_host_of(std::string_view url, const std::string& host) {
  return host_of_authority(authority_of(url)) == host;
}

bool is_own(const options& opts, const std::string& host) {
  if (host == "localhost" || host.ends_with(".localhost"))
    return true;
  if (host == ascii_lowered(opts.host) || is_listed(opts.hosts, host)
      || is_host_of(opts.public_url, host) || is_host_of(opts.git_url, host))
    return true;
  error_code no_address;
  auto address = asio::ip::make_address(host, no_address);
  if (!no_address)
    return address.is_loopback() || is_address_of_machine(address);
  static const auto own = machine_name();
  return host == own || host == own.substr(0, own.find('.'));
}

std::string_view port_of_authority(std::string_view authority) {
  auto colon = authority.rfind(':');
  return colon == authority.npos || authority.find(']', colon) != authority.npos
           ? std::string_view{}
           : authority.substr(colon + 1);
}

/// The port that a page of this scheme and authority was loaded from.
std::uint64_t port_of_page(std::string_view scheme, std::string_view page) {
  auto port = parse_count(port_of_authority(page));
  return port.value_or(is_same_word(scheme, "https") ? 443 : 80);
}

/// Where previews are seen, pages of users' programs are loaded from: they are
/// never the server's own, whatever is listed. Where previews are behind a
/// proxy, what else it serves at their port is told apart by its name.
bool may_be_preview(const options& opts, std::string_view scheme,
                    std::string_view page, const std::string& host) {
  if (opts.preview_host.empty())
    return false;
  auto domain = ascii_lowered(opts.preview_domain);
  if (!domain.empty() && (host == domain || host.ends_with('.' + domain)))
    return true;
  auto port = port_of_page(scheme, page);
  if (port == opts.preview_port)
    return true;
  error_code no_address;
  asio::ip::make_address(host, no_address);
  const auto has_paths =
    host == "localhost" || !no_address
    || (domain.empty() && is_host_of(opts.preview_url, host));
  if (opts.preview_url.empty() || !has_paths)
    return false;
  auto seen_by = std::string_view{opts.preview_url};
  return port
         == port_of_page(seen_by.substr(0, seen_by.find("://")),
                         authority_of(seen_by));
}

/// A page is the server's own where it was loaded from what the request is
/// sent to, and where an operator says so.
bool is_own_page(const options& opts, const named_origin& sent) {
  auto page = authority_of(sent.origin);
  if (page.empty())
    return false; // "null", or nothing that a browser sends
  auto& ours = opts.public_url;
  auto path = ours.find('/', ours.find("://") + 3);
  if (is_same_origin(sent.origin, std::string_view{ours}.substr(0, path)))
    return true;
  auto scheme = sent.origin.substr(0, sent.origin.find("://"));
  if (!is_same_word(scheme, "http") && !is_same_word(scheme, "https"))
    return false;
  auto same_place = std::string{scheme} + "://" + std::string{sent.host};
  if (!sent.host.empty() && is_same_origin(sent.origin, same_place))
    return true;
  auto host = host_of_authority(page);
  return host && !may_be_preview(opts, scheme, page, *host)
         && is_listed(opts.hosts, *host);
}

std::string shown(std::string_view text) {
  std::string result;
  for (auto c : text.substr(0, max_shown))
    result += c > ' ' && c < 0x7f && c != '"' ? c : '?';
  return result;
}

} // namespace

std::optional<std::string> host_of_authority(std::string_view authority) {
  if (auto at = authority.rfind('@'); at != authority.npos)
    return std::nullopt;
  std::string_view host = authority;
  std::string_view rest;
  if (authority.starts_with('[')) {
    auto end = authority.find(']');
    if (end == authority.npos)
      return std::nullopt;
    host = authority.substr(1, end - 1);
    rest = authority.substr(end + 1);
  } else if (auto colon = authority.find(':'); colon != authority.npos) {
    host = authority.substr(0, colon);
    rest = authority.substr(colon);
  }
  auto is_port = [](std::string_view text) {
    return text.starts_with(':') && text.size() <= 6
           && (text.size() == 1 || parse_count(text.substr(1)));
  };
  if (host.empty() || (!rest.empty() && !is_port(rest)))
    return std::nullopt;
  auto result = ascii_lowered(host);
  if (authority.starts_with('[')) {
    error_code fault;
    asio::ip::make_address_v6(result, fault);
    return fault ? std::nullopt : std::optional{result};
  }
  // A dot at the end says that the name is whole.
  if (result.ends_with('.') && result.size() > 1)
    result.pop_back();
  if (!std::ranges::all_of(result, is_name_char))
    return std::nullopt;
  return result;
}

std::optional<name_fault> fault_of_names(const options& opts,
                                         const named_origin& sent) {
  if (sent.two)
    return name_fault{400, "a request has one field Host, and one Origin at "
                           "most"};
  if (sent.host.empty() && sent.needs_host)
    return name_fault{400, "the field Host is missing"};
  if (!sent.host.empty()) {
    auto host = host_of_authority(sent.host);
    if (!host)
      return name_fault{400, "the field Host is no host, with or without a "
                             "port"};
    if (!is_own(opts, *host))
      return name_fault{
        403, "\"" + shown(*host) + "\" is no name of this server: use "
               + opts.public_url + ", or have the name added to http.hosts"};
  }
  if (!sent.origin.empty() && !is_own_page(opts, sent))
    return name_fault{403, "pages of " + shown(sent.origin)
                             + " may not ask this server: have their host "
                               "added to http.hosts where they are to be "
                               "trusted"};
  return std::nullopt;
}

} // namespace greenroom::http
