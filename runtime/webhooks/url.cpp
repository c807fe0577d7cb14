#include "runtime/webhooks/url.hpp"

#include "messages/errors.hpp"
#include "runtime/base/ascii.hpp"

#include <algorithm>
#include <charconv>
#include <vector>

namespace greenroom {

namespace {

bool is_url_byte(char c) noexcept {
  return c > ' ' && c < 0x7f
         && std::string_view{"\"<>\\^`{|}"}.find(c) == std::string_view::npos;
}

bool is_host_byte(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
         || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
}

std::uint16_t read_port(std::string_view text) {
  unsigned number = 0;
  auto* end = text.data() + text.size();
  auto [at, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc{} || at != end || number == 0 || number > 65535)
    refuse("url has a port that is not a number from 1 to 65535");
  return static_cast<std::uint16_t>(number);
}

// The host, and what follows it in `rest`.
std::string take_host(std::string_view& rest) {
  if (rest.starts_with('[')) {
    auto end = rest.find(']');
    auto host = std::string{rest.substr(1, end == rest.npos ? end : end - 1)};
    if (end == rest.npos || host.find(':') == host.npos || !parse_ip(host))
      refuse("url has brackets around what is no address");
    rest.remove_prefix(end + 1);
    return host;
  }
  auto end = std::min(rest.find(':'), rest.size());
  std::string host{rest.substr(0, end)};
  if (host.empty() || host.size() > 253
      || !std::ranges::all_of(host, is_host_byte))
    refuse("url must name a host by letters, digits, dots and hyphens");
  rest.remove_prefix(end);
  return host;
}

// Which addresses a host is known to be without a look-up.
std::vector<ip_address> evident_addresses(const std::string& name) {
  const auto host = ascii_lowered(name);
  if (host == "localhost" || host.ends_with(".localhost"))
    return {*parse_ip("127.0.0.1"), *parse_ip("::1")};
  if (auto address = parse_ip(host))
    return {*address};
  return {};
}

} // namespace

std::string webhook_url::authority() const {
  auto result = host.find(':') == std::string::npos ? host : '[' + host + ']';
  if (port != (tls ? 443 : 80))
    result += ':' + std::to_string(port);
  return result;
}

webhook_url parse_webhook_url(std::string_view text) {
  if (text.size() > max_webhook_url)
    refuse("url must have at most " + std::to_string(max_webhook_url)
           + " bytes");
  if (!std::ranges::all_of(text, is_url_byte))
    refuse("url must be ASCII without blanks: encode what is not");
  webhook_url result;
  result.tls = text.starts_with("https://");
  if (!result.tls && !text.starts_with("http://"))
    refuse("url must begin with https:// or http://");
  text.remove_prefix(result.tls ? 8 : 7);
  if (text.find('#') != text.npos)
    refuse("url must have no fragment (#)");
  auto end = std::min(text.find_first_of("/?"), text.size());
  auto authority = text.substr(0, end);
  if (authority.find('@') != authority.npos)
    refuse("url must name no user: deliveries are signed, see secret");
  result.host = take_host(authority);
  result.port = result.tls ? 443 : 80;
  if (!authority.empty()) {
    if (!authority.starts_with(':'))
      refuse("url must have nothing but a port behind its host");
    result.port = read_port(authority.substr(1));
  }
  result.target = text.substr(end);
  if (!result.target.starts_with('/'))
    result.target.insert(0, "/");
  return result;
}

std::string forbidden_receiver(std::string_view host, std::string_view what,
                               std::string_view setting) {
  return std::string{host} + " is " + std::string{what}
         + ", where webhooks may not lead; an administrator allows it by "
         + std::string{setting};
}

void check_receiver(const webhook_url& to, std::span<const ip_network> allowed,
                    std::string_view setting) {
  std::string_view what;
  for (auto& address : evident_addresses(to.host)) {
    what = why_forbidden(address, allowed);
    if (what.empty())
      return;
  }
  if (!what.empty())
    refuse("url: " + forbidden_receiver(to.host, what, setting));
}

} // namespace greenroom
