// Who of those that connect is served: so many at a time, and not all of one
// address, nor of other nodes. Where there is no room, one that only waits
// makes some.
//
// Owned by a listener, used on its thread.
#pragma once

#include "http/base/address_shares.hpp"
#include "runtime/base/fd.hpp"

#include <cstddef>
#include <memory>
#include <string>

namespace greenroom::http {

class client_room {
public:
  /// `of_address` 0: all but a sixteenth of them, as other nodes have together.
  client_room(std::size_t max, std::size_t of_address)
    : max_(max), shares_(std::make_shared<address_shares>(
                   of_address == 0 ? max - max / 16 : of_address)),
      shares_of_nodes_(std::make_shared<address_shares>(max - max / 16)) {}

  /// A place that is held while it is served; null: there is none. `clients`
  /// are served now. What another node connects is some client's of its own,
  /// and no address's.
  template <class Clients>
  std::shared_ptr<void> take(const unique_fd& socket, const Clients& clients,
                             bool of_peer = false) {
    auto& shares = of_peer ? *shares_of_nodes_ : *shares_;
    const auto address =
      of_peer ? address_shares::other_nodes : address_of(socket);
    if (std::shared_ptr<void> place = shares.take(address))
      return clients.size() < max_ || evict(clients, {}) ? place : nullptr;
    if (evict(clients, address_shares::client_of(address)))
      return shares.take_over(address);
    return nullptr;
  }

private:
  /// Empty `of`: anybody's.
  template <class Clients>
  static bool evict(const Clients& clients, const std::string& of) {
    for (auto& one : clients)
      if ((of.empty() || one->is_of(of)) && one->stop_if_idle())
        return true;
    return false;
  }

  const std::size_t max_;
  const std::shared_ptr<address_shares> shares_;
  const std::shared_ptr<address_shares> shares_of_nodes_;
};

} // namespace greenroom::http
