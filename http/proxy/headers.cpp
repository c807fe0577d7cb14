#include "http/proxy/headers.hpp"

#include "http/base/parse.hpp"
#include "http/edge/passage.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>

namespace greenroom::http::proxy {

namespace {

using wire::equal_caseless;

/// Of one connection, not of the message, or set anew for each.
constexpr std::array<std::string_view, 10> of_connection{
  "Connection",          "Keep-Alive",
  "Proxy-Connection",    "Proxy-Authenticate",
  "Proxy-Authorization", "TE",
  "Transfer-Encoding",   "Upgrade",
  "HTTP2-Settings",      "Content-Length"};

/// What tells an app who asks; nothing of it is a client's to say.
constexpr std::array<std::string_view, 12> ours_to_say{"Host",
                                                       "X-Greenroom-Via",
                                                       "X-Greenroom-Client",
                                                       "Forwarded",
                                                       "X-Forwarded-For",
                                                       "X-Forwarded-Host",
                                                       "X-Forwarded-Proto",
                                                       "X-Forwarded-Prefix",
                                                       "X-Forwarded-Port",
                                                       "X-Forwarded-Server",
                                                       "X-Real-IP",
                                                       "Expect"};

constexpr std::array<std::string_view, 2> changed_for_app{"Origin", "Cookie"};

template <class Names>
bool is_one_of(const Names& names, std::string_view name) {
  return std::ranges::any_of(
    names, [&](auto one) { return equal_caseless(one, name); });
}

bool is_ours_to_say(std::string_view name) {
  if (name.find('_') == name.npos)
    return is_one_of(ours_to_say, name);
  // Servers that make variables of names take it for the other mark.
  std::string read{name};
  std::ranges::replace(read, '_', '-');
  return is_one_of(ours_to_say, read);
}

bool belongs_to_connection(const wire::message_head& head,
                           std::string_view name) {
  return is_one_of(of_connection, name)
         || head.headers.has_token("Connection", name);
}

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t'))
    text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t'))
    text.remove_suffix(1);
  return text;
}

/// The next of what `mark` separates; `text` loses it.
std::string_view next_part(std::string_view& text, char mark) {
  auto end = std::min(text.find(mark), text.size());
  auto result = trimmed(text.substr(0, end));
  text.remove_prefix(std::min(end + 1, text.size()));
  return result;
}

std::string full_cookie_name(std::string_view scheme, bool by_name) {
  return (scheme == "https" && by_name ? "__Host-" : "")
         + std::string{cookie_name};
}

/// Ours whatever the scheme; cookies' names tell large letters from small, but
/// nobody is helped by one that looks like ours.
bool is_our_cookie(std::string_view name) {
  constexpr std::string_view host = "__Host-";
  if (name.size() > host.size()
      && equal_caseless(name.substr(0, host.size()), host))
    name.remove_prefix(host.size());
  return equal_caseless(name, cookie_name)
         || equal_caseless(name, login_cookie);
}

/// What a server will know a cookie by: of one without a name a browser sends
/// the value alone, whatever that looks like.
std::string_view name_of(std::string_view cookie) {
  while (cookie.starts_with('='))
    cookie = trimmed(cookie.substr(1));
  return trimmed(cookie.substr(0, cookie.find('=')));
}

std::string without_our_cookies(std::string_view cookies) {
  std::string result;
  while (!cookies.empty()) {
    auto one = next_part(cookies, ';');
    if (one.empty() || is_our_cookie(name_of(one)))
      continue;
    result.append(result.empty() ? "" : "; ").append(one);
  }
  return result;
}

constexpr std::string_view protocol_header = "Sec-WebSocket-Protocol";

std::string without_protocols(std::string_view list,
                              std::span<const std::string> hidden) {
  std::string result;
  while (!list.empty()) {
    auto one = next_part(list, ',');
    if (!one.empty() && std::ranges::find(hidden, one) == hidden.end())
      result.append(result.empty() ? "" : ", ").append(one);
  }
  return result;
}

/// A cookie of an app's stays with the app: with its host, or its path where
/// all have the same host. Empty: it may not be set.
std::string confined_cookie(std::string_view cookie,
                            const preview_target& target) {
  auto first = next_part(cookie, ';');
  if (is_our_cookie(name_of(first)))
    return {};
  std::string result{first};
  std::string path = "/";
  while (!cookie.empty()) {
    auto one = next_part(cookie, ';');
    auto name = trimmed(one.substr(0, one.find('=')));
    if (equal_caseless(name, "Domain"))
      continue;
    if (equal_caseless(name, "Path") && !target.prefix.empty()) {
      auto value = one.find('=');
      auto text = value == std::string_view::npos
                    ? std::string_view{}
                    : trimmed(one.substr(value + 1));
      path = text.starts_with('/') ? std::string{text} : path;
      continue;
    }
    result.append("; ").append(one);
  }
  if (!target.prefix.empty())
    result.append("; Path=").append(target.prefix).append(path);
  return result;
}

/// What follows the app's own origin; nullopt: this is another's. Servers leave
/// out the port that a scheme has anyway.
std::optional<std::string_view> behind_own_origin(std::string_view location,
                                                  std::uint16_t port) {
  struct scheme {
    std::string_view start;
    std::uint16_t port;
  };
  const auto colon_port = ':' + std::to_string(port);
  for (auto [start, usual] : {scheme{"http://", 80}, scheme{"https://", 443}})
    for (std::string_view host : {"localhost", "127.0.0.1", "[::1]"}) {
      auto rest = location;
      if (!rest.starts_with(start))
        continue;
      rest.remove_prefix(start.size());
      if (!rest.starts_with(host))
        continue;
      rest.remove_prefix(host.size());
      if (rest.starts_with(colon_port))
        rest.remove_prefix(colon_port.size());
      else if (port != usual)
        continue;
      if (rest.empty()
          || std::string_view{"/?#"}.find(rest.front())
               != std::string_view::npos)
        return rest;
    }
  return std::nullopt;
}

/// An app that says where to go by its own name means its public one.
std::string public_location(std::string_view location, const forwarding& how) {
  const auto own = behind_own_origin(location, how.target.port);
  const auto is_path = location.starts_with('/') && !location.starts_with("//");
  if (!own && !is_path)
    return std::string{location};
  std::string result;
  if (own)
    result.append(how.scheme).append("://").append(how.target.host);
  const auto path = own.value_or(location);
  // An app that knows its prefix may say it.
  auto& prefix = how.target.prefix;
  if (!prefix.empty() && !path.starts_with(prefix + '/'))
    result.append(prefix);
  return result.append(path);
}

/// A page of the preview, as an app knows itself. Others stay strangers.
std::string origin_for_app(std::string_view origin, const forwarding& how) {
  auto own = std::string{how.scheme} + "://" + how.target.host;
  if (!how.rewrite_origin || !equal_caseless(origin, own))
    return std::string{origin};
  return "http://localhost:" + std::to_string(how.target.port);
}

/// What an app gets of one header; empty: nothing.
std::string value_for_app(const wire::header& one, const forwarding& how) {
  if (equal_caseless(one.name, "Origin"))
    return origin_for_app(one.value, how);
  if (equal_caseless(one.name, "Cookie"))
    return without_our_cookies(one.value);
  return without_protocols(one.value, how.hidden_protocols);
}

void add_forwarded(wire::header_list& to, const forwarding& how) {
  auto& host = how.target.host;
  to.add("X-Forwarded-For", how.peer);
  to.add("X-Forwarded-Host", host);
  to.add("X-Forwarded-Proto", how.scheme);
  if (!how.target.prefix.empty())
    to.add("X-Forwarded-Prefix", how.target.prefix);
  std::string all;
  all.reserve(how.peer.size() + host.size() + how.scheme.size() + 32);
  all.append("for=");
  if (how.peer.find(':') == std::string_view::npos)
    all.append(how.peer);
  else
    all.append("\"[").append(how.peer).append("]\"");
  all.append(";host=\"").append(host).append("\";proto=").append(how.scheme);
  to.add("Forwarded", all);
}

bool is_hidden(const wire::header& one, const forwarding& how) {
  if (equal_caseless(one.name, "Authorization"))
    return how.hide_authorization;
  if (equal_caseless(one.name, "X-API-Key"))
    return how.hide_api_key;
  // Where a page that was opened by a link says where it is.
  return equal_caseless(one.name, "Referer")
         && one.value.find(token_parameter) != std::string::npos;
}

} // namespace

std::string upgrade_for_app(const wire::message_head& request) {
  std::string result;
  if (request.upgrade().empty())
    return result;
  for (auto& one : request.headers) {
    std::string_view all = one.value;
    while (equal_caseless(one.name, "Upgrade") && !all.empty()) {
      auto protocol = next_part(all, ',');
      if (!protocol.empty() && !equal_caseless(protocol, unoffered_protocol))
        result.append(result.empty() ? "" : ", ").append(protocol);
    }
  }
  return result;
}

wire::message_head request_to_app(const wire::message_head& request,
                                  const forwarding& how) {
  wire::message_head result;
  result.method = request.method;
  result.target = how.target.path;
  result.headers.add("Host", "localhost:" + std::to_string(how.target.port));
  for (auto& one : request.headers) {
    if (belongs_to_connection(request, one.name) || is_ours_to_say(one.name)
        || is_hidden(one, how))
      continue;
    const auto changes = is_one_of(changed_for_app, one.name)
                         || (equal_caseless(one.name, protocol_header)
                             && !how.hidden_protocols.empty());
    if (!changes)
      result.headers.add(one.name, one.value);
    else if (auto value = value_for_app(one, how); !value.empty())
      result.headers.add(one.name, value);
  }
  add_forwarded(result.headers, how);
  // Of what a connection says of itself this holds for ours, too; some servers
  // send no trailers to who does not ask for them.
  const auto takes_trailers = request.headers.has_token("TE", "trailers");
  if (takes_trailers)
    result.headers.add("TE", "trailers");
  if (auto protocol = upgrade_for_app(request); !protocol.empty()) {
    result.headers.add("Connection",
                       takes_trailers ? "Upgrade, TE" : "Upgrade");
    result.headers.add("Upgrade", protocol);
  } else if (takes_trailers) {
    result.headers.add("Connection", "TE");
  }
  return result;
}

wire::message_head answer_from_app(const wire::message_head& answer,
                                   const forwarding& how) {
  wire::message_head result;
  result.status = answer.status;
  result.reason = answer.reason;
  for (auto& one : answer.headers) {
    // That a node is not the owner is for the node to say.
    if (belongs_to_connection(answer, one.name)
        || equal_caseless(one.name, moved_header))
      continue;
    if (equal_caseless(one.name, "Set-Cookie")) {
      auto cookie = confined_cookie(one.value, how.target);
      if (!cookie.empty())
        result.headers.add(one.name, cookie);
    } else if (equal_caseless(one.name, "Location")) {
      result.headers.add(one.name, public_location(one.value, how));
    } else {
      result.headers.add(one.name, one.value);
    }
  }
  if (answer.status == 101) {
    result.headers.add("Connection", "Upgrade");
    result.headers.add("Upgrade", answer.headers.get("Upgrade"));
  }
  return result;
}

wire::header_list passed_trailers(const wire::header_list& trailers) {
  constexpr std::array<std::string_view, 9> of_heads{
    "Authorization", "X-API-Key", "Cookie",  "Set-Cookie",   "Location",
    "Origin",        "Referer",   "Trailer", protocol_header};
  wire::header_list result;
  for (auto& one : trailers)
    if (!is_one_of(of_connection, one.name) && !is_ours_to_say(one.name)
        && !is_one_of(of_heads, one.name))
      result.add(one.name, one.value);
  return result;
}

std::vector<std::string_view>
offered_protocols(const wire::message_head& request) {
  std::vector<std::string_view> result;
  for (auto& one : request.headers) {
    std::string_view all = one.value;
    while (equal_caseless(one.name, protocol_header) && !all.empty())
      result.push_back(next_part(all, ','));
  }
  return result;
}

std::vector<std::string_view> preview_cookies(const wire::message_head& request,
                                              std::string_view scheme) {
  std::vector<std::string_view> result;
  auto add = [&](std::string_view cookie, const std::string& wanted) {
    if (cookie.starts_with(wanted) && result.size() < max_cookies)
      result.push_back(cookie.substr(wanted.size()));
  };
  for (auto by_name : {true, false}) {
    auto wanted = full_cookie_name(scheme, by_name) + '=';
    for (auto& one : request.headers) {
      std::string_view all = one.value;
      while (equal_caseless(one.name, "Cookie") && !all.empty())
        add(next_part(all, ';'), wanted);
    }
    if (scheme != "https")
      break; // it has one name only
  }
  return result;
}

std::string make_cookie(const preview_target& target, std::string_view scheme,
                        std::string_view token, long long seconds) {
  auto by_name = target.prefix.empty();
  auto result = full_cookie_name(scheme, by_name) + '=' + std::string{token};
  result += "; Path=" + target.prefix + '/';
  result += "; Max-Age=" + std::to_string(seconds);
  result += "; HttpOnly; SameSite=Lax";
  if (scheme == "https")
    result += "; Secure";
  return result;
}

} // namespace greenroom::http::proxy
