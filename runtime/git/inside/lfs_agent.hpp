// git-lfs's way from inside of a session to the contents of its upstream, as a
// custom transfer agent that needs no server of its own (lfs.<url>.
// standalonetransferagent): it is asked in lines of JSON and speaks to the
// session's origin (origin_server.hpp).
#pragma once

#include <filesystem>

namespace greenroom::git {

/// Serves git-lfs on stdin and stdout until that ends it. The socket is
/// origin/socket below `directory`. Returns the exit code.
int serve_lfs(const std::filesystem::path& directory);

} // namespace greenroom::git
