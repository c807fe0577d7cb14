#include "http/proxy/access.hpp"

#include "http/base/parse.hpp"
#include "http/proxy/headers.hpp"
#include "runtime/auth/api_keys.hpp"
#include "runtime/auth/scopes.hpp"

#include <array>

namespace greenroom::http::proxy {

namespace {

/// Any one lets a key see what runs in a session.
constexpr std::array<std::string_view, 5> wanted_scopes{
  scope::sessions_read, scope::projects_read, scope::sessions_execute,
  scope::projects_execute, scope::admin};

} // namespace

bool access_rules::opens(std::string_view secret, const std::string& project_id,
                         unix_ms now, bool& known) const {
  if (secret.empty())
    return false;
  auto keys = keys_.snapshot();
  auto* key = keys->find(secret, now);
  known = key != nullptr;
  return known && allows_project(*key, project_id)
         && has_any(*key, wanted_scopes);
}

access_decision access_rules::decide(const wire::message_head& request,
                                     const preview_target& target,
                                     const std::string& project_id,
                                     std::string_view scheme,
                                     unix_ms now) const {
  using kind = access_decision::kind;
  access_decision result;
  auto& id = target.session_id;
  // Keys first: they are to be known as ours in any case.
  auto api_key = request.headers.get("X-API-Key");
  auto bearer = secret_of(request.headers.get("Authorization"), {});
  for (auto [secret, ours] : {std::pair{api_key, &result.api_key_is_ours},
                              std::pair{bearer, &result.authorization_is_ours}})
    if (opens(secret, project_id, now, *ours)) {
      result.what = kind::granted;
      result.grant.key_secret = secret;
    }
  if (auto token = query_value(target.path, token_parameter))
    if (auto link = settings_.find_link(id, target.port, *token, now)) {
      result.what = kind::linked;
      result.grant.link = std::move(link);
      result.token = *token;
      return result;
    }
  if (result.what == kind::granted)
    return result;
  auto access = settings_.of(id, target.port).access;
  if (access == preview_access::public_view)
    result.what = kind::granted;
  if (access != preview_access::token)
    return result;
  auto cookie = preview_cookie(request, scheme);
  if (cookie.empty())
    return result;
  if (auto link = settings_.find_link(id, target.port, cookie, now)) {
    result.what = kind::granted;
    result.grant.link = std::move(link);
  }
  return result;
}

bool access_rules::still_holds(const preview_grant& grant,
                               const preview_target& target,
                               const std::string& project_id,
                               unix_ms now) const {
  auto known = false;
  if (!grant.key_secret.empty())
    return opens(grant.key_secret, project_id, now, known);
  auto access = settings_.of(target.session_id, target.port).access;
  if (grant.link)
    return access != preview_access::key
           && settings_.is_valid(target.session_id, *grant.link, now);
  return access == preview_access::public_view;
}

} // namespace greenroom::http::proxy
