// The answer to who lists all references of `origin`, as `git ls-remote` does,
// and by git's protocol before its second version everybody: what the view of
// the mirror has, and what the upstream has now beside branches and tags, such
// as refs/pull/7/head. The objects of those come when they are fetched
// (first_request.hpp); to list them they need not be here.
//
// In the order of names, as git itself lists them.
//
// `listed` is git's own answer, `others` the upstream's references by their
// full names and their objects, with what an annotated tag leads to as NAME^{};
// only those count that is_unusual() allows.
#pragma once

#include "messages/records.hpp"

#include <string>
#include <string_view>

namespace greenroom::http::git_http {

/// True for a request of protocol 2 for the list of all references.
bool asks_for_all(std::string_view request);

/// True where it wants to know what annotated tags lead to.
bool asks_for_peeled(std::string_view request);

/// By protocol 2. Throws bad_packet.
std::string whole_list(std::string_view listed, const string_map& others,
                       bool peeled);

/// By those before. Throws bad_packet.
std::string whole_advertisement(std::string_view listed,
                                const string_map& others);

} // namespace greenroom::http::git_http
