// Room for what the reactor keeps of each descriptor, made for many at once.
//
// Asio makes it one by one and never frees it, and the allocator puts it among
// the buffers of the same connection: after a flood each of those few bytes
// kept a page. Made together they are a few pages.
//
// Of one io_context, used on its thread.
#pragma once

#include "http/base/asio.hpp"
#include "runtime/base/fd.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>

#include <fcntl.h>
#include <sys/eventfd.h>

#include <cstddef>
#include <exception>
#include <vector>

namespace greenroom::http {

class reactor_reserve {
public:
  explicit reactor_reserve(asio::io_context& of) : of_(of) {}

  /// To be called when a connection has been made, with how many there are.
  /// Where descriptors are lacking there is less room.
  void opened(std::size_t open) noexcept {
    if (open < room_)
      return;
    room_ = open + step;
    try {
      make_room();
    } catch (const std::exception&) {
      // Then memory is given back less well.
    }
  }

private:
  void make_room() {
    unique_fd any{::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    std::vector<asio::posix::stream_descriptor> together;
    together.reserve(step);
    for (std::size_t i = 0; i < step && any; ++i) {
      unique_fd one{::fcntl(any.get(), F_DUPFD_CLOEXEC, 0)};
      error_code fault;
      if (one)
        together.emplace_back(of_).assign(one.get(), fault);
      if (!one || fault)
        return;
      static_cast<void>(one.release());
    }
  }

  // A few pages, and no stop that anybody notices.
  static constexpr std::size_t step = 64;

  asio::io_context& of_;
  // Few connections need none.
  std::size_t room_ = 256;
};

} // namespace greenroom::http
