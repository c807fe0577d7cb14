// The inner half as the shim holds it: how init comes to live in the session's
// sandbox, gets the commands, and is seen to end.
//
//   shim ── bwrap ── init ── supervisors …      with a sandbox
//      └─── slirp4netns                     and a network of its own
//   shim ── init ── supervisors …               without
//
// It is started with the first command; when it has ended everything inside is
// gone, and the next command starts another. bwrap dies with the shim, init
// with bwrap, and slirp4netns with the shim.
#pragma once

#include "runtime/base/fd.hpp"
#include "runtime/runner/outer/slirp.hpp"
#include "runtime/runner/protocol/session_files.hpp"
#include "runtime/runner/protocol/spawn_request.hpp"

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace greenroom::runner {

class sandbox_handle {
public:
  /// `session_dir` is what a relative checkout is below; both outlive this.
  sandbox_handle(const runner_config& config, int session_dir) noexcept;

  /// Gives the inner half a command, after starting it where there is none:
  /// that takes a bounded time, in which nothing else is done. Throws
  /// std::runtime_error, whose text is a sentence for the user.
  void give(const command_spec& spec, const spawn_files& files);

  /// Has the inner half connect to a port and answer over `control`; false
  /// where there is no inner half, so that nothing can listen. Throws
  /// std::system_error.
  bool connect(const local_port& port, int control);

  /// A process in the network that the commands have; 0: there is none.
  pid_t network_member() const noexcept {
    return outermost_ == 0 ? 0 : init_;
  }

  /// Another number for each inner half.
  std::uint64_t life() const noexcept {
    return life_;
  }

  /// As in memory_events.hpp, of the sandbox's control groups.
  std::uint64_t out_of_memory_kills() const;
  std::string why_out_of_memory() const;

  /// Starts the inner half without a command for it. A sentence for each part
  /// of the sandbox that does not hold here. Throws like give().
  std::vector<std::string> try_out();

  /// Kills the outermost process, with which all inside dies, whatever code in
  /// there has done to the supervisors; its end is told as always. Without a
  /// sandbox what is below it is left to the caller.
  void kill() noexcept;

  /// To be told of every child of this process that was reaped. True when the
  /// inner half has ended by that: what is left of it has to be killed.
  bool note_end(pid_t child);

  /// The child that is only the sandbox's network; 0: there is none.
  pid_t network_process() const noexcept {
    return slirp_;
  }

  /// Where the session has a user of its own, whom this process is not: gives
  /// it, for all its life, what the owner of the session's files may do there.
  /// Best effort.
  void enter_users() const noexcept;

private:
  void start();
  [[noreturn]] void be_without_sandbox(int requests);
  [[noreturn]] void be_sandbox(int requests, bool in_v2, int stderr_file,
                               int news);
  void await_ready(int stderr_file, int news);
  pid_t await_init(int stderr_file);
  std::optional<slirp_start> open_network(int news);
  slirp_start attach_network();
  void give_up();

  const runner_config& config_;
  int session_dir_;
  unique_fd requests_;
  pid_t outermost_ = 0;    // bwrap, or init itself; 0: there is no inner half
  pid_t init_ = 0;         // valid while there is one
  std::uint64_t life_ = 0; // how many have ended
  unique_fd network_;      // init's network namespace
  unique_fd users_;        // and the user namespace that owns it
  pid_t slirp_ = 0;        // 0: not there
  bool host_hidden_ = true;
};

} // namespace greenroom::runner
