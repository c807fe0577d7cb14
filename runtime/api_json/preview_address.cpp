#include "runtime/api_json/preview_address.hpp"

namespace greenroom {

namespace {

std::string_view authority_of(std::string_view url) {
  auto begin = url.find("://");
  if (begin == std::string_view::npos)
    return {};
  url.remove_prefix(begin + 3);
  return url.substr(0, url.find('/'));
}

/// A listener's address as one to connect to: an address for all of the
/// machine's is none.
std::string host_in_url(std::string_view host) {
  if (host.empty() || host == "0.0.0.0")
    return "127.0.0.1";
  if (host == "::")
    return "[::1]";
  return host.find(':') == std::string_view::npos
           ? std::string{host}
           : '[' + std::string{host} + ']';
}

/// What browsers connect to for the path form.
std::string place_of_paths(const preview_address& address) {
  if (!address.public_url.empty())
    return std::string{authority_of(address.public_url)};
  return host_in_url(address.host) + ':' + std::to_string(address.port);
}

/// The port of the public address, if it names one, else where it listens.
std::string port_of_names(const preview_address& address) {
  if (address.public_url.empty())
    return ':' + std::to_string(address.port);
  auto authority = authority_of(address.public_url);
  auto colon = authority.rfind(':');
  if (colon == std::string_view::npos
      || authority.find(']', colon) != std::string_view::npos)
    return {};
  return std::string{authority.substr(colon)};
}

} // namespace

std::string_view preview_scheme(std::string_view public_url) noexcept {
  return public_url.starts_with("https://") ? "https" : "http";
}

std::string preview_url(const preview_address& address,
                        std::string_view session_id, std::uint16_t port) {
  if (address.port == 0)
    return {};
  std::string result{preview_scheme(address.public_url)};
  result += "://";
  if (address.domain.empty()) {
    result += place_of_paths(address) + "/preview/";
    result.append(session_id).append(1, '/').append(std::to_string(port));
    return result + '/';
  }
  result += std::to_string(port) + '-';
  result.append(session_id).append(1, '.').append(address.domain);
  return result + port_of_names(address) + '/';
}

} // namespace greenroom
