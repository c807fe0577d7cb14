// Sends requests to receivers that others have named: deliveries of webhooks.
//
// One thread with an event loop, owned by the composition root. A receiver's
// name is looked up, its addresses are held against the rules, and the
// connection goes to one of those that passed: what the name says a moment
// later does not count. No redirect is followed, TLS is verified, and all of an
// attempt has one deadline. Of an answer only the head is used; a little of its
// body is read, so that the receiver is not cut off in the middle.
#pragma once

#include "http/outgoing/name_lookups.hpp"
#include "runtime/base/ip_networks.hpp"
#include "runtime/webhooks/outgoing.hpp"

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace greenroom::http {

class outgoing_sender {
public:
  struct options {
    std::vector<ip_network> allowed;             // beside the public ones
    std::vector<ip_network> allowed_of_sessions; // for what is of_session
    std::string ca_file; // empty: the system's authorities
    std::chrono::milliseconds timeout{15'000};
    name_lookups::resolver resolver = {}; // empty: the system's
  };

  explicit outgoing_sender(options opts);
  outgoing_sender(const outgoing_sender&) = delete;
  outgoing_sender& operator=(const outgoing_sender&) = delete;
  ~outgoing_sender();

  /// Sends a POST, and calls `done` on the sender's thread. Any thread, never
  /// blocks. The caller bounds how many are under way.
  void post(outgoing_request what, std::function<void(outgoing_result)> done);

  /// Drops what is under way; after it returned nothing is called.
  void stop();

private:
  struct state;
  std::unique_ptr<state> state_;
};

/// Which of the addresses may be connected to. Throws wire::unreachable, with
/// a sentence that says what would help, where none may: `setting` is the
/// setting that `allowed` is from.
std::vector<std::string>
allowed_addresses(const std::string& host,
                  const std::vector<std::string>& addresses,
                  const std::vector<ip_network>& allowed,
                  std::string_view setting = allowed_to_projects);

/// What a receiver's Retry-After asks for: a number of seconds, or 0.
millis retry_after_of(std::string_view header) noexcept;

} // namespace greenroom::http
