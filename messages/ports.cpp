#include "messages/ports.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace greenroom {

bool is_served(const std::vector<listening_port>& ports, std::uint16_t port) {
  constexpr std::array<std::string_view, 5> reachable{
    "127.0.0.1", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1"};
  return std::ranges::any_of(ports, [&](const listening_port& one) {
    return one.port == port
           && std::ranges::find(reachable, one.address) != reachable.end();
  });
}

} // namespace greenroom
