// How a TCP connection between nodes begins: TLS, then a hello and a verdict of
// each side. Who does not get through it is a stranger.
#pragma once

#include "runtime/peer/connection.hpp"
#include "runtime/peer/hello.hpp"

#include <functional>
#include <stdexcept>
#include <string>
#include <utility>

namespace greenroom::peer {

/// Whoever is there is no node of ours, or does not say so in time.
class stranger : public std::runtime_error {
public:
  using std::runtime_error::runtime_error;
};

/// A node of ours that cannot be talked to; the sentence is in its log, too.
class objected : public std::runtime_error {
public:
  objected(std::string who, const std::string& why)
    : std::runtime_error(why), node(std::move(who)) {}
  const std::string node;
};

enum class side { dialing, accepting };

/// What this node makes of a hello that is in order: empty, or why not.
using judge = std::function<std::string(const hello& theirs)>;

/// Greets whoever is there; `expected` is the name of the node that was dialed.
/// Returns the peer's hello. Throws stranger or objected.
asio::awaitable<hello> greet(tls_socket& socket, side own_side, hello own,
                             std::string expected, judge verdict);

} // namespace greenroom::peer
