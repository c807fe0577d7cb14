#include "runtime/api_json/preview_address.hpp"

namespace greenroom {

std::string_view preview_scheme(std::string_view public_url) noexcept {
  return public_url.starts_with("https://") ? "https" : "http";
}

std::string preview_url(const preview_address& address,
                        std::string_view session_id, std::uint16_t port) {
  if (address.port == 0)
    return {};
  std::string result{preview_scheme(address.public_url)};
  result += "://" + std::to_string(port) + '-';
  result.append(session_id).append(1, '.').append(address.domain);
  if (address.public_url.empty())
    return result + ':' + std::to_string(address.port) + '/';
  // The port of the public address, if it names one.
  auto authority =
    address.public_url.substr(address.public_url.find("://") + 3);
  authority = authority.substr(0, authority.find('/'));
  if (auto colon = authority.rfind(':'); colon != std::string_view::npos)
    result += authority.substr(colon);
  return result + '/';
}

} // namespace greenroom
