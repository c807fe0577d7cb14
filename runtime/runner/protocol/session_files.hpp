// The files through which a node tells a session's runner what to do, and
// where the runner answers. All lie in the session's directory:
//
//   runner.json           runner_config, written before the runner is started
//   runner.sock           where the runner listens; protocol.hpp
//   runner.log            what the runner has to complain about
//   exec/<eid>/spec.json  command_spec, written before `spawn` is sent; other
//                         fields in it are the node's own
//   exec/<eid>/stdin      what the command is fed at first, where spec.json
//   says so, until that is taken; first_input.hpp
//   exec/<eid>/stdout …   what the command printed;
//   runtime/exec/output/output_log.hpp exec/<eid>/exit.json  how it ended;
//   exit_record.hpp
#pragma once

#include "messages/time.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace greenroom::runner {

inline constexpr const char* config_file = "runner.json";
inline constexpr const char* socket_file = "runner.sock";
inline constexpr const char* log_file = "runner.log";
inline constexpr const char* spec_file = "spec.json";
inline constexpr const char* input_file = "stdin";
inline constexpr const char* exit_file = "exit.json";

/// The directory of one exec below the session's.
std::string exec_dir(std::string_view exec);

/// What the session's commands are shut into, made by the node for the runner
/// to carry out.
struct sandbox_plan {
  std::vector<std::string> argv; // bwrap and its options, up to and without
                                 // "--"; no descriptors are named in it
  std::string seccomp_file;      // BPF program, given to bwrap's --seccomp
  std::string runner;            // path of greenroom-runner inside
  std::string checkout;          // path of the checkout inside
  bool nat = false;              // slirp4netns is attached to its network
  std::vector<std::string> nat_options; // of slirp4netns, more than it always
                                        // gets
  std::vector<std::string> cgroups; // directories whose cgroup.procs takes the
                                    // sandbox's processes
  std::map<std::string, std::uint64_t> rlimits; // nofile, core, nproc, ...
  bool host_network = false; // the host's, with all that listens there
};

struct runner_config {
  std::string session_id;
  std::string nonce;                 // only who knows it may command the runner
  millis kill_grace = 5000;          // between TERM and KILL; "kill_grace_ms"
  std::string checkout = "checkout"; // absolute, or below the session directory
  std::optional<sandbox_plan> sandbox = std::nullopt; // absent: mode none
  millis idle = 0; // with nothing to do, until it says so; 0: never; "idle_ms"
  std::string lease; // path of the file of run_lease.hpp; empty: for ever
};

struct command_spec {
  std::vector<std::string> argv; // the first is looked up in env's PATH
  std::string cwd;               // relative to the checkout, empty: its top
  std::map<std::string, std::string> env; // all of it, nothing is added
  millis timeout = 0;                     // 0: none; "timeout_ms"
  std::uint64_t max_output = 0;           // bytes of output that are kept
  bool stdin_open = false;                // false, and no tty: /dev/null
  std::uint16_t rows = 0;                 // above 0: it gets a terminal
  std::uint16_t cols = 0;
  bool first_input = false; // input_file holds what it gets first
  bool input_ends = false;  // and behind that its input ends
};

std::string to_json(const runner_config& config);
std::string to_json(const command_spec& spec);

/// Throw bad_field (json_fields.hpp), whose text says what is wrong.
runner_config parse_runner_config(std::string_view json);
command_spec parse_command_spec(std::string_view json);

} // namespace greenroom::runner
