// Runs one program to its end and gives what it printed.
//
// For the short helpers that the server itself needs (git in the mirror), not
// for the commands of sessions: those belong to the runner. The caller blocks
// until the program has ended or its time is over. No shell is involved; the
// environment is the one given and nothing else; of our descriptors the
// program gets stdin, stdout and stderr only. Thread-safe.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace greenroom {

struct command {
  std::vector<std::string> argv; // argv[0] is looked up in the server's PATH
  std::filesystem::path cwd;     // empty: the server's own
  std::vector<std::string> env;  // the whole of it, NAME=value
  int stdin_fd = -1;             // borrowed; -1: /dev/null
  int stdout_fd = -1;            // borrowed; -1: kept in command_result::out
  std::chrono::milliseconds timeout{60'000};
  // Where this is more, it may take so long as long as it does something: its
  // time is over once it has taken no processor time for `timeout`.
  std::chrono::milliseconds longest{0};
  // Bytes kept of stdout and of stderr, each from the start. What is over is
  // read and dropped, so that the program never waits for us.
  std::size_t max_output = 1024 * 1024;
  // Nor is more of it asked for: who has printed more is killed.
  bool end_when_full = false;
  // Bytes of memory that each of its processes may take; 0: as many as we may.
  std::uint64_t max_memory = 0;
  // It begins a process group of its own, which a time-out kills. Otherwise it
  // stays in the caller's, and dies when that is killed.
  bool own_group = true;
};

struct command_result {
  std::optional<int> exit_code; // nullopt: a signal ended it
  int signal = 0;               // valid without exit_code
  std::string out;
  std::string err;
  bool timed_out = false; // it was killed with its whole process group
  bool truncated = false; // more was printed than was kept
  bool ok() const noexcept {
    return exit_code == 0;
  }
};

/// Throws std::system_error where the program cannot be started, with a text
/// that names it. What the program did wrong is for the caller to judge.
command_result run_command(const command& what);

/// Only starts it, for a caller with an event loop: returns the process, the
/// first of a process group of its own, for the caller to watch and reap. Of
/// `what` only argv, cwd, env and stdin_fd count. Throws as run_command does.
pid_t start_command(const command& what, int stdout_fd, int stderr_fd);

} // namespace greenroom
