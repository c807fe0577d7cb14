// Hands a client's connection to another node, with the request at hand and all
// that follow on it.
#pragma once

#include "http/edge/peers.hpp"
#include "http/wire/server_connection.hpp"

#include <boost/asio/awaitable.hpp>

#include <optional>
#include <string>
#include <string_view>

namespace greenroom::http {

/// In the head of such a request: its mark. The owner takes it off.
inline constexpr std::string_view via_header = "X-Greenroom-Via";

/// The mark of the request at hand; nullopt: it comes from a client.
std::optional<passage> passage_of(const wire::message_head& head);

/// What the other node has said so far.
struct peer_answer {
  bool moved = false; // it is not the owner, and has done nothing
  std::string bytes;
};

/// Sends the head of the request at hand to `there`, where nothing has been
/// said yet, and waits until it answers, or has been told to go on with a body;
/// nothing of that is taken from the client before. How long that takes is for
/// the answer's maker to say: the owner of `there` closes it where the client
/// has gone. Throws lost.
asio::awaitable<peer_answer> ask_peer(const wire::server_connection& client,
                                      wire::byte_stream& there,
                                      const passage& by,
                                      wire::byte_stream::timeout each);

/// Passes that on to the client, and then what either side says, until both are
/// done. The owner of `there` looks at its deadlines. Closes both.
asio::awaitable<void> pass_connection(wire::server_connection& client,
                                      wire::byte_stream& there,
                                      std::string answered,
                                      wire::byte_stream::timeout each);

/// Answers a request that was passed on by mistake.
asio::awaitable<void> refuse_misled(wire::server_connection& client,
                                    const whereabouts& now,
                                    wire::byte_stream::timeout each);

} // namespace greenroom::http
