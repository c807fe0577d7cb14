// Takes a connection from the HTTP library and makes a WebSocket of it.
//
// A template because RESTinio's connection is one; only
// exchange.cpp, which knows RESTinio's traits, includes it.
#pragma once

#include "http/base/asio.hpp"
#include "http/base/options.hpp"
#include "http/restinio/traits.hpp"
#include "http/wire/web_socket_server.hpp"

#include <restinio/all.hpp>
#include <restinio/websocket/websocket.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace greenroom::http {

/// Counts it among those that are open, and those of its address.
template <class Traits>
class upgraded_connection {
public:
  using monitor =
    typename restinio::connection_count_limit_types<Traits>::lifetime_monitor_t;

  upgraded_connection(std::uint64_t id, monitor open,
                      std::shared_ptr<void> place,
                      std::shared_ptr<connection_watch> watch)
    : id_(id), open_(std::move(open)), place_(std::move(place)),
      watch_(std::move(watch)) {}
  upgraded_connection(const upgraded_connection&) = delete;
  upgraded_connection& operator=(const upgraded_connection&) = delete;
  ~upgraded_connection() {
    watch_->open.erase(id_);
  }

private:
  std::uint64_t id_;
  monitor open_;
  std::shared_ptr<void> place_;
  std::shared_ptr<connection_watch> watch_;
};

/// `request` must not have been answered and must ask for a WebSocket with a
/// good key.
template <class Traits>
std::shared_ptr<web_socket>
upgrade_connection(restinio::request_t& request, std::string_view protocol,
                   std::string_view request_id, const options& opts,
                   web_socket_events events) {
  using connection = restinio::impl::connection_t<Traits>;
  auto held = std::move(restinio::impl::access_req_connection(request));
  auto taken = dynamic_cast<connection&>(*held).move_upgrade_internals();
  auto counted = std::make_shared<upgraded_connection<Traits>>(
    request.connection_id(), std::move(taken.m_lifetime_monitor),
    taken.m_socket.leave_place(),
    taken.m_settings->m_connection_state_listener);

  web_socket_handshake handshake;
  handshake.key =
    request.header().get_field(restinio::http_field::sec_websocket_key);
  handshake.protocol = protocol;
  handshake.request_id = request_id;
  return accept_web_socket(asio::ip::tcp::socket{std::move(taken.m_socket)},
                           handshake, std::move(counted), opts.write_timeout,
                           std::move(events));
}

} // namespace greenroom::http
