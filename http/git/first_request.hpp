// What a client of `git upload-pack` asks first, by the second version of git's
// protocol: it has been told what the server can do, and lists references.
//
// Its bytes go on to git as they are, but for a list of all (whole_list.hpp);
// here is only looked what they name.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace greenroom::http::git_http {

/// How large a first request may be that is looked at.
inline constexpr std::size_t max_first_request = 64 * 1024;

/// The length of the request that `bytes` begin with; nullopt where more of it
/// has to come. Throws bad_packet.
std::optional<std::size_t> request_size(std::string_view bytes);

/// The same of one that comes piece by piece, `bytes` being all of it so far.
/// `seen` is 0 at first, and then what need not be looked at again.
std::optional<std::size_t> request_size(std::string_view bytes,
                                        std::size_t& seen);

/// True for a reference that an upstream has beside branches and tags, or for
/// the beginning of several, which ends in `/`; not for ours, nor for what git
/// only tries, as refs/remotes/x for x.
bool is_unusual(std::string_view name);

/// The names in it that are unusual. A few at most.
std::vector<std::string> unusual_refs(std::string_view request);

} // namespace greenroom::http::git_http
