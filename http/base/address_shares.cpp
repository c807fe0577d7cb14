#include "http/base/address_shares.hpp"

#include "http/base/asio.hpp"

#include <boost/asio/ip/address.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <utility>

namespace greenroom::http {

std::string address_shares::client_of(const std::string& text) {
  error_code fault;
  auto address = asio::ip::make_address(text, fault);
  if (fault || !address.is_v6())
    return text;
  auto six = address.to_v6();
  if (six.is_v4_mapped())
    return asio::ip::make_address_v4(asio::ip::v4_mapped, six).to_string();
  auto bytes = six.to_bytes();
  std::fill(bytes.begin() + 8, bytes.end(), 0);
  return asio::ip::address_v6{bytes}.to_string();
}

address_shares::place::place(std::shared_ptr<address_shares> of,
                             std::string address) noexcept
  : of_(std::move(of)), address_(std::move(address)) {}

address_shares::place::~place() {
  of_->give_back(address_);
}

std::unique_ptr<address_shares::place>
address_shares::take(const std::string& address) {
  return take(address, false);
}

std::unique_ptr<address_shares::place>
address_shares::take_over(const std::string& address) {
  return take(address, true);
}

std::unique_ptr<address_shares::place>
address_shares::take(const std::string& address, bool in_any_case) {
  auto client = client_of(address);
  std::lock_guard lock{mutex_};
  auto& open = open_[client];
  if (open >= max_of_one_ && !in_any_case)
    return nullptr;
  auto result = std::make_unique<place>(shared_from_this(), client);
  ++open;
  return result;
}

void address_shares::give_back(const std::string& address) noexcept {
  std::lock_guard lock{mutex_};
  auto found = open_.find(address);
  if (found != open_.end() && --found->second == 0)
    open_.erase(found);
}

std::string address_of(const unique_fd& socket) {
  sockaddr_storage there{};
  socklen_t size = sizeof there;
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (::getpeername(socket.get(), reinterpret_cast<sockaddr*>(&there), &size)
      != 0)
    return "unknown";
  const void* address = nullptr;
  if (there.ss_family == AF_INET)
    address = &reinterpret_cast<sockaddr_in&>(there).sin_addr;
  else if (there.ss_family == AF_INET6)
    address = &reinterpret_cast<sockaddr_in6&>(there).sin6_addr;
  if (address == nullptr
      || ::inet_ntop(there.ss_family, address, text.data(), text.size())
           == nullptr)
    return "unknown";
  return text.data();
}

} // namespace greenroom::http
