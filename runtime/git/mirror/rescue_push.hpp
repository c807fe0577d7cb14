// Rescue refs on their way to the upstream.
//
// A session may have been on several nodes, and one that was cut off may end it
// as well, with an older state of its work. So a reference there is replaced
// only where this node has put it there itself, which a file for each session
// in `greenroom-pushed` in the mirror says. Beside another node's goes ours
// under a second name: refs/greenroom/rescue/<sid>/2/…
#pragma once

#include "runtime/git/mirror/mirror.hpp"

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace greenroom::git {

/// Below which rescue refs are, and of them a session's.
inline constexpr std::string_view rescue_refs = "refs/greenroom/rescue/";
std::string rescue_space(const std::string& session_id);

struct pushed_rescue_refs {
  // Why the upstream has not all of them, in one line, as mirror::push_refs
  // has it.
  std::optional<std::string> failure;
  // Full names, and the second ones under which they are there and here now.
  std::map<std::string, std::string> renamed;
};

/// Pushes references below the session's space; can be repeated. Gives the
/// upstream so long for a few hundred. Throws what the machine did wrong.
pushed_rescue_refs push_rescue_refs(const mirror& from,
                                    const std::string& session_id,
                                    const std::vector<std::string>& names,
                                    std::chrono::seconds timeout);

} // namespace greenroom::git
