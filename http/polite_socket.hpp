// A TCP socket that answers `Expect: 100-continue`, which the HTTP library does
// not: clients that wait for it before they send a body would wait in vain.
//
// It looks at what is read: a head that asks for it and after which nothing has
// come yet is answered at once. Whether we want the body is not asked, it is
// bounded anyway. An answer that is being written to a pipelined request before
// is not disturbed. A client that asks while it reads an event stream spoils
// its own stream.
#pragma once

#include <asio/ip/tcp.hpp>

#include <sys/socket.h>

#include <cstddef>
#include <string_view>
#include <utility>

namespace greenroom::http {

class polite_socket : public asio::ip::tcp::socket {
public:
  using base = asio::ip::tcp::socket;
  using base::base;

  template <class Buffer, class Handler>
  void async_read_some(const Buffer& into, Handler&& handler) {
    base::async_read_some(
      into, [this, into, handler = std::forward<Handler>(handler)](
              const asio::error_code& error, std::size_t size) mutable {
        if (!error)
          look_at({static_cast<const char*>(into.data()), size});
        handler(error, size);
      });
  }

  template <class Buffers, class Handler>
  void async_write_some(const Buffers& from, Handler&& handler) {
    writing_ = true;
    base::async_write_some(
      from, [this, handler = std::forward<Handler>(handler)](
              const asio::error_code& error, std::size_t size) mutable {
        writing_ = false;
        handler(error, size);
      });
  }

private:
  void look_at(std::string_view read) {
    if (read.find("100-continue") != std::string_view::npos)
      expected_ = true;
    if (!expected_)
      return;
    auto head_end = read.find("\r\n\r\n");
    if (head_end == std::string_view::npos)
      return;
    expected_ = false;
    if (head_end + 4 != read.size() || writing_)
      return;
    constexpr std::string_view answer = "HTTP/1.1 100 Continue\r\n\r\n";
    [[maybe_unused]] auto sent =
      ::send(native_handle(), answer.data(), answer.size(),
             MSG_DONTWAIT | MSG_NOSIGNAL);
  }

  bool expected_ = false;
  bool writing_ = false;
};

} // namespace greenroom::http
