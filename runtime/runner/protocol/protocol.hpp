// What a node and a session's runner say to each other, version 1.
//
// The runner listens on <session_dir>/runner.sock, a SOCK_SEQPACKET socket of
// mode 0600 that serves its own user only. Each datagram is one JSON object of
// at most 64 KiB; `op` names it, the other fields are those of the structs
// below unless they say otherwise. An `exec` is an exec id.
//
//   node → runner                     runner → node
//   hello   version, nonce            hello    version, pid, nonce, execs
//   spawn   exec                      started  exec, time
//                                     refused  exec, reason
//                                     grown    exec, records
//   signal  exec, signal              exited   exec, the exit record's fields
//   cancel  exec                      input    exec, and a descriptor
//   open_input   exec                 no_input exec, reason
//   close_input  exec
//   stop                              error    reason
//
// The first word of a connection is the node's `hello`, answered by `hello` or
// by `error` (and, before `hello`, by `exited` for each exec whose exit record
// the disk has not taken yet); whoever says hello last is the node, older
// connections are closed. What is no message of this version is answered by
// `error`, and the connection is closed; commands are not touched by that.
//
// Every `spawn` is answered by `started` or `refused`. `grown` says how many
// records an exec's log has by now; some numbers may be left out. `exited`
// comes once per started exec, after its exit record is written, and nothing
// about the exec comes after it. A node that was away learns from `hello`
// which execs run; the ends of the others are in their exit records, which
// have to be read after that hello. A node that lets 4096 messages pile up is
// closed: it dials again and knows the state.
//
// A cancel, signal or close_input for an exec that does not run does nothing:
// its end is on the way or known. Every `open_input` is answered by `input`,
// with the writing end of the command's input as SCM_RIGHTS, or by `no_input`.
// That end is non-blocking; the input ends when the runner and whoever got a
// copy have closed it. Of a command with a terminal it is the terminal's
// master: bytes are what is typed, TIOCSWINSZ resizes, and only the runner
// reads from it. `stop` is answered by the end of the connection, when no
// process of the session is left.
#pragma once

#include "messages/time.hpp"
#include "runtime/runner/protocol/exit_record.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace greenroom::runner {

inline constexpr std::uint32_t protocol_version = 1;
inline constexpr std::size_t max_message = 64 * 1024;

// -- node → runner ------------------------------------------------------------

struct hello {
  std::uint32_t version = protocol_version;
  std::string nonce; // the one in runner.json
};

/// Run the command in exec/<exec>/spec.json.
struct spawn {
  std::string exec;
};

/// Send a signal to the command's process group.
struct send_signal {
  std::string exec;
  std::int32_t signal = 0; // 1 to 64
};

/// TERM to the command's process group, and after the grace KILL to all that
/// the exec has started. Its status will be `canceled`.
struct cancel {
  std::string exec;
};

/// Ask for the writing end of the command's standard input.
struct open_input {
  std::string exec;
};

/// The runner's own writing end is closed; at a terminal ^D is typed instead.
struct close_input {
  std::string exec;
};

/// TERM to all, after the grace KILL; then the runner ends.
struct stop {};

using node_message = std::variant<hello, spawn, send_signal, cancel, open_input,
                                  close_input, stop>;

// -- runner → node ------------------------------------------------------------

struct running_exec {
  std::string exec;
  unix_ms time = 0;          // when it started, 0: is just being started
  std::uint64_t records = 0; // in its log so far
};

struct hello_reply { // "hello" on the wire
  std::uint32_t version = protocol_version;
  std::int32_t pid = 0;
  std::string nonce;
  std::vector<running_exec> execs;
};

struct started {
  std::string exec;
  unix_ms time = 0;
};

/// Nothing was run; `reason` is a sentence for the user.
struct refused {
  std::string exec;
  std::string reason;
};

struct output_available {
  std::string exec;
  std::uint64_t records = 0;
};

struct exited {
  std::string exec;
  exit_record record;
};

/// Comes with a descriptor.
struct input {
  std::string exec;
};

struct no_input {
  std::string exec;
  std::string reason; // a sentence for the user
};

struct error {
  std::string reason;
};

using runner_message =
  std::variant<hello_reply, started, refused, output_available, exited, input,
               no_input, error>;

// -- text ---------------------------------------------------------------------

std::string encode(const node_message& message);
std::string encode(const runner_message& message);

/// A message, or why the text is none.
template <class Message>
struct decoded {
  std::optional<Message> message;
  std::string problem;
};

decoded<node_message> decode_node_message(std::string_view text);
decoded<runner_message> decode_runner_message(std::string_view text);

} // namespace greenroom::runner
