#include "http/wire/tunnel.hpp"

#include "http/wire/message.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>

#include <memory>
#include <utility>

namespace greenroom::http::wire {

namespace {

constexpr std::size_t room = 64 * 1024;

asio::awaitable<void> pass_on(tunnel_end source, byte_stream& to,
                              byte_stream::timeout each) {
  auto& from = source.stream;
  auto first = std::move(source.first);
  try {
    if (!first.empty())
      co_await to.write(asio::buffer(first), each);
    std::string{}.swap(first);
    for (;;) {
      auto readable = co_await from.wait_readable();
      if (!readable)
        break;
      // Only while bytes are under way.
      auto buffer = std::make_unique_for_overwrite<char[]>(room);
      auto size = co_await from.read(asio::buffer(buffer.get(), room),
                                     byte_stream::never);
      if (size == 0) {
        to.shutdown_send();
        if (source.ended != nullptr)
          *source.ended = true;
        co_return;
      }
      co_await to.write(asio::buffer(buffer.get(), size), each);
    }
  } catch (const lost&) {
    // The other direction ends, too.
  }
  from.close();
  to.close();
}

} // namespace

asio::awaitable<void> run_tunnel(tunnel_end a, tunnel_end b,
                                 byte_stream::timeout each) {
  using namespace asio::experimental::awaitable_operators;
  auto& a_stream = a.stream;
  auto& b_stream = b.stream;
  co_await (pass_on(std::move(a), b_stream, each)
            && pass_on(std::move(b), a_stream, each));
  a_stream.close();
  b_stream.close();
}

} // namespace greenroom::http::wire
