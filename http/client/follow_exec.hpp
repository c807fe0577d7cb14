// Shows what an exec prints until it has ended, whatever the network does.
#pragma once

#include "http/client/session_choice.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <string>

namespace greenroom::http::client {

struct follow_options {
  bool send_input = false;   // standard input is passed on, with its end
  bool pass_signals = false; // Ctrl-C: INT first, then a cancel
  /// Its session ends with it: TERM and HUP of ours cancel it.
  bool owns_session = false;
};

/// The exit code of the command line for an exec that is over: its own, 128 + n
/// for signal n, 124 for a time-out, 125 where it is not known.
int exit_code_of(const json& exec);

/// Says on standard error why an exec did not end by itself.
void tell_end(const json& exec);

struct output_choice {
  std::string stream = "both"; // as they came; or stdout, stderr, tty
  std::uint64_t from = 0;      // the first byte
  bool follow = false;         // until the exec has ended
};

/// Shows what an exec has printed. Throws unread_output and what api_client
/// throws.
asio::awaitable<void> copy_output(asio::io_context& io, api_client& api,
                                  session_ref session, std::string exec_id,
                                  output_choice what);

/// What the kernel would do to a command here whose output nobody reads any
/// more: sends it PIPE. Says so where it runs on all the same.
asio::awaitable<void> signal_unread(api_client& api, session_ref session,
                                    std::string exec_id);

/// Its stdout and stderr go to ours, each byte once. Returns its record once it
/// has ended. Throws unread_output and what api_client throws.
asio::awaitable<json> follow_exec(asio::io_context& io, api_client& api,
                                  session_ref session, std::string exec_id,
                                  follow_options options);

} // namespace greenroom::http::client
