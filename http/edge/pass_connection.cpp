#include "http/edge/pass_connection.hpp"

#include "http/wire/message_stream.hpp"
#include "http/wire/tunnel.hpp"

#include <boost/asio/buffer.hpp>

#include <utility>

namespace greenroom::http {

bool is_passed_on(const wire::message_head& head) noexcept {
  return head.headers.count(via_header) != 0;
}

asio::awaitable<void> pass_connection(wire::server_connection& client,
                                      wire::byte_stream& there,
                                      std::string own_node,
                                      wire::byte_stream::timeout each) {
  auto head = client.head();
  head.headers.add(via_header, own_node);
  auto first = head.method + ' ' + head.target
               + (head.old ? " HTTP/1.0\r\n" : " HTTP/1.1\r\n")
               + wire::headers_text(head.headers) + "\r\n";
  wire::byte_stream::pieces pieces{asio::buffer(first)};
  co_await there.write(pieces, each);
  wire::tunnel_end near_end{client.stream(), client.take_rest()};
  wire::tunnel_end far_end{there, {}};
  co_await wire::run_tunnel(std::move(near_end), std::move(far_end), each);
}

} // namespace greenroom::http
