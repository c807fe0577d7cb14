#include "http/proxy/access.hpp"

#include "http/base/authorization.hpp"
#include "http/base/parse.hpp"
#include "http/proxy/asking_page.hpp"
#include "http/proxy/headers.hpp"
#include "runtime/auth/api_keys.hpp"
#include "runtime/auth/scopes.hpp"

#include <array>
#include <optional>

namespace greenroom::http::proxy {

namespace {

/// Any one lets a key see what runs in a session.
constexpr std::array<std::string_view, 5> wanted_scopes{
  scope::sessions_read, scope::projects_read, scope::sessions_execute,
  scope::projects_execute, scope::admin};

/// Whether it could be a key: one that is none any more is no app's to see
/// either.
bool looks_like_ours(std::string_view secret) {
  constexpr std::string_view start = "gr_";
  return secret.starts_with(start) && secret.size() == start.size() + 64;
}

/// A browser that asks whether a page may ask; it never sends cookies or keys,
/// nor a body, and asks for no upgrade, which would be more than to ask.
bool is_preflight(const wire::message_head& request) {
  return request.method == "OPTIONS" && request.upgrade().empty()
         && !request.chunked && request.content_length.value_or(0) == 0
         && !request.headers.get("Origin").empty()
         && !request.headers.get("Access-Control-Request-Method").empty();
}

} // namespace

bool access_rules::opens(std::string_view secret, const std::string& project_id,
                         unix_ms now, bool& ours) const {
  if (secret.empty())
    return false;
  auto keys = keys_.snapshot();
  auto* key = keys->find(secret, now);
  ours = key != nullptr || looks_like_ours(secret);
  return key != nullptr && allows_project(*key, project_id)
         && has_any(*key, wanted_scopes);
}

bool access_rules::is_ours(std::string_view secret, unix_ms now) const {
  return !secret.empty()
         && (looks_like_ours(secret)
             || keys_.snapshot()->find(secret, now) != nullptr);
}

/// All of them: they are to be known as ours in any case, however many, and
/// wherever the API or git would take one, though not all open a preview.
void access_rules::find_keys(const wire::message_head& request,
                             const std::string& project_id, unix_ms now,
                             access_decision& to) const {
  for (auto& one : request.headers) {
    const auto is_api_key = wire::equal_caseless(one.name, "X-API-Key");
    if (!is_api_key && !wire::equal_caseless(one.name, "Authorization"))
      continue;
    const auto secret =
      is_api_key ? secret_of({}, one.value) : secret_of(one.value, {});
    auto ours = false;
    if (opens(secret, project_id, now, ours)) {
      to.what = access_decision::kind::granted;
      to.grant.key_secret = secret;
    }
    if (auto basic = is_api_key ? std::nullopt : read_basic(one.value))
      ours = is_ours(basic->password, now) || is_ours(basic->user, now);
    auto& hidden = is_api_key ? to.api_key_is_ours : to.authorization_is_ours;
    hidden = hidden || ours;
  }
  for (auto protocol : offered_protocols(request))
    if (is_ours(secret_of_protocols(protocol), now))
      to.own_protocols.emplace_back(protocol);
}

preview_access access_rules::access_to(const preview_target& target,
                                       const session_info& session) const {
  return settings_.of(target.session_id, target.port)
    .access.value_or(session.rules.access);
}

bool access_rules::is_valid(const preview_link& link,
                            const std::string& session_id, unix_ms now) const {
  return keys_.snapshot()->find_id(link.key_id, now) != nullptr
         && settings_.is_valid(session_id, link, now);
}

access_decision access_rules::decide(const wire::message_head& request,
                                     const preview_target& target,
                                     const session_info& session,
                                     std::string_view scheme,
                                     unix_ms now) const {
  using kind = access_decision::kind;
  access_decision result;
  auto& id = target.session_id;
  auto find_link = [&](std::string_view token) {
    auto link = settings_.find_link(id, target.port, token, now);
    if (link && !is_valid(*link, id, now))
      link.reset();
    return link;
  };
  find_keys(request, session.project_id, now, result);
  const auto access = access_to(target, session);
  if (auto token = query_value(target.path, token_parameter);
      token && access != preview_access::key)
    if (auto link = find_link(*token)) {
      result.what = kind::linked;
      result.grant.link = std::move(link);
      result.token = *token;
      return result;
    }
  if (result.what == kind::granted)
    return result;
  if (session.rules.preflights && is_preflight(request)) {
    result.what = kind::granted;
    result.grant.preflight = true;
  }
  if (access == preview_access::public_view)
    result.what = kind::granted;
  // Of a public port, too: it is what is left where that is public no more.
  if (access == preview_access::key || may_be_of_other_session(request, target))
    return result;
  for (auto cookie : preview_cookies(request, scheme))
    if (auto link = find_link(cookie)) {
      result.what = kind::granted;
      result.grant.link = std::move(link);
      break;
    }
  return result;
}

bool still_lets_in(const preview_grant& grant,
                   const grant_standing& now) noexcept {
  if (!grant.key_secret.empty())
    return now.key_opens;
  if (now.access == preview_access::public_view
      || (grant.preflight && now.preflights))
    return true;
  return now.access == preview_access::token && grant.link && now.link_is_valid;
}

bool access_rules::still_lets_in(const preview_grant& grant,
                                 const preview_target& target,
                                 const session_info& session,
                                 unix_ms now) const {
  auto ours = false;
  grant_standing by_now;
  by_now.key_opens = opens(grant.key_secret, session.project_id, now, ours);
  by_now.link_is_valid =
    grant.link && is_valid(*grant.link, target.session_id, now);
  by_now.access = access_to(target, session);
  by_now.preflights = session.rules.preflights;
  return proxy::still_lets_in(grant, by_now);
}

bool access_rules::depends_on_project(const preview_grant& grant,
                                      const preview_target& target) const {
  return grant.key_secret.empty()
         && (grant.preflight
             || !settings_.of(target.session_id, target.port).access);
}

} // namespace greenroom::http::proxy
