// The files through which a node tells a session's runner what to do, and
// where the runner answers. All lie in the session's directory:
//
//   runner.json           runner_config, written before the runner is started
//   runner.sock           where the runner listens; protocol.hpp
//   runner.log            what the runner has to complain about
//   exec/<eid>/spec.json  command_spec, written before `spawn` is sent
//   exec/<eid>/stdout …   what the command printed; runtime/logs/output_log.hpp
//   exec/<eid>/exit.json  how it ended; exit_record.hpp
#pragma once

#include "messages/time.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace greenroom::runner {

inline constexpr const char* config_file = "runner.json";
inline constexpr const char* socket_file = "runner.sock";
inline constexpr const char* log_file = "runner.log";
inline constexpr const char* spec_file = "spec.json";
inline constexpr const char* exit_file = "exit.json";

/// The directory of one exec below the session's.
std::string exec_dir(std::string_view exec);

struct runner_config {
  std::string session_id;
  std::string nonce;                 // only who knows it may command the runner
  millis kill_grace = 5000;          // between TERM and KILL; "kill_grace_ms"
  std::string checkout = "checkout"; // absolute, or below the session directory
};

struct command_spec {
  std::vector<std::string> argv; // the first is looked up in env's PATH
  std::string cwd;               // relative to the checkout, empty: its top
  std::map<std::string, std::string> env; // all of it, nothing is added
  millis timeout = 0;                     // 0: none; "timeout_ms"
  std::uint64_t max_output = 0;           // bytes of output that are kept
};

std::string to_json(const runner_config& config);
std::string to_json(const command_spec& spec);

/// Throw bad_field (json_fields.hpp), whose text says what is wrong.
runner_config parse_runner_config(std::string_view json);
command_spec parse_command_spec(std::string_view json);

} // namespace greenroom::runner
