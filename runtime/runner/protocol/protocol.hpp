// What a node and a session's runner say to each other, versions 1 and 2.
//
// The runner listens on <session_dir>/runner.sock, a SOCK_SEQPACKET socket of
// mode 0600 that serves its own user only. Each datagram is one JSON object of
// at most 64 KiB; `op` names it, the other fields are those of the structs
// below unless they say otherwise. An `exec` is an exec id.
//
//   node → runner                     runner → node
//   hello   version, highest, nonce   hello    version, pid, nonce, execs
//   spawn   exec                      started  exec, time
//                                     refused  exec, reason
//                                     grown    exec, records
//   signal  exec, signal              exited   exec, the exit record's fields
//   cancel  exec, reason?             input    exec, and a descriptor
//   open_input   exec                 no_input exec, reason
//   close_input  exec
//   stop                              error    reason
//                 since version 2
//   connect ask, port                 connected      ask, and a descriptor
//                                     not_connected  ask, reason
//                                     ports          ports
//                                     unsupported    request
//   rest                              idle
//                                     awake
//
// Versions. The two are of different releases after every upgrade, for runners
// outlive the node. The node's hello has the lowest version that it speaks in
// `version` and the highest in `highest` (absent: the same); the runner answers
// with the highest that both speak, which holds for that connection, or with
// `error` where there is none. A field that is not known is skipped, so version
// 1, which knows no `highest`, understands a hello for "1 to 2". From version 2
// on a request that is not known is answered by `unsupported`, and a node skips
// messages that it does not know: neither ends the connection. What is new
// needs a new version only where a side has to know beforehand that the other
// can do it.
//
// The first word of a connection is the node's `hello`, answered by `hello` or
// by `error` (and, before `hello`, by `exited` for each exec whose exit record
// the disk has not taken yet); whoever says hello last is the node, older
// connections are closed. What is no message at all, or has a wrong field, is
// answered by `error`, and the connection is closed; commands are not touched
// by that.
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
// with the writing end of the command's input as SCM_RIGHTS, or by `no_input`;
// where the command has a first input, not before that is written.
// That end is non-blocking; the input ends when the runner and whoever got a
// copy have closed it. Of a command with a terminal it is the terminal's
// master: bytes are what is typed, TIOCSWINSZ resizes, and only the runner
// reads from it. `stop` is answered by the end of the connection, when no
// process of the session is left.
//
// Every `connect` is answered, within connect_timeout, by `connected`, with a
// TCP socket that is connected to the port inside the sandbox (to 127.0.0.1,
// else to ::1), non-blocking, or by `not_connected`. `ask` is the node's own
// number. `ports` names all TCP ports that the session listens on; it comes
// after a hello, and within a second of each change while commands run.
//
// A runner that has had nothing to do for runner_config::idle, with no process
// left of any exec and all exit records on disk, says `idle`, and after that
// time again. A node may answer `rest`: where there is still nothing to do the
// runner ends as by `stop`, else it says `awake` and goes on. A node that knows
// neither skips `idle`, and only to who has said it a node says `rest`: so both
// need no version of their own.
#pragma once

#include "messages/time.hpp"
#include "runtime/runner/protocol/exit_record.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace greenroom::runner {

inline constexpr std::uint32_t lowest_version = 1;
inline constexpr std::uint32_t highest_version = 2;
/// From here on there are connect, ports and unsupported.
inline constexpr std::uint32_t version_with_ports = 2;
inline constexpr std::size_t max_message = 64 * 1024;
/// The longest that a runner takes to answer `connect`.
inline constexpr std::chrono::seconds connect_timeout{4};
/// More ports than this are not named; so they fit into one message.
inline constexpr std::size_t max_ports = 256;

// -- node → runner ------------------------------------------------------------

struct hello {
  std::uint32_t lowest = lowest_version; // "version" on the wire
  std::uint32_t highest = highest_version;
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

/// TERM to the command's process group (HUP before it, at a terminal), and
/// after the grace KILL to all that the exec has started. Its status will be
/// `canceled`.
struct cancel {
  std::string exec;
  std::string reason = {}; // who wants it, a sentence for the user
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

/// Ask for a connection to a TCP port of the session's own.
struct connect {
  std::uint64_t ask = 0;
  std::uint16_t port = 0; // not 0
};

/// End, unless there is something to do.
struct rest {};

using node_message = std::variant<hello, spawn, send_signal, cancel, open_input,
                                  close_input, stop, connect, rest>;

// -- runner → node ------------------------------------------------------------

struct running_exec {
  std::string exec;
  unix_ms time = 0;          // when it started, 0: is just being started
  std::uint64_t records = 0; // in its log so far
};

struct hello_reply { // "hello" on the wire
  std::uint32_t version = highest_version;
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

/// Comes with a descriptor.
struct connected {
  std::uint64_t ask = 0;
};

struct not_connected {
  std::uint64_t ask = 0;
  std::string reason; // a sentence for the user
};

struct open_port {
  std::uint16_t port = 0;
  std::string address; // as inet_ntop prints it
  std::string process; // its program's name; empty: not known
  std::string exec;    // the exec that it is below; empty: not known
  friend bool operator==(const open_port&, const open_port&) = default;
};

struct ports {
  std::vector<open_port> all; // by port, then address
};

/// A request that this runner does not know, by its `op`; nothing was done.
struct unsupported {
  std::string request;
};

/// It has had nothing to do for some time.
struct idle {};

/// It does not rest.
struct awake {};

using runner_message =
  std::variant<hello_reply, started, refused, output_available, exited, input,
               no_input, error, connected, not_connected, ports, unsupported,
               idle, awake>;

// -- text ---------------------------------------------------------------------

std::string encode(const node_message& message);
std::string encode(const runner_message& message);

/// A message, or why the text is none.
template <class Message>
struct decoded {
  std::optional<Message> message;
  std::string problem;
  std::string unknown_op = {}; // not empty: the problem is only that this is
                               // not known here; at most 64 bytes of it
};

decoded<node_message> decode_node_message(std::string_view text);
decoded<runner_message> decode_runner_message(std::string_view text);

} // namespace greenroom::runner
