#include "http/proxy/preview_settings.hpp"

#include "messages/errors.hpp"
#include "runtime/auth/sha256.hpp"
#include "runtime/base/files.hpp"
#include "runtime/base/session_paths.hpp"

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

// What is not one of the words, as a damaged file may have it, opens least.
port_settings port_from(const json& from) {
  port_settings result;
  result.label = from.at("label");
  if (auto access = from.at("access"); !access.is_null()) {
    result.access = preview_access::key;
    parse(access.get<std::string>(), *result.access);
  }
  return result;
}

json port_json(std::uint16_t port, const port_settings& settings) {
  json result{{"port", port}, {"label", settings.label}, {"access", nullptr}};
  if (settings.access)
    result["access"] = to_string(*settings.access);
  return result;
}

} // namespace

preview_store preview_files(std::filesystem::path data_dir) {
  auto path_of = [top = std::move(data_dir)](const std::string& session_id) {
    return session_dir(top, session_id) / file_name;
  };
  preview_store result;
  result.read = [path_of](const std::string& session_id) {
    return read_file(path_of(session_id));
  };
  result.write = [path_of](const std::string& session_id,
                           const std::string& text) {
    write_file_atomic(path_of(session_id), text, 0600, true);
  };
  return result;
}

preview_settings::preview_settings(preview_store place)
  : place_(std::move(place)) {}

preview_settings::preview_settings(std::filesystem::path data_dir)
  : preview_settings(preview_files(std::move(data_dir))) {}

// -- what is kept in memory ---------------------------------------------------

bool preview_settings::is_loaded(const std::string& session_id) const {
  std::lock_guard lock{guard_};
  return sessions_.contains(session_id);
}

void preview_settings::load(const std::string& session_id) {
  if (is_loaded(session_id))
    return;
  std::lock_guard alone{writing_};
  load_alone(session_id);
}

/// Under `writing_`, so that nothing older comes after what is written.
void preview_settings::load_alone(const std::string& session_id) {
  if (!is_loaded(session_id))
    put(session_id, read(session_id));
}

void preview_settings::refresh(const std::string& session_id) {
  std::lock_guard alone{writing_};
  refresh_alone(session_id);
}

/// Under `writing_`. What is known stays until what is newer is: who asks
/// meanwhile waits for nothing. What is dead stays so until that is kept.
void preview_settings::refresh_alone(const std::string& session_id) {
  if (!place_.shared || !is_loaded(session_id))
    load_alone(session_id);
  else if (!loaded(session_id)->unsaved)
    put(session_id, read(session_id));
}

/// For who changes it, under `writing_`.
preview_settings::session
preview_settings::newest(const std::string& session_id) {
  refresh_alone(session_id);
  return *loaded(session_id);
}

void preview_settings::put(const std::string& session_id, session what) {
  std::lock_guard lock{guard_};
  if (sessions_.size() >= max_sessions && !sessions_.contains(session_id))
    std::erase_if(sessions_, [](auto& one) { return !one.second->unsaved; });
  sessions_[session_id] = std::make_shared<const session>(std::move(what));
}

std::shared_ptr<const preview_settings::session>
preview_settings::loaded(const std::string& session_id) {
  for (;;) {
    {
      std::lock_guard lock{guard_};
      if (auto found = sessions_.find(session_id); found != sessions_.end())
        return found->second;
    }
    load(session_id);
  }
}

port_settings preview_settings::of(const std::string& session_id,
                                   std::uint16_t port) {
  auto all = loaded(session_id);
  auto found = all->ports.find(port);
  return found == all->ports.end() ? port_settings{} : found->second;
}

std::optional<preview_link>
preview_settings::find_link(const std::string& session_id, std::uint16_t port,
                            std::string_view token, unix_ms now) {
  auto hash = sha256_hex(token);
  auto all = loaded(session_id);
  for (auto& one : all->links)
    if (one.port == port && one.token_hash == hash && one.expires_at > now)
      return one;
  return std::nullopt;
}

bool preview_settings::is_valid(const std::string& session_id,
                                const preview_link& link, unix_ms now) {
  auto all = loaded(session_id);
  return link.expires_at > now
         && std::ranges::find(all->links, link.id, &preview_link::id)
              != all->links.end();
}

// -- changes ------------------------------------------------------------------

port_settings preview_settings::change(const std::string& session_id,
                                       std::uint16_t port,
                                       std::optional<preview_access> access,
                                       std::optional<std::string> label) {
  std::lock_guard alone{writing_};
  auto changed = newest(session_id);
  auto& one = changed.ports[port];
  one.access = access ? access : one.access;
  one.label = label.value_or(one.label);
  auto result = one;
  if (changed.ports.size() > max_ports)
    throw refused{errc::overloaded, "a session may have settings for "
                                      + std::to_string(max_ports) + " ports"};
  save(session_id, changed);
  changed.unsaved = false;
  put(session_id, std::move(changed));
  return result;
}

void preview_settings::add_link(const std::string& session_id,
                                preview_link link, unix_ms now) {
  std::lock_guard alone{writing_};
  auto changed = newest(session_id);
  std::erase_if(changed.links, [&](auto& one) {
    return one.expires_at <= now || one.id == link.id;
  });
  if (changed.links.size() >= max_links)
    throw refused{errc::overloaded,
                  "a session may have " + std::to_string(max_links)
                    + " links at a time: delete one, or let them expire"};
  changed.links.push_back(std::move(link));
  save(session_id, changed);
  changed.unsaved = false;
  put(session_id, std::move(changed));
}

// What is revoked is dead at once, whatever the disk says of it.
bool preview_settings::remove_link(const std::string& session_id,
                                   std::uint16_t port,
                                   std::string_view link_id) {
  std::lock_guard alone{writing_};
  auto changed = newest(session_id);
  auto gone = std::erase_if(changed.links, [&](auto& one) {
    return one.port == port && one.id == link_id;
  });
  if (gone == 0 && !changed.unsaved)
    return false;
  changed.unsaved = true;
  put(session_id, changed);
  save(session_id, changed);
  changed.unsaved = false;
  put(session_id, std::move(changed));
  return true;
}

// -- on disk ------------------------------------------------------------------

preview_settings::session
preview_settings::read(const std::string& session_id) const {
  session result;
  if (auto text = place_.read(session_id))
    try {
      auto all = json::parse(*text);
      for (auto& one : all.at("ports"))
        result.ports[one.at("port")] = port_from(one);
      for (auto& one : all.at("links"))
        result.links.push_back(link_from(one));
    } catch (const json::exception& e) {
      spdlog::error("session {}: the settings of its previews are not what was "
                    "written and count as empty: {}",
                    session_id, e.what());
      result = {};
    }
  return result;
}

void preview_settings::save(const std::string& session_id,
                            const session& what) const {
  auto ports = json::array();
  for (auto& [port, one] : what.ports)
    ports.push_back(port_json(port, one));
  auto links = json::array();
  for (auto& one : what.links)
    links.push_back(link_json(one));
  place_.write(session_id, json{{"ports", ports}, {"links", links}}.dump());
}

} // namespace greenroom::http::proxy
