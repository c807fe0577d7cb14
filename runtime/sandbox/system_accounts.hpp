// The users and groups that sessions see: themselves, and those of the host
// that belong to the system, which many programs look up when they start.
//
// Of a person of the host nothing is told: no name, no comment, no home, and no
// group's members. What stands for a password is always "x".
#pragma once

#include <string>
#include <string_view>

namespace greenroom::sandbox {

/// A session's /etc/passwd, made of the host's. First come root, the session's
/// user, and nobody, to whom everything belongs that is no user's of the
/// sandbox; what would be a second one of these is left out. The host's are
/// those with ids below 1000, and 65534.
std::string passwd_inside(std::string_view of_host);

/// The same of /etc/group.
std::string group_inside(std::string_view of_host);

} // namespace greenroom::sandbox
