#include "http/git/route.hpp"

#include "http/base/authorization.hpp"
#include "messages/ids.hpp"

#include <algorithm>
#include <utility>

namespace greenroom::http::git_http {

namespace {

constexpr std::size_t max_token = 256;
constexpr std::size_t max_protocol = 64;

bool is_visible(char c) noexcept {
  return c > ' ' && c < 0x7f;
}

/// Cuts `text` at the next `mark`, which has to be there.
std::optional<std::string_view> cut(std::string_view& text,
                                    std::string_view mark) {
  auto at = text.find(mark);
  if (at == std::string_view::npos)
    return std::nullopt;
  auto front = text.substr(0, at);
  text.remove_prefix(at + mark.size());
  return front;
}

std::optional<service> service_named(std::string_view name) {
  for (auto one : {service::upload_pack, service::receive_pack})
    if (name == name_of(one))
      return one;
  return std::nullopt;
}

/// Of `a=b&service=git-NAME`.
std::optional<service> service_in(std::string_view query) {
  constexpr std::string_view key = "service=git-";
  while (!query.empty()) {
    auto field = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), field.size() + 1));
    if (field.starts_with(key))
      return service_named(field.substr(key.size()));
  }
  return std::nullopt;
}

} // namespace

std::string_view name_of(service what) noexcept {
  return what == service::upload_pack ? "upload-pack" : "receive-pack";
}

std::optional<git_route> read_route(std::string_view target) {
  constexpr std::string_view top = "/git/";
  auto path = target.substr(0, target.find('?'));
  auto query = target.substr(std::min(target.size(), path.size() + 1));
  if (!path.starts_with(top))
    return std::nullopt;
  path.remove_prefix(top.size());
  auto project = cut(path, "/");
  auto session = cut(path, ".git/");
  if (!project || !session || !is_project_id(*project) || !is_id(*session))
    return std::nullopt;
  git_route result{std::string{*project}, std::string{*session}, false, {}, {}};
  if (path == "info/refs") {
    result.advertise = true;
    result.service = service_in(query);
    return result;
  }
  constexpr std::string_view lfs = "info/lfs/";
  if (path.starts_with(lfs) && path.size() > lfs.size()) {
    result.lfs = path.substr(lfs.size());
    result.advertise = true;
    result.service = service::upload_pack;
    return result;
  }
  constexpr std::string_view prefix = "git-";
  if (path.starts_with(prefix))
    result.service = service_named(path.substr(prefix.size()));
  if (!result.service)
    return std::nullopt;
  return result;
}

std::string token_of(std::string_view authorization) {
  std::string token;
  if (auto basic = read_basic(authorization)) {
    token = std::move(basic->password);
  } else if (auto bearer = after_scheme(authorization, "bearer")) {
    token = *bearer;
  }
  if (token.size() > max_token
      || !std::all_of(token.begin(), token.end(), is_visible))
    return {};
  return token;
}

std::string_view sane_protocol(std::string_view sent) noexcept {
  auto is_sane = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '='
           || c == ':' || c == '-';
  };
  if (sent.size() > max_protocol
      || !std::all_of(sent.begin(), sent.end(), is_sane))
    return {};
  return sent;
}

bool speaks_v2(std::string_view protocol) {
  return (':' + std::string{protocol} + ':').find(":version=2:")
         != std::string::npos;
}

} // namespace greenroom::http::git_http
