#include "http/base/address_shares.hpp"

#include "http/base/asio.hpp"

#include <boost/asio/ip/address.hpp>

#include <algorithm>
#include <utility>

namespace greenroom::http {

namespace {

std::string client_of(const std::string& text) {
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

} // namespace

address_shares::place::place(std::shared_ptr<address_shares> of,
                             std::string address) noexcept
  : of_(std::move(of)), address_(std::move(address)) {}

address_shares::place::~place() {
  of_->give_back(address_);
}

std::unique_ptr<address_shares::place>
address_shares::take(const std::string& address) {
  auto client = client_of(address);
  std::lock_guard lock{mutex_};
  auto& open = open_[client];
  if (open >= max_of_one_)
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

} // namespace greenroom::http
