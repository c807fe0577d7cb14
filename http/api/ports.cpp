#include "messages/ports.hpp"
#include "http/api/fields.hpp"
#include "http/api/handlers.hpp"
#include "http/api/web_socket_request.hpp"
#include "http/base/json_body.hpp"
#include "http/base/parse.hpp"
#include "http/edge/ask.hpp"
#include "http/proxy/headers.hpp"
#include "http/proxy/preview_settings.hpp"
#include "http/proxy/target.hpp"
#include "http/streams/port_tunnel.hpp"
#include "messages/ids.hpp"
#include "runtime/auth/api_keys.hpp"
#include "runtime/base/timestamps.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>

namespace greenroom::http::handlers {

namespace {

using ordered_json = nlohmann::ordered_json;

constexpr std::size_t max_label = 200;
constexpr std::size_t max_path = 4096;
constexpr millis default_link = 24LL * 60 * 60 * 1000;

/// On top of what a session takes at most to connect.
constexpr millis connect_slack = 1'500;

std::uint16_t port_of(const exchange& ex) {
  auto& text = ex.params[2];
  std::uint16_t port = 0;
  auto end = text.data() + text.size();
  auto [stop, error] = std::from_chars(text.data(), end, port);
  if (error != std::errc{} || stop != end || port == 0)
    throw refused(errc::bad_request, "a port is a number from 1 to 65535");
  return port;
}

ordered_json port_json(const exchange& ex, const listening_port& port) {
  auto settings = ex.env.previews.of(ex.session_id(), port.port);
  ordered_json out;
  out["port"] = port.port;
  out["address"] = port.address;
  out["process"] = port.process;
  out["exec_id"] = nullptr;
  if (!port.exec_id.empty())
    out["exec_id"] = port.exec_id;
  out["access"] = proxy::to_string(settings.access);
  out["label"] = settings.label;
  out["url"] = proxy::preview_url(ex.env.options, ex.session_id(), port.port);
  return out;
}

proxy::port_settings read_settings(const exchange& ex, std::uint16_t port) {
  auto result = ex.env.previews.of(ex.session_id(), port);
  auto body = parse_object(ex.in.body);
  object_reader fields{body};
  auto access = fields.text("access");
  auto label = fields.text("label");
  fields.done();
  if (access) {
    auto known = proxy::preview_access_from(*access);
    if (!known)
      throw refused(errc::bad_request, "access must be token, key or public");
    result.access = *known;
  }
  if (label && label->size() > max_label)
    throw refused(errc::bad_request, "label cannot be longer than "
                                       + std::to_string(max_label) + " bytes");
  result.label = label.value_or(result.label);
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

void check_served(const exchange& ex) {
  if (ex.env.options.preview_host.empty())
    throw refused(errc::unavailable,
                  "this node serves no previews: set preview.listen");
}

/// Calls `f` where the session is there and not over.
template <class F>
void with_live_session(const exchange_ptr& ex, F f) {
  read_in_session<session_view>(
    ex, ex->env.options.look_up, greenroom::get_session{},
    [ex, f = std::move(f)](const session_view& view) {
      auto session = nlohmann::json::parse(view.json.view());
      if (!session.value("ended_at", nlohmann::json{}).is_null())
        throw refused(errc::bad_request, "session is not active");
      f();
    });
}

} // namespace

void list_ports(const exchange_ptr& ex) {
  read_in_session<port_list>(
    ex, ex->env.options.look_up, greenroom::list_ports{},
    [ex](const port_list& found) {
      auto list = ordered_json::array();
      for (auto& port : found.ports)
        list.push_back(port_json(*ex, port));
      ex->reply(200, ordered_json{{"ports", list}}.dump());
    });
}

void set_port(const exchange_ptr& ex) {
  auto port = port_of(*ex);
  auto settings = read_settings(*ex, port);
  with_live_session(ex, [ex, port, settings] {
    ex->env.previews.set(ex->session_id(), port, settings);
    ex->reply(200,
              ordered_json{{"port", port},
                           {"access", proxy::to_string(settings.access)},
                           {"label", settings.label},
                           {"url", proxy::preview_url(ex->env.options,
                                                      ex->session_id(), port)}}
                .dump());
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
    proxy::preview_link link{make_id(), port, sha256_hex(token), ex->key->id,
                             now + lasts};
    ex->env.previews.add_link(ex->session_id(), link, now);
    ex->reply(201, ordered_json{{"id", link.id},
                                {"url", link_url(*ex, port, path, token)},
                                {"expires_at", format_rfc3339(link.expires_at)}}
                     .dump());
  });
}

void delete_port_link(const exchange_ptr& ex) {
  auto port = port_of(*ex);
  with_live_session(ex, [ex, port] {
    auto& id = ex->params[3];
    if (!is_id(id) || !ex->env.previews.remove_link(ex->session_id(), port, id))
      throw refused(errc::not_found, "link not found");
    ex->reply(200, ordered_json{{"id", id}, {"status", "revoked"}}.dump());
  });
}

void open_tunnel(const exchange_ptr& ex) {
  check_origin(*ex);
  auto port = port_of(*ex);
  if (!is_web_socket(ex->in)) {
    refuse_plain(ex);
    return;
  }
  read_in_session<port_connection>(
    ex, std::chrono::milliseconds{connect_port_timeout + connect_slack},
    greenroom::connect_port{port}, [ex](const port_connection& made) {
      unique_fd socket{made.socket.take()};
      if (!socket)
        throw refused(errc::unavailable,
                      "the connection into the session is gone, try again");
      tunnel_to_port(ex, std::move(socket));
    });
}

} // namespace greenroom::http::handlers
