#include "http/proxy/target.hpp"

#include "http/base/own_names.hpp"
#include "messages/ids.hpp"
#include "runtime/api_json/preview_address.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace greenroom::http::proxy {

namespace {

constexpr std::string_view path_start = "/preview/";

std::optional<std::uint16_t> read_port(std::string_view text) {
  std::uint16_t port = 0;
  auto end = text.data() + text.size();
  auto [stop, error] = std::from_chars(text.data(), end, port);
  if (error != std::errc{} || stop != end || port == 0 || text.front() == '0')
    return std::nullopt;
  return port;
}

bool is_address(const std::string& name) {
  std::array<unsigned char, sizeof(in6_addr)> bytes{};
  return ::inet_pton(AF_INET, name.c_str(), bytes.data()) == 1
         || ::inet_pton(AF_INET6, name.c_str(), bytes.data()) == 1;
}

bool same_host(std::string_view authority, const std::string& name) {
  return host_of_authority(authority) == name;
}

/// Without a domain also by the names that its URLs have.
bool serves_paths(const std::string& name, const options& opts) {
  if (name.empty())
    return false;
  if (name == opts.preview_domain || name == "localhost" || is_address(name))
    return true;
  if (!opts.preview_domain.empty())
    return false;
  auto start = opts.preview_url.find("://");
  return same_host(opts.preview_host, name)
         || (start != std::string::npos
             && same_host(std::string_view{opts.preview_url}.substr(start + 3),
                          name));
}

/// `{port}-{sid}`.
std::optional<std::pair<std::uint16_t, std::string>>
read_label(std::string_view label) {
  auto dash = label.find('-');
  if (dash == 0 || dash == std::string_view::npos)
    return std::nullopt;
  auto port = read_port(label.substr(0, dash));
  auto session = label.substr(dash + 1);
  if (!port || !is_id(session))
    return std::nullopt;
  return std::pair{*port, std::string{session}};
}

std::string cut_segment(std::string_view& path) {
  auto end = std::min(path.find_first_of("/?"), path.size());
  std::string result{path.substr(0, end)};
  path.remove_prefix(end);
  return result;
}

preview_target by_path(std::string_view target) {
  if (!target.starts_with(path_start))
    throw wire::bad_message{404, "there is no preview of that name"};
  auto rest = target.substr(path_start.size());
  preview_target result;
  result.session_id = cut_segment(rest);
  auto slash = rest.starts_with('/');
  if (slash)
    rest.remove_prefix(1);
  auto port_text = cut_segment(rest);
  auto port = read_port(port_text);
  if (!slash || !port || !is_id(result.session_id))
    throw wire::bad_message{404, "there is no preview of that name"};
  result.port = *port;
  result.prefix = std::string{path_start} + result.session_id + '/' + port_text;
  result.lacks_slash = !rest.starts_with('/');
  result.path = (result.lacks_slash ? "/" : "") + std::string{rest};
  return result;
}

/// Finds a parameter: where it begins and how long `name=value` is.
std::optional<std::pair<std::size_t, std::size_t>>
find_parameter(std::string_view target, std::string_view name) {
  auto at = target.find('?');
  while (at != std::string_view::npos) {
    ++at;
    auto end = std::min(target.find('&', at), target.size());
    auto one = target.substr(at, end - at);
    if (one.starts_with(name) && one.substr(name.size()).starts_with('='))
      return std::pair{at, end - at};
    at = end == target.size() ? std::string_view::npos : end;
  }
  return std::nullopt;
}

} // namespace

preview_target read_target(const wire::message_head& request,
                           const options& opts) {
  auto& target = request.target;
  if (!target.starts_with('/'))
    throw wire::bad_message{400, "a preview is asked for by a path"};
  auto host = request.headers.get("Host");
  const auto own_name = host_of_authority(host).value_or("");
  const std::string_view name = own_name;
  preview_target result;
  auto label_end = name.find('.');
  if (!opts.preview_domain.empty() && label_end != name.npos
      && name.substr(label_end + 1) == opts.preview_domain) {
    auto label = read_label(name.substr(0, label_end));
    if (!label)
      throw wire::bad_message{404, "there is no preview of that name"};
    std::tie(result.port, result.session_id) = *label;
    result.path = target;
  } else if (serves_paths(own_name, opts)) {
    result = by_path(target);
  } else {
    throw wire::bad_message{403, "no previews are served by that name"};
  }
  result.host = host;
  return result;
}

std::string_view preview_scheme(const options& opts) noexcept {
  return greenroom::preview_scheme(opts.preview_url);
}

std::string preview_url(const options& opts, std::string_view session_id,
                        std::uint16_t port) {
  auto listens =
    opts.preview_host.empty() ? std::uint16_t{0} : opts.preview_port;
  return greenroom::preview_url(
    {opts.preview_domain, opts.preview_url, listens, opts.preview_host},
    session_id, port);
}

std::optional<std::string_view> query_value(std::string_view target,
                                            std::string_view name) {
  auto found = find_parameter(target, name);
  if (!found)
    return std::nullopt;
  return target.substr(found->first + name.size() + 1,
                       found->second - name.size() - 1);
}

std::string without_query_value(std::string_view target,
                                std::string_view name) {
  std::string result{target};
  while (auto found = find_parameter(result, name)) {
    auto [at, size] = *found;
    // With the mark before it, or the one behind where it is the first.
    auto last = at + size == result.size();
    if (last || result[at - 1] == '&')
      result.erase(at - 1, size + 1);
    else
      result.erase(at, size + 1);
  }
  return result;
}

} // namespace greenroom::http::proxy
