#include "http/proxy/preview_settings.hpp"

#include "messages/errors.hpp"
#include "runtime/auth/sha256.hpp"
#include "runtime/base/files.hpp"

#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace greenroom::http::proxy {

namespace {

using json = nlohmann::json;

constexpr std::string_view file_name = "previews.json";

preview_link link_from(const json& from) {
  return {from.at("id"), from.at("port"), from.at("token_hash"),
          from.at("key_id"), from.at("expires_at")};
}

json link_json(const preview_link& link) {
  return {{"id", link.id},
          {"port", link.port},
          {"token_hash", link.token_hash},
          {"key_id", link.key_id},
          {"expires_at", link.expires_at}};
}

} // namespace

std::string_view to_string(preview_access access) noexcept {
  switch (access) {
    case preview_access::token:
      return "token";
    case preview_access::key:
      return "key";
    case preview_access::public_view:
      break;
  }
  return "public";
}

std::optional<preview_access> preview_access_from(std::string_view text) {
  for (auto one : {preview_access::token, preview_access::key,
                   preview_access::public_view})
    if (to_string(one) == text)
      return one;
  return std::nullopt;
}

preview_settings::preview_settings(std::filesystem::path data_dir)
  : data_dir_(std::move(data_dir)) {}

port_settings preview_settings::of(const std::string& session_id,
                                   std::uint16_t port) {
  std::lock_guard lock{guard_};
  auto& ports = load(session_id).ports;
  auto found = ports.find(port);
  return found == ports.end() ? port_settings{} : found->second;
}

void preview_settings::set(const std::string& session_id, std::uint16_t port,
                           port_settings what) {
  std::lock_guard lock{guard_};
  auto changed = load(session_id);
  changed.ports[port] = std::move(what);
  if (changed.ports.size() > max_ports)
    throw refused{errc::overloaded, "a session may have settings for "
                                      + std::to_string(max_ports) + " ports"};
  save(session_id, changed);
  sessions_[session_id] = std::move(changed);
}

void preview_settings::add_link(const std::string& session_id,
                                preview_link link, unix_ms now) {
  std::lock_guard lock{guard_};
  auto changed = load(session_id);
  std::erase_if(changed.links,
                [now](auto& one) { return one.expires_at <= now; });
  if (changed.links.size() >= max_links)
    throw refused{errc::overloaded,
                  "a session may have " + std::to_string(max_links)
                    + " links at a time: delete one, or let them expire"};
  changed.links.push_back(std::move(link));
  save(session_id, changed);
  sessions_[session_id] = std::move(changed);
}

bool preview_settings::remove_link(const std::string& session_id,
                                   std::uint16_t port,
                                   std::string_view link_id) {
  std::lock_guard lock{guard_};
  auto changed = load(session_id);
  auto gone = std::erase_if(changed.links, [&](auto& one) {
    return one.port == port && one.id == link_id;
  });
  if (gone == 0)
    return false;
  save(session_id, changed);
  sessions_[session_id] = std::move(changed);
  return true;
}

std::optional<preview_link>
preview_settings::find_link(const std::string& session_id, std::uint16_t port,
                            std::string_view token, unix_ms now) {
  auto hash = sha256_hex(token);
  std::lock_guard lock{guard_};
  for (auto& one : load(session_id).links)
    if (one.port == port && one.token_hash == hash && one.expires_at > now)
      return one;
  return std::nullopt;
}

bool preview_settings::is_valid(const std::string& session_id,
                                const preview_link& link, unix_ms now) {
  std::lock_guard lock{guard_};
  return link.expires_at > now
         && std::ranges::any_of(load(session_id).links,
                                [&](auto& one) { return one.id == link.id; });
}

preview_settings::session&
preview_settings::load(const std::string& session_id) {
  if (auto known = sessions_.find(session_id); known != sessions_.end())
    return known->second;
  session read;
  auto path = data_dir_ / "sessions" / session_id / file_name;
  if (auto text = read_file(path))
    try {
      auto all = json::parse(*text);
      for (auto& one : all.at("ports"))
        read.ports[one.at("port")] = {
          preview_access_from(one.at("access").get<std::string>())
            .value_or(preview_access::key),
          one.at("label")};
      for (auto& one : all.at("links"))
        read.links.push_back(link_from(one));
    } catch (const json::exception& e) {
      spdlog::error("{} is not what it was written as and counts as empty: {}",
                    path.string(), e.what());
      read = {};
    }
  return sessions_[session_id] = std::move(read);
}

void preview_settings::save(const std::string& session_id,
                            const session& what) const {
  auto ports = json::array();
  for (auto& [port, one] : what.ports)
    ports.push_back({{"port", port},
                     {"access", to_string(one.access)},
                     {"label", one.label}});
  auto links = json::array();
  for (auto& one : what.links)
    links.push_back(link_json(one));
  write_file_atomic(data_dir_ / "sessions" / session_id / file_name,
                    json{{"ports", ports}, {"links", links}}.dump(), 0600,
                    false);
}

} // namespace greenroom::http::proxy
