// Unpacks a gzip stream in pieces, whatever it unpacks to.
#pragma once

#include <zlib.h>

#include <cstddef>
#include <span>
#include <stdexcept>
#include <string_view>

namespace greenroom::http::git_http {

class bad_gzip : public std::runtime_error {
public:
  bad_gzip() : std::runtime_error("the body is not what gzip makes") {}
};

class gunzip {
public:
  /// Throws std::bad_alloc.
  gunzip();
  gunzip(const gunzip&) = delete;
  gunzip& operator=(const gunzip&) = delete;
  ~gunzip();

  /// Unpacks from the front of `packed`, which it shortens by what it has
  /// taken, as much as goes into `room`; returns how much that is. 0 means that
  /// more input is needed, or nothing after the end. Throws bad_gzip.
  std::size_t unpack(std::string_view& packed, std::span<char> room);

  /// True once all has been unpacked.
  bool ended() const noexcept {
    return ended_;
  }

private:
  z_stream stream_{};
  bool ended_ = false;
};

} // namespace greenroom::http::git_http
