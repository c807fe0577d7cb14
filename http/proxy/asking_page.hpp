// Which page a browser asks for.
//
// Previews are of one site, so that a browser sends a preview's cookie also
// with what a page of another session's asks. What runs in one session is not
// to see another, or to act in it, with the eyes of a person who may see both.
#pragma once

#include "http/proxy/target.hpp"
#include "http/wire/message.hpp"

namespace greenroom::http::proxy {

/// True where a page of another session asks, or may ask: one that hides who it
/// is, as a page can, unless the browser says that it is of this very host.
/// Never for the path form, all of whose pages are of one origin, nor for a
/// person who follows a link or types an address.
bool may_be_of_other_session(const wire::message_head& request,
                             const preview_target& target);

} // namespace greenroom::http::proxy
