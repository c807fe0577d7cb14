#include "messages/ports.hpp"
#include "http/api/fields.hpp"
#include "http/api/handlers.hpp"
#include "http/api/live_session.hpp"
#include "http/api/web_socket_request.hpp"
#include "http/base/json_body.hpp"
#include "http/base/parse.hpp"
#include "http/edge/ask.hpp"
#include "http/proxy/headers.hpp"
#include "http/proxy/preview_settings.hpp"
#include "http/proxy/target.hpp"
#include "http/streams/file_readers.hpp"
#include "http/streams/port_tunnel.hpp"
#include "http/streams/response_registry.hpp"
#include "messages/ids.hpp"
#include "runtime/api_json/records.hpp"
#include "runtime/auth/api_keys.hpp"
#include "runtime/base/timestamps.hpp"

#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <charconv>
#include <system_error>

namespace greenroom::http::handlers {

namespace {

using ordered_json = nlohmann::ordered_json;

constexpr std::size_t max_label = 200;
constexpr std::size_t max_path = 4096;
constexpr millis default_link = 24LL * 60 * 60 * 1000;

/// On top of what a session takes at most to connect.
constexpr millis connect_slack = 1'500;

std::uint16_t port_of(const exchange& ex) {
  return read_port(ex.params[2]);
}

ordered_json port_json(const exchange& ex, const listening_port& port,
                       preview_access of_project) {
  auto settings = ex.env.previews.of(ex.session_id(), port.port);
  auto out = greenroom::port_json(port);
  out["access"] = to_string(settings.access.value_or(of_project));
  out["label"] = settings.label;
  out["url"] = proxy::preview_url(ex.env.options, ex.session_id(), port.port);
  return out;
}

/// What a PUT changes.
struct settings_change {
  std::optional<preview_access> access;
  std::optional<std::string> label;
};

settings_change read_settings(const exchange& ex) {
  auto body = parse_object(ex.in.body);
  object_reader fields{body};
  settings_change result;
  auto access = fields.text("access");
  result.label = fields.text("label");
  fields.done();
  if (access && !parse(*access, result.access.emplace()))
    throw refused(errc::bad_request, "access must be token, key or public");
  if (result.label && result.label->size() > max_label)
    throw refused(errc::bad_request, "label cannot be longer than "
                                       + std::to_string(max_label) + " bytes");
  return result;
}

/// Where a link leads: in the app, and to nothing that ends a header.
std::string checked_path(std::string path) {
  auto odd = [](char c) {
    return static_cast<unsigned char>(c) <= 0x20
           || static_cast<unsigned char>(c) >= 0x7f || c == '#';
  };
  if (path.empty())
    path = "/";
  if (!path.starts_with('/') || path.starts_with("//") || path.size() > max_path
      || std::ranges::any_of(path, odd))
    throw refused(errc::bad_request,
                  "path must be a path of the app, as a browser sends it, of "
                  "at most "
                    + std::to_string(max_path) + " bytes");
  return path;
}

std::string link_url(const exchange& ex, std::uint16_t port,
                     const std::string& path, const std::string& token) {
  auto url = proxy::preview_url(ex.env.options, ex.session_id(), port);
  url.pop_back(); // its slash is the path's
  auto mark = path.find('?') == std::string::npos ? '?' : '&';
  return url + path + mark + std::string{proxy::token_parameter} + '=' + token;
}

/// No link opens what only keys do.
void refuse_if_for_keys(preview_access access) {
  if (access == preview_access::key)
    throw refused(errc::conflict,
                  "the port is for keys: no link opens it while its access is "
                  "\"key\"; set it to \"token\" by PUT .../ports/PORT, or send "
                  "an API key");
}

void check_served(const exchange& ex) {
  if (ex.env.options.preview_host.empty())
    throw refused(errc::unavailable,
                  "this node serves no previews: set preview.listen");
}

/// Calls `f` with the rules of the session's project.
template <class F>
void with_rules(const exchange_ptr& ex, F f) {
  ask<project_record>(
    ex, ex->env.directory, ex->env.options.look_up,
    greenroom::get_project{ex->project_id()},
    [f = std::move(f)](const project_record& found) { f(found.preview); });
}

/// Runs `work` where one may wait for the disk, then `f` with what it returned.
template <class Work, class F>
void with_disk(const exchange_ptr& ex, Work work, F f) {
  using result = std::invoke_result_t<Work&>;
  read_elsewhere(
    ex->env, std::move(work),
    [ex, f = std::move(f)](result made, const std::exception_ptr& failure) {
      answering(ex, [&] {
        if (!failure)
          return f(std::move(made));
        try {
          std::rethrow_exception(failure);
        } catch (const std::system_error& e) {
          spdlog::error("previews of session {}: {}", ex->session_id(),
                        e.what());
          throw refused(errc::unavailable,
                        "the settings of previews cannot be read or written, "
                        "is the server's disk full?");
        }
      });
    });
}

} // namespace

void list_ports(const exchange_ptr& ex) {
  read_in_session<port_list>(
    ex, ex->env.options.look_up, greenroom::list_ports{},
    [ex](const port_list& found) {
      with_rules(ex, [ex, found](const preview_rules& rules) {
        auto load = [&all = ex->env.previews, id = ex->session_id()] {
          all.refresh(id);
          return true;
        };
        with_disk(ex, load, [ex, found, rules](bool) {
          auto list = ordered_json::array();
          for (auto& port : found.ports)
            list.push_back(port_json(*ex, port, rules.access));
          ex->reply(200, ordered_json{{"ports", list}}.dump());
        });
      });
    });
}

void set_port(const exchange_ptr& ex) {
  auto port = port_of(*ex);
  auto change = read_settings(*ex);
  with_live_session(ex, [ex, port, change] {
    with_rules(ex, [ex, port, change](const preview_rules& rules) {
      auto write = [&all = ex->env.previews, id = ex->session_id(), port,
                    change] {
        return all.change(id, port, change.access, change.label);
      };
      with_disk(ex, write, [ex, port, rules](const proxy::port_settings& now) {
        auto url = proxy::preview_url(ex->env.options, ex->session_id(), port);
        auto access = now.access.value_or(rules.access);
        ex->reply(200, ordered_json{{"port", port},
                                    {"access", to_string(access)},
                                    {"label", now.label},
                                    {"url", url}}
                         .dump());
      });
    });
  });
}

void create_port_link(const exchange_ptr& ex) {
  check_served(*ex);
  auto port = port_of(*ex);
  auto body = parse_object(ex->in.body.empty() ? "{}" : ex->in.body);
  object_reader fields{body};
  auto expires_in = fields.text("expires_in");
  auto path = checked_path(fields.text("path").value_or("/"));
  fields.done();
  auto lasts = expires_in ? read_expiry(*expires_in, ex->env.options.max_expiry)
                          : default_link;
  with_live_session(ex, [ex, port, path, lasts] {
    auto token = make_secret();
    auto now = now_ms();
    // A request that is repeated has one link, with a new token.
    proxy::preview_link link{ex->planned_id.empty() ? make_id()
                                                    : ex->planned_id,
                             port, sha256_hex(token), ex->key->id, now + lasts};
    with_rules(ex, [ex, path, token, link, now](const preview_rules& rules) {
      auto write = [&all = ex->env.previews, id = ex->session_id(), link, now,
                    of_project = rules.access] {
        all.refresh(id);
        refuse_if_for_keys(all.of(id, link.port).access.value_or(of_project));
        all.add_link(id, link, now);
        return true;
      };
      with_disk(ex, write, [ex, path, token, link](bool) {
        ex->reply(201,
                  ordered_json{{"id", link.id},
                               {"url", link_url(*ex, link.port, path, token)},
                               {"expires_at", format_rfc3339(link.expires_at)}}
                    .dump());
      });
    });
  });
}

void delete_port_link(const exchange_ptr& ex) {
  auto port = port_of(*ex);
  with_live_session(ex, [ex, port] {
    auto& id = ex->params[3];
    if (!is_id(id))
      throw refused(errc::not_found, "link not found");
    auto remove = [&all = ex->env.previews, of = ex->session_id(), port, id] {
      return all.remove_link(of, port, id);
    };
    with_disk(ex, remove, [ex, id](bool found) {
      if (!found)
        throw refused(errc::not_found, "link not found");
      ex->reply(200, ordered_json{{"id", id}, {"status", "revoked"}}.dump());
    });
  });
}

void open_tunnel(const exchange_ptr& ex) {
  auto port = port_of(*ex);
  if (!is_web_socket(ex->in)) {
    refuse_plain(ex);
    return;
  }
  ex->env.streams.admit(*ex);
  auto place = ex->env.streams.admit_pair(*ex);
  read_in_session<port_connection>(
    ex, std::chrono::milliseconds{connect_port_timeout + connect_slack},
    greenroom::connect_port{port}, [ex, place](const port_connection& made) {
      unique_fd socket{made.socket.take()};
      if (!socket)
        throw refused(errc::unavailable,
                      "the connection into the session is gone, try again");
      tunnel_to_port(ex, std::move(socket), place);
    });
}

} // namespace greenroom::http::handlers
