// One request's way from the shim to the supervisor that does it: a command to
// be run, or a port inside the sandbox to be connected to.
//
// A request is one datagram: a header, and descriptors (the supervisor's end of
// its pair with the shim; for a command its texts, its pipes). The texts lie in
// a memfd, for they may be megabytes: the directory, the arguments and the
// environment, each ended by NUL. Both ends are one program, so the structs
// are their own format.
#pragma once

#include "runtime/base/fd.hpp"
#include "runtime/runner/protocol/session_files.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace greenroom::runner {

/// The ends that are for the supervisor and its command; borrowed. A command
/// with a terminal has no pipes, one with its input closed has no `in`.
struct spawn_files {
  int control = -1;
  int in = -1;
  int out = -1;
  int err = -1;
};

/// Throws std::system_error.
void send_request(int socket, const command_spec& spec,
                  const spawn_files& files);

/// A TCP port of the loopback, and at which of its two addresses.
struct local_port {
  std::uint16_t number = 0;
  bool v4 = true; // 127.0.0.1
  bool v6 = true; // ::1
};

/// To connect to the port, and to answer over `control`; borrowed. Throws
/// std::system_error.
void send_connect(int socket, const local_port& port, int control);

struct spawn_request {
  unique_fd control;
  local_port port; // a number above 0: to be connected to, and that is all
  unique_fd in;
  unique_fd out;
  unique_fd err;
  unique_fd master;       // of the terminal that the supervisor makes
  std::uint16_t rows = 0; // above 0: it gets a terminal
  std::uint16_t cols = 0;
  std::vector<char> texts; // what the following point into
  const char* cwd = "";    // below the checkout
  std::vector<char*> argv; // both end with a null pointer
  std::vector<char*> env;
};

/// Waits for a request; with MSG_DONTWAIT among recvmsg's flags only looks.
/// Nothing when there is none, or will be none, or what came is not whole.
std::optional<spawn_request> receive_request(int socket, int flags = 0);

} // namespace greenroom::runner
