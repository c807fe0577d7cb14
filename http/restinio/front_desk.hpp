// What all connections of a thread's front end have in common, found by its
// io_context.
//
// Set before that runs. While something is not set, it is not looked at.
#pragma once

#include "http/base/address_shares.hpp"
#include "http/base/asio.hpp"
#include "http/base/handed_connection.hpp"
#include "http/restinio/newcomers.hpp"
#include "http/restinio/read_budget.hpp"
#include "http/restinio/request_head.hpp"

#include <boost/asio/execution_context.hpp>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace greenroom::http {

/// Tells RESTinio that a client sends nothing more.
using end_of_input = std::function<void(const error_code&)>;

/// Clients that have sent all they want to send, and wait for an answer. Such a
/// function holds the connection by which it is held, until it is told; where a
/// loop stops before that, they are let go of here.
class half_closed {
public:
  void add(const std::shared_ptr<end_of_input>& what) {
    if (all_.size() >= next_look_) {
      std::erase_if(all_, [](const auto& one) { return one.expired(); });
      next_look_ = 2 * all_.size() + 16;
    }
    all_.push_back(what);
  }

  void let_go() {
    for (const auto& one : std::exchange(all_, {}))
      if (auto what = one.lock())
        *what = nullptr;
  }

private:
  std::vector<std::weak_ptr<end_of_input>> all_;
  std::size_t next_look_ = 0;
};

class front_desk : public asio::execution_context::service {
public:
  using key_type = front_desk;
  inline static asio::execution_context::id id;

  explicit front_desk(asio::execution_context& context)
    : asio::execution_context::service(context) {}

  /// Who takes connections for git, with what has been read of them.
  connection_taker take_git;

  /// Whether another node has made a connection that was accepted.
  std::function<bool(int accepted)> is_of_peer;

  head_rules rules;
  /// Turns the id that a client sent, maybe none, into the answer's.
  std::function<std::string(std::string_view sent)> request_id;
  /// Told of what was refused so. May be empty.
  std::function<void(std::string_view request_line, const std::string& id,
                     const std::string& address, int status)>
    refused;

  /// Counts connections by address.
  std::shared_ptr<address_shares> shares;
  /// And those of other nodes, all together.
  std::shared_ptr<address_shares> shares_of_nodes;

  /// They wait for a request.
  newcomers strangers;
  /// The same where there is no room: they have a moment to show a key. They
  /// are a part of the connections that are left for others.
  newcomers on_trial;
  std::size_t max_on_trial = 1;
  /// They wait for an answer, or do not read it.
  newcomers asking;
  /// Those that have been refused and are not closed yet.
  newcomers held;
  /// Whether nearly all connections that are served are open.
  std::function<bool()> is_nearly_full;
  /// Whether one that is open, and not on trial, may stay in spite of that.
  std::function<bool()> has_spare_place;
  read_budget memory;
  half_closed waiting;

  /// Whether who is refused is held for a moment. Programs that come again as
  /// soon as they are closed would else take the time of all others.
  bool is_crowded() const noexcept {
    return strangers.size() + held.size() > crowd;
  }

  /// Ends a connection without a key that waits for a request of its client.
  /// False: there is none.
  bool make_room() {
    return strangers.make_room({}) || held.make_room({});
  }

  /// The same for this client, which has shown a key: ends one of its own, also
  /// one that waits for an answer.
  bool make_room(std::string_view client) {
    return strangers.make_room(client) || held.make_room(client)
           || asking.make_room(client);
  }

private:
  /// So many strangers are more than a few people's browsers and scripts.
  static constexpr std::size_t crowd = 100;

  void shutdown() override {
    take_git = nullptr;
    is_of_peer = nullptr;
    rules = {};
    request_id = nullptr;
    refused = nullptr;
    is_nearly_full = nullptr;
    has_spare_place = nullptr;
    shares = nullptr;
    shares_of_nodes = nullptr;
  }
};

} // namespace greenroom::http
