// This terminal as the terminal of an exec.
#pragma once

#include "http/client/session_choice.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <string>

namespace greenroom::http::client {

struct terminal_size {
  std::uint16_t rows = 24;
  std::uint16_t cols = 80;
};

/// Of our own terminal; 24 by 80 where there is none.
terminal_size own_size();

enum class attach_from : std::uint8_t {
  beginning, // all that it has printed
  screenful, // the last lines, and what comes
};

/// Attaches until the exec ends, again where the connection breaks, and shows
/// each byte once; returns its record. Standard input has to be a terminal: it
/// is raw meanwhile, and as before afterwards. Throws left_terminal for Enter,
/// ~ and a point, terminal_lost, unread_output, command_failed, and what
/// api_client throws.
asio::awaitable<json> attach(asio::io_context& io, api_client& api,
                             session_ref session, std::string exec_id,
                             attach_from from);

} // namespace greenroom::http::client
