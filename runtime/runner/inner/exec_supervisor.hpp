// The process between the shim and one exec's command.
//
// It is a child of init (init.hpp) and a child subreaper, and starts the
// command as its only child; so all that the exec ever starts is below it, and
// nothing else. When the shim dies it kills it all. It is forked before its
// request is there and waits for it, and when that is over it waits for the
// next, so that starting a command costs no more than the command. One waits at
// a time: one that finds another waiting ends.
//
//   init ── supervisor ── command ── …
//             └────── what lost its parent
//
// It and the shim talk over a SOCK_SEQPACKET pair in the structs below; they
// are one program, so the structs are their own format; only kinds are added to
// them, for after an upgrade an older shim may make a sandbox with a newer
// supervisor in it, and skips what it does not know. End of file means, to the
// shim: nothing of the exec is left; to the supervisor: the shim is dead.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>

namespace greenroom::runner {

/// Where starting a command can fail.
enum class start_step : std::int32_t {
  checkout,
  cwd,
  process,
  tty,
  command,
  connect, // to a port, for a request that is no command
};

struct supervisor_report {
  enum class kind : std::int32_t {
    started,   // with the terminal's master, where there is one
    failed,    // at `step`, with the errno in `value`
    ended,     // the command; its wait status is in `value`
    connected, // with the socket
    killing,   // kill_all is obeyed: what is left has been sent KILL
    starting,  // from here on the command may have run; said where the shim
               // has not sent `begin`
  };
  kind what;
  std::int32_t value = 0;
  start_step step = start_step::command;
};

struct supervisor_order {
  enum class kind : std::int32_t {
    signal_group, // the command's process group, while the command lives
    signal_all,   // all of the exec
    kill_all,     // until nothing is left
    // Is there before the job is given, and is taken when the command may have
    // run from there on. So a shim whose supervisor is gone learns without a
    // message whether the command can be given to another: the kernel says
    // ECONNRESET where a socket is closed that has something unread.
    begin,
  };
  kind what;
  std::int32_t signal = 0;
};

/// Who waits for the next request. In memory that init and its supervisors
/// share.
using waiting_supervisor = std::atomic<pid_t>;
constexpr pid_t nobody_waits = 0;
constexpr pid_t being_forked = -1;

struct supervisor_place {
  int requests; // where its requests come from
  int taken;    // an eventfd that is told when it has one
  waiting_supervisor* waiting;
  const char* checkout;
};

/// Takes a request, if it is still there, and answers that there is no process
/// for it.
void refuse_request(int requests, int error) noexcept;

/// What the forked process does: waits for a request and does it, again and
/// again. All signals are blocked when it is called and have their default
/// actions, all descriptors above 2 are closed on exec, and *place.waiting is
/// being_forked.
[[noreturn]] void run_supervisor(const supervisor_place& place) noexcept;

} // namespace greenroom::runner
