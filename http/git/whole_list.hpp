// The answer to who lists all references of `origin`, as `git ls-remote` does:
// what the view of the mirror has, and what the upstream has now beside
// branches and tags, such as refs/pull/7/head. The objects of those come when
// they are fetched by name (first_request.hpp); to list them they need not be
// here.
#pragma once

#include "messages/records.hpp"

#include <string>
#include <string_view>

namespace greenroom::http::git_http {

/// True for a request of protocol 2 for the list of all references.
bool asks_for_all(std::string_view request);

/// git's own answer, `listed`, with `others` for what it has beside branches
/// and tags: full names and objects, of which only those count that
/// is_unusual() allows. Throws bad_packet.
std::string whole_list(std::string_view listed, const string_map& others);

} // namespace greenroom::http::git_http
