// How many connections each address has open, over all threads and listeners
// of the API. No address may have all of them.
//
// Thread-safe.
#pragma once

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

  private:
    std::shared_ptr<address_shares> of_;
    std::string address_;
  };

  /// Null where the address has as many as it may. Addresses of one IPv6
  /// network (64 bits) are one: a client has all of it.
  std::unique_ptr<place> take(const std::string& address);

  std::size_t max_of_one() const noexcept {
    return max_of_one_;
  }

private:
  void give_back(const std::string& address) noexcept;

  const std::size_t max_of_one_;
  std::mutex mutex_;
  std::unordered_map<std::string, std::size_t> open_; // under mutex_
};

} // namespace greenroom::http
