// The way to the other nodes of a cluster, for what no message can carry:
// requests whose bytes lie with the node that owns the session.
//
// Made by the composition root. There are none on a node that is alone.
#pragma once

#include "http/base/asio.hpp"
#include "http/edge/passage.hpp"
#include "http/edge/peer_connections.hpp"
#include "messages/cluster.hpp"
#include "messages/moving.hpp"
#include "messages/store.hpp"
#include "runtime/base/fd.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>

namespace greenroom::http {

class bridge;
class loop;

/// Which of a node's listeners a connection is for.
namespace service {
inline constexpr const char* api = "api"; // and git
inline constexpr const char* previews = "previews";
} // namespace service

struct peers {
  std::string node; // this one
  cluster_member_actor member;
  /// Of the store that all share, for what the owner cannot tell; null: nobody
  /// reads it.
  store_reader_actor reader = {};

  /// Makes a connection to a service of a node, as if it were a client's.
  /// Calls `then` on a thread of its own, with an empty socket and a sentence
  /// where there is none. Any thread.
  using opened = std::function<void(unique_fd socket, const std::string& why)>;
  std::function<void(const std::string& node, const std::string& service,
                     opened then)>
    open;

  /// Those that other nodes make to services of this one. Null: none does.
  std::shared_ptr<peer_connections> arriving = nullptr;
};

/// Whether a connection that was accepted is another node's; to be asked once.
bool is_of_peer(const peers* all, int accepted);

/// This node's member with all that it takes.
full_member_actor full_member(const peers& all);

/// Who owns a session, or where `session_id` is empty the project. Throws
/// refused.
asio::awaitable<whereabouts> other_owner(http::bridge& bridge, const peers& all,
                                         std::string project_id,
                                         std::string session_id,
                                         std::chrono::milliseconds timeout);

/// A connection to a service of a node. Throws refused unavailable.
asio::awaitable<unique_fd> open_peer(std::shared_ptr<http::loop> home,
                                     const peers& all, std::string node,
                                     std::string service);

} // namespace greenroom::http
