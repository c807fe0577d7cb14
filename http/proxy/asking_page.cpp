#include "http/proxy/asking_page.hpp"

#include "http/base/own_names.hpp"
#include "http/proxy/pages.hpp"
#include "messages/ids.hpp"

#include <algorithm>
#include <string>
#include <string_view>

namespace greenroom::http::proxy {

namespace {

/// The origin of a page or, of what says none as scripts and pictures do, its
/// address; empty: it is not told, which a page may ask for.
std::string_view asking_page(const wire::message_head& request) {
  auto origin = request.headers.get("Origin");
  if (!origin.empty())
    return origin == "null" ? std::string_view{} : origin;
  return request.headers.get("Referer");
}

std::string host_of_page(std::string_view url) {
  const auto mark = url.find("://");
  if (mark == url.npos)
    return {};
  url.remove_prefix(mark + 3);
  return host_of_authority(url.substr(0, url.find_first_of("/?#")))
    .value_or("");
}

/// Of `page`, a host, and the session's own.
bool is_host_of_other(const std::string& page, const std::string& own,
                      const std::string& session_id) {
  const auto domain =
    std::string_view{own}.substr(std::min(own.find('.') + 1, own.size()));
  // That has pages of all sessions, by path.
  if (page == domain)
    return true;
  const auto end = page.find('.');
  if (end == page.npos || page.substr(end + 1) != domain)
    return false;
  const auto label = page.substr(0, end);
  const auto session = label.substr(label.find('-') + 1);
  return is_id(session) && session != session_id;
}

} // namespace

bool may_be_of_other_session(const wire::message_head& request,
                             const preview_target& target) {
  if (!target.prefix.empty())
    return false;
  const auto& headers = request.headers;
  // No page can say this of itself.
  const auto site = headers.get("Sec-Fetch-Site");
  if (site == "same-origin" || site == "none")
    return false;
  const auto hides = headers.get("Origin") == "null";
  if (headers.get("Origin").empty() && is_navigation(request))
    return false;
  const auto page = asking_page(request);
  if (page.empty())
    return hides || !site.empty();
  return is_host_of_other(host_of_page(page),
                          host_of_authority(target.host).value_or(""),
                          target.session_id);
}

} // namespace greenroom::http::proxy
