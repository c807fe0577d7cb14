// Which TCP ports a session's commands listen on, and whose they are.
//
// In a sandbox all of its own network's; without one, those of the host's that
// a process of the session has open. Each time it is looked at the number of
// sockets, and whether those that listened are still where they were found; at
// the sockets themselves when either has changed, or seconds have passed; at
// processes, to tell their names, when the sockets have.
#pragma once

#include "runtime/runner/outer/listening_sockets.hpp"
#include "runtime/runner/protocol/protocol.hpp"
#include "runtime/runner/protocol/spawn_request.hpp"

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace greenroom::runner {

/// An exec, and the process that all of it is below.
struct exec_processes {
  std::string exec;
  pid_t top = 0;
};

/// A listening socket, and the descriptor that it was found at.
struct held_socket {
  std::string link; // /proc/PID/fd/NUMBER
  std::uint64_t inode = 0;
};

class session_ports {
public:
  /// `own_network`: it is the session's alone.
  explicit session_ports(bool own_network) noexcept
    : own_network_(own_network) {}

  /// The ports, if they are others than it has said before. `member`: a process
  /// in their network, 0 where there is none.
  std::optional<std::vector<open_port>>
  changed(pid_t member, const std::vector<exec_processes>& execs);

  /// As if it had said nothing before.
  void forget() noexcept;

  /// Where one of them listens on the loopback now; none: it does not. Others
  /// may have the same port at the other address.
  std::optional<local_port> find(pid_t member,
                                 const std::vector<exec_processes>& execs,
                                 std::uint16_t number) const;

private:
  bool may_have_changed(pid_t member);

  bool own_network_;
  std::string counts_; // at the last look at the sockets
  std::chrono::steady_clock::time_point look_again_{};
  std::optional<std::vector<listening_socket>> sockets_; // as seen last
  std::vector<held_socket> held_; // of them, where a process was found
  std::optional<std::vector<open_port>> told_;
};

} // namespace greenroom::runner
