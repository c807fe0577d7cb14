// What the proxy says by itself: a page to a person who opens a preview, and
// next to nothing to scripts, images and the like, which would take a page for
// what they asked for.
#pragma once

#include "http/proxy/session_ports.hpp"
#include "http/wire/message.hpp"

#include <string>
#include <string_view>

namespace greenroom::http::proxy {

/// True for a request whose answer is shown to a person, as that of a form is.
bool is_shown(const wire::message_head& request);

/// The same of one that may be made again: an address, a link, a frame.
bool is_navigation(const wire::message_head& request);

struct page {
  wire::message_head head;
  std::string body;
};

/// `title` and `text` are shown as they are. Without `to_person` there is no
/// body.
page make_page(int status, std::string_view title, std::string_view text,
               bool to_person);

/// Of a session that is over: how, when, and to who `may_know`, why. A reason
/// names keys, branches and what an operator has said.
page make_over_page(const session_info& session, bool may_know, bool to_person);

/// The header by which a page of ours asks whether the app is there by now.
inline constexpr std::string_view waiting_header = "Greenroom-Waiting";

/// What a command printed, as the waiting page shows it.
std::string output_text(const printed_last& output);

/// A page that shows the output and opens the app when that is there.
page make_waiting_page(std::string_view text, const printed_last& output,
                       bool to_person);

} // namespace greenroom::http::proxy
