// The `git` program, run by the server in its own mirror.
//
// Also in a session's checkout while that is being made, and nobody else has
// written in it. Never in a repository that a session can write: git would run
// what that repository's configuration names. The environment is empty but for
// what keeps git from reading any configuration other than the mirror's, from
// asking a terminal for passwords, from waiting for an upstream that sends next
// to nothing, and from protocols other than plain files, HTTP and ssh; and for
// the proxies that the server's own environment names.
#pragma once

#include "runtime/base/run_command.hpp"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace greenroom::git {

struct server_git {
  std::filesystem::path mirror;   // empty: git looks for it from `cwd`, as for
                                  // what is run beside it (git-lfs)
  std::vector<std::string> args;  // "fetch", …
  std::vector<std::string> env{}; // beyond what every call has
  std::filesystem::path cwd{};    // empty: the mirror
  int stdin_fd = -1;              // borrowed; -1: /dev/null
  std::chrono::milliseconds timeout{60'000};
  std::size_t max_output = 1024 * 1024; // bytes kept of what it prints
  bool end_when_full = false;           // as of command
  std::uint64_t max_memory = 0;         // bytes that it may take; 0: any
  int stdout_fd = -1;                   // borrowed; -1: kept in the result
};

/// What is added to the time-out of a call that has to read or send so many
/// bytes: 8 MiB take a second, on a machine that is busy; 10 minutes at most,
/// for a worker that takes too long is given up (actors/git/dispatcher.cpp),
/// and what it does is done all the same.
inline std::chrono::milliseconds time_for(std::uint64_t bytes) noexcept {
  constexpr std::chrono::seconds most{600};
  constexpr std::uint64_t in_a_second = std::uint64_t{8} << 20;
  const auto whole = std::chrono::seconds{bytes / in_a_second};
  return whole < most ? std::chrono::milliseconds{bytes * 1000 / in_a_second}
                      : most;
}

/// Blocks until git has ended. Throws std::system_error if there is no git.
command_result run(const server_git& call);

/// Why git failed, in one line fit for users: its "fatal:" line, else its last
/// one, or that its time was over; without credentials.
std::string reason(const command_result& result);

} // namespace greenroom::git
