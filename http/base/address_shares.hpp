// How many connections each address has open, over all threads that share it.
// No address may have all of them.
//
// Thread-safe.
#pragma once

#include "runtime/base/fd.hpp"

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

namespace greenroom::http {

class address_shares : public std::enable_shared_from_this<address_shares> {
public:
  explicit address_shares(std::size_t max_of_one) : max_of_one_(max_of_one) {}

  /// One connection's part, given back with it.
  class place {
  public:
    place(std::shared_ptr<address_shares> of, std::string address) noexcept;
    place(const place&) = delete;
    place& operator=(const place&) = delete;
    ~place();

    /// Whose it is, as `client_of` says.
    const std::string& client() const noexcept {
      return address_;
    }

  private:
    std::shared_ptr<address_shares> of_;
    std::string address_;
  };

  /// Null where the address has as many as it may. Addresses of one IPv6
  /// network (64 bits) are one: a client has all of it.
  std::unique_ptr<place> take(const std::string& address);

  /// In any case, for one that replaces another one of the same client's.
  std::unique_ptr<place> take_over(const std::string& address);

  /// What is counted of an address.
  static std::string client_of(const std::string& address);

  /// The same of a connection that another node has made, whatever its address:
  /// all of them are one client, and some client's of that node each.
  static constexpr const char* other_nodes = "other nodes";

  std::size_t max_of_one() const noexcept {
    return max_of_one_;
  }

private:
  std::unique_ptr<place> take(const std::string& address, bool in_any_case);
  void give_back(const std::string& address) noexcept;

  const std::size_t max_of_one_;
  std::mutex mutex_;
  std::unordered_map<std::string, std::size_t> open_; // under mutex_
};

/// The other end's address without a port; "unknown" where it has none.
std::string address_of(const unique_fd& socket);

} // namespace greenroom::http
