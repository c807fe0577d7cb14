// What the proxy says by itself: a page to a person who opens a preview, and
// next to nothing to scripts, images and the like, which would take a page for
// what they asked for.
#pragma once

#include "http/wire/message.hpp"

#include <string>
#include <string_view>

namespace greenroom::http::proxy {

/// True for a request that shows its answer to a person.
bool is_navigation(const wire::message_head& request);

struct page {
  wire::message_head head;
  std::string body;
};

/// `title` and `text` are shown as they are. With `again` the page asks anew
/// every second. Without `to_person` there is no body.
page make_page(int status, std::string_view title, std::string_view text,
               bool to_person, bool again = false);

} // namespace greenroom::http::proxy
