// How git is called to serve a session's repository.
//
// The repository is the session's: its configuration, hooks and filters are
// whatever somebody in the session wrote. So git runs in a sandbox of the
// session's (sandbox::run_in_sandbox), and what is said here on the command
// line wins over the repository's own configuration.
#pragma once

#include "http/git/route.hpp"
#include "runtime/base/run_command.hpp"
#include "runtime/git/common/tree_size.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace greenroom::http::git_http {

/// What a push may bring.
struct push_limits {
  std::uint64_t size = 0;  // of what comes
  git::tree_limits tree{}; // which a hook inside of the sandbox looks at
};

/// To be run at the top of the checkout. `protocol` is from sane_protocol.
command git_command(service what, bool advertise, std::string_view branch,
                    const push_limits& limits, std::string_view protocol);

} // namespace greenroom::http::git_http
