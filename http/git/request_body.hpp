// The body of a request as git sees it: unpacked, and never more than allowed.
#pragma once

#include "http/base/asio.hpp"
#include "http/git/gunzip.hpp"
#include "http/wire/server_connection.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

namespace greenroom::http::git_http {

using wire::bad_message;
using wire::lost;

class request_body {
public:
  /// `limit` holds for what comes in and for what it unpacks to. Throws
  /// bad_message for an encoding that we do not read.
  request_body(wire::server_connection& from, std::uint64_t limit,
               wire::server_connection::timeout each);

  /// The next piece, until the next call; empty at the end. Throws lost or
  /// bad_message.
  asio::awaitable<std::string_view> next();

private:
  void count(std::size_t size);
  std::string_view unpack();

  wire::server_connection& from_;
  std::uint64_t limit_;
  wire::server_connection::timeout each_;
  std::uint64_t given_ = 0;
  std::unique_ptr<gunzip> gunzip_; // null: it comes as it is
  std::vector<char> unpacked_;
  std::string_view packed_;
};

} // namespace greenroom::http::git_http
