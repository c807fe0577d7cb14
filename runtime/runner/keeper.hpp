// The process between the shim and one exec's command.
//
// It is a child of init (init.hpp) and a child subreaper, and starts the
// command as its only child; so all that the exec ever starts is below it, and
// nothing else. It lives as long as that, and when the shim dies it kills it
// all. It is forked before its job is there and waits for it, so that starting
// a command costs no more than the command.
//
//   init ── keeper ── command ── …
//             └────── what lost its parent
//
// It and the shim talk over a SOCK_SEQPACKET pair in the structs below; they
// are one program, so the structs are their own format. End of file means, to
// the shim: nothing of the exec is left; to the keeper: the shim is dead.
#pragma once

#include <cstdint>

namespace greenroom::runner {

/// Where starting a command can fail.
enum class start_step : std::int32_t { checkout, cwd, process, tty, command };

struct keeper_report {
  enum class kind : std::int32_t {
    started, // with the terminal's master, where there is one
    failed,  // at `step`, with the errno in `value`
    ended,   // the command; its wait status is in `value`
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

struct keeper_place {
  int jobs;  // where its job comes from
  int taken; // an eventfd that is told when it has one
  const char* checkout;
};

/// Takes a job that is there and answers that there is no process for it.
void refuse_job(int jobs, int error) noexcept;

/// What the forked process does: waits for a job, and does it. All signals are
/// blocked when it is called and have their default actions, and all
/// descriptors above 2 are closed on exec.
[[noreturn]] void run_keeper(const keeper_place& place) noexcept;

} // namespace greenroom::runner
