// What a client of `git upload-pack` asks first. By the second version of git's
// protocol it has been told what the server can do, and lists references; by
// those before it has the list, and names the objects that it wants.
//
// Its bytes go on to git as they are, but for a list of all (whole_list.hpp);
// here is only looked what they name.
#pragma once

#include "messages/records.hpp"

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace greenroom::http::git_http {

/// How large a first request may be that is looked at: by the second version,
/// and by those before it, where it names each object.
inline constexpr std::size_t max_first_request = 64 * 1024;
inline constexpr std::size_t max_first_wants = 2 * 1024 * 1024;

/// The length of the request that `bytes` begin with; nullopt where more of it
/// has to come. Throws bad_packet.
std::optional<std::size_t> request_size(std::string_view bytes);

/// The same of one that comes piece by piece, `bytes` being all of it so far.
/// `seen` is 0 at first, and then what need not be looked at again.
std::optional<std::size_t> request_size(std::string_view bytes,
                                        std::size_t& seen);

/// True for a reference that an upstream has beside branches and tags, by its
/// full name; not for ours.
bool is_unusual(std::string_view name);

/// How the names begin that it lists and that are unusual; not what git only
/// tries, as refs/remotes/x for x, or refs/topic/x for a branch topic/x. A few
/// at most; `refs/`: all.
std::vector<std::string>
unusual_refs(std::string_view request,
             const std::function<bool(const std::string&)>& is_branch = {});

/// Of full names and their objects the unusual ones whose objects are wanted by
/// a request of the versions before; `refs/` where they are many.
std::vector<std::string> unusual_wants(std::string_view request,
                                       const string_map& names);

} // namespace greenroom::http::git_http
