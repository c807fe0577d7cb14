// Takes a connection from the HTTP library and makes a WebSocket of it.
//
// A template because RESTinio's connection is one; only
// exchange.cpp, which knows RESTinio's traits, includes it.
#pragma once

#include "http/base/asio.hpp"
#include "http/base/options.hpp"
#include "http/wire/web_socket_server.hpp"

#include <restinio/all.hpp>
#include <restinio/websocket/websocket.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <utility>

namespace greenroom::http {

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
  // Count the connection among those that are open, and those of its address.
  using monitor = decltype(taken.m_lifetime_monitor);
  struct counts {
    monitor open;
    std::shared_ptr<void> place;
  };
  auto counted = std::make_shared<counts>(
    counts{std::move(taken.m_lifetime_monitor), taken.m_socket.leave_place()});

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
