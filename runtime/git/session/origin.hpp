// What git inside of a session knows as `origin`: the upstream as it is now.
//
// Its URL is git://greenroom/NAME. git asks the program that core.gitProxy
// names for a connection to that host: greenroom-git, called `git-connect`,
// which dials the session's own socket (origin_sockets.hpp). So nothing inside
// needs a network, a password or a path of the server's.
#pragma once

#include "runtime/git/session/git_rpc.hpp"

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace greenroom::git {

/// git://greenroom/ and the path of a URL, or of a path on this machine its
/// last part.
std::string origin_url(std::string_view upstream);

/// The URL that a relative one, ./x or ../x, leads to from another; nullopt
/// where it leads above the host or is not relative.
std::optional<std::string> resolve_relative(std::string_view url,
                                            std::string_view relative);

/// As a value in a configuration file of git's.
std::string quoted_setting(const std::string& value);

/// How git-lfs gets contents by way of origin: lines of a configuration file.
/// `proxy` is the value of core.gitProxy.
std::string lfs_settings(const std::string& proxy);

} // namespace greenroom::git

namespace greenroom {

/// The value of core.gitProxy in a session whose directory this is; outside of
/// a sandbox it makes the link to the program that is named there.
std::string origin_proxy(const git::session_tools& tools,
                         const std::filesystem::path& directory);

} // namespace greenroom
