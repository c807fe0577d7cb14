// Shows what an exec prints until it has ended, whatever the network does.
#pragma once

#include "http/client/session_choice.hpp"

#include <boost/asio/awaitable.hpp>

#include <string>

namespace greenroom::http::client {

struct follow_options {
  bool send_input = false;   // standard input is passed on, with its end
  bool pass_signals = false; // Ctrl-C: INT first, then a cancel
};

/// The exit code of the command line for an exec that is over: its own, 128 + n
/// for signal n, 124 for a time-out, 125 where it is not known.
int exit_code_of(const json& exec);

/// Shows one stream of an exec, or `both` as they came; with `follow` until it
/// has ended. Throws what api_client throws.
asio::awaitable<void> copy_output(asio::io_context& io, api_client& api,
                                  session_ref session, std::string exec_id,
                                  std::string stream, bool follow);

/// Its stdout and stderr go to ours, each byte once. Returns its record once it
/// has ended. Throws what api_client throws.
asio::awaitable<json> follow_exec(asio::io_context& io, api_client& api,
                                  session_ref session, std::string exec_id,
                                  follow_options options);

} // namespace greenroom::http::client
