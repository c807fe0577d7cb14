// Hands a client's connection to another node, with the request at hand and all
// that follow on it.
#pragma once

#include "http/edge/peers.hpp"
#include "http/wire/server_connection.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace greenroom::http {

/// In the head of such a request: its mark. A client's own goes no further.
inline constexpr std::string_view via_header = "X-Greenroom-Via";

/// Looks up who owns what a connection is about. Throws refused.
using look_up_owner = std::function<asio::awaitable<whereabouts>()>;

/// Connects to a node. Throws refused unavailable.
using connect_node =
  std::function<asio::awaitable<std::unique_ptr<wire::byte_stream>>(
    std::string node)>;

/// By `all`, to one of its services, for the thread of `home`; `all` outlives
/// it.
connect_node connection_to(std::shared_ptr<loop> home, const peers& all,
                           std::string service);

/// The way of one connection to the node that owns what it is about. Used on
/// one loop's thread only.
class peer_relay {
public:
  /// `own_name` is this node's; `each` bounds a write, and a silence of both
  /// sides. `of_peer`: another node has made the connection. `client` is the
  /// address of who has.
  peer_relay(std::string own_name, wire::byte_stream::timeout each,
             bool of_peer, std::string client = {});

  /// A request has come. Only the first that comes from another node is marked:
  /// what follows it is a client's.
  void begin(const wire::message_head& head);

  /// The client's address, also where another node has made the connection for
  /// it: that says so in its first request.
  const std::string& client() const noexcept {
    return client_;
  }

  /// The mark of the request at hand; nullopt: it is a client's.
  const std::optional<passage>& by() const noexcept {
    return by_;
  }

  /// True: the request at hand was another node's, and so was all that followed
  /// on the connection; both are closed. False: this node is to serve it, and
  /// nothing has been said to anybody. Where the other node is the owner no
  /// more the owner is looked up anew, once. How long the first answer takes
  /// is for its maker to say: what the client has sent after its head is not
  /// read before, and a client that breaks the connection ends the call. A body
  /// of HTTP/1.0 cannot be asked for: it goes along at once, and where the
  /// owner has changed the client is told. Throws lost, and what the two calls
  /// throw.
  asio::awaitable<bool> pass_on(wire::server_connection& client,
                                look_up_owner look_up, connect_node connect);

  /// To be called as a connection's own.
  void check_deadlines(wire::byte_stream::clock::time_point now,
                       wire::server_connection& client);

private:
  struct first_answer;
  asio::awaitable<first_answer> ask(const wire::server_connection& client,
                                    std::uint64_t epoch);

  std::string own_name_;
  wire::byte_stream::timeout each_;
  bool marked_; // the next request is
  std::optional<passage> by_;
  std::string client_;
  std::unique_ptr<wire::byte_stream> there_; // the other node, while it serves
};

} // namespace greenroom::http
