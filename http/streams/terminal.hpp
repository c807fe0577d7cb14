// Attaches a client to the terminal of an exec, by WebSocket.
//
// Binary messages out are what the terminal prints: the last screenful, or all
// from a byte on, then what comes. Messages in are typed into it, binary or
// text; but a text message
// `{"rows": R, "cols": C}` changes its size, and any other object is answered
// by a text message that says what is taken. None of that closes it. Any number
// of clients may be attached; each has a cursor of its own into the log, so a
// slow one slows nobody. The connection closes with 1000 when the exec has
// ended: its exit record says so, or else, of one that was lost, the thread's
// subscription of the session. What is typed goes to the session by messages of
// its own, each once the one before is answered, for its order counts.
#pragma once

#include "http/edge/exchange.hpp"
#include "messages/session.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>

namespace greenroom::http {

/// The subprotocol that a browser offers beside `bearer.KEY`, and gets.
inline constexpr std::string_view terminal_protocol = "greenroom";

/// What is sent at the beginning of what was printed before, at most.
inline constexpr std::uint64_t screenful = 64 * 1024;

struct terminal_request {
  /// The first byte of what is sent, counted from the beginning, for one who
  /// has seen what is before; it may be still to come. None: the screenful.
  std::optional<std::uint64_t> from;
  bool can_type = false; // else the client may only watch
};

/// The log of the terminal of the exchange's exec lies in `dir`.
void attach_terminal(const exchange_ptr& ex, std::filesystem::path dir,
                     session_actor session, const terminal_request& what);

} // namespace greenroom::http
