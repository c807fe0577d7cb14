// Heads on their way through the proxy: what an app gets of a request, and a
// browser of an app's answer.
//
// The app sees one Host for all requests, upgrades among them: localhost and
// its port, as if it were opened on the machine that it runs on. The public
// name is in X-Forwarded-* and Forwarded. What belongs to us (cookies, keys,
// links' tokens) stays here; what belongs to one connection only (RFC 9110,
// 7.6.1) is not passed on.
#pragma once

#include "http/proxy/target.hpp"
#include "http/wire/message.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace greenroom::http::proxy {

/// The parameter of a link that holds its token.
inline constexpr std::string_view token_parameter = "greenroom_token";

/// The cookie that a link sets; with `__Host-` before it over https.
inline constexpr std::string_view cookie_name = "greenroom-preview";

struct forwarding {
  const preview_target& target;
  std::string_view peer;           // the client's address
  std::string_view scheme;         // that the client used
  bool hide_authorization = false; // it is a key of ours
  bool hide_api_key = false;
  bool rewrite_origin = false; // the preview's own becomes the app's
  std::span<const std::string> hidden_protocols{}; // they hold keys of ours
};

/// No app is offered it: many clients offer it with every first request and do
/// without, and what follows on a connection would be requests that nobody here
/// reads.
inline constexpr std::string_view unoffered_protocol = "h2c";

/// The protocols that the app may switch to, as an Upgrade header; empty: none
/// is asked for.
std::string upgrade_for_app(const wire::message_head& request);

wire::message_head request_to_app(const wire::message_head& request,
                                  const forwarding& how);

wire::message_head answer_from_app(const wire::message_head& answer,
                                   const forwarding& how);

/// Trailers that may be passed on, in either direction: what belongs in a head
/// is no one's to say once that has been judged.
wire::header_list passed_trailers(const wire::header_list& trailers);

/// The subprotocols that a WebSocket's handshake offers. Views of the request.
std::vector<std::string_view>
offered_protocols(const wire::message_head& request);

/// The values of our cookie, at most max_cookies: pages of other sessions can
/// set one of that name for all hosts of the domain where it has no `__Host-`.
std::vector<std::string_view> preview_cookies(const wire::message_head& request,
                                              std::string_view scheme);
inline constexpr std::size_t max_cookies = 8;

/// The Set-Cookie that gives a token to one preview's host, or to its path, for
/// so many seconds.
std::string make_cookie(const preview_target& target, std::string_view scheme,
                        std::string_view token, long long seconds);

} // namespace greenroom::http::proxy
