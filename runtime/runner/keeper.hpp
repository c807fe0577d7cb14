// The process between the shim and one exec's command.
//
// It is a fork of the shim, a child subreaper, and starts the command as its
// only child; so all that the exec ever starts is below it, and nothing else.
// It lives as long as that, and when the shim dies it kills it all.
//
//   shim ── keeper ── command ── …
//             └────── what lost its parent
//
// Both talk over a SOCK_SEQPACKET pair in the structs below; they are one
// program, so the structs are their own format. End of file means, to the
// shim: nothing of the exec is left; to the keeper: the shim is dead.
#pragma once

#include <cstdint>

namespace greenroom::runner {

/// Where starting a command can fail.
enum class start_step : std::int32_t { checkout, cwd, process, command };

struct keeper_report {
  enum class kind : std::int32_t {
    started,
    failed, // at `step`, with the errno in `value`
    ended,  // the command; its wait status is in `value`
  };
  kind what;
  std::int32_t value = 0;
  start_step step = start_step::command;
};

struct keeper_order {
  enum class kind : std::int32_t {
    signal_group, // the command's process group, while the command lives
    signal_all,   // all of the exec
    kill_all,     // until nothing is left
  };
  kind what;
  std::int32_t signal = 0;
};

struct keeper_job {
  int orders;      // the keeper's end of the pair
  int out;         // the command's standard output
  int err;         // and standard error; its input is the shim's descriptor 0
  int session_dir; // where `checkout` is looked up
  const char* checkout;
  const char* cwd; // below the checkout
  char* const* argv;
  char** env;
};

/// What the forked process does. All signals are blocked when it is called and
/// have their default actions. Closes all descriptors but 0 to 2 and those of
/// the job.
[[noreturn]] void run_keeper(const keeper_job& job) noexcept;

} // namespace greenroom::runner
