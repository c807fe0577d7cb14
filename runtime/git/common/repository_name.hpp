// Whether two ways to name a repository mean the same one.
#pragma once

#include <string>
#include <string_view>

namespace greenroom::git {

/// The same for all usual ways to name one repository: of a URL its host and
/// its path, whatever the protocol, user and port; of a path on this machine
/// the place that it leads to. A last ".git" does not count. Not a name to
/// reach it by.
std::string repository_name(std::string_view url);

} // namespace greenroom::git
