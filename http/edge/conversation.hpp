// One client's requests, one after the other: what serving git and serving
// previews have in common.
#pragma once

#include "http/wire/server_connection.hpp"
#include "runtime/base/fd.hpp"

#include <boost/asio/awaitable.hpp>

#include <chrono>
#include <string>
#include <string_view>

namespace greenroom::http {

/// Serves a connection's requests. All is called on the connection's loop.
class request_server {
public:
  using clock = wire::server_connection::clock;

  /// A request has come; where its head is broken it is refused next.
  virtual void begin() = 0;

  /// Answers it. What it throws (refused, bad_message) is refused where nothing
  /// has been said yet, and else cuts the connection.
  virtual asio::awaitable<void> serve() = 0;

  virtual asio::awaitable<void> refuse(int status,
                                       std::string_view sentence) = 0;

  /// It has been answered, or given up.
  virtual void done(clock::time_point since) = 0;

protected:
  ~request_server() = default;
};

struct conversation {
  const char* name;               // for the log
  std::chrono::milliseconds idle; // for the next request
  // The same of who has been granted nothing yet, or was asked who it is.
  std::chrono::milliseconds stranger;
  std::chrono::milliseconds head;
  const bool& stopping; // no further request is served then
};

/// Serves to the end of the connection, and closes it.
asio::awaitable<void> converse(wire::server_connection& client,
                               request_server& with, conversation how);

/// A request's path as a log may have it: without what follows it, where
/// secrets could be.
std::string loggable_path(std::string_view target);

/// Its method: "-" where there is none, and the beginning of one that nobody
/// knows, which may be as long as a head.
std::string_view loggable_method(std::string_view method) noexcept;

/// Says 503 on a connection that is not served, as far as it takes that.
void turn_away(const unique_fd& socket, std::string_view sentence);

} // namespace greenroom::http
