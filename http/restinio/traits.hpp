// The HTTP library as we use it: its traits, and what they name.
//
// Only for the few files that speak to RESTinio; nothing else sees it.
#pragma once

#include "http/base/reactor_reserve.hpp"
#include "http/restinio/limiter.hpp"
#include "http/restinio/socket.hpp"

#include <restinio/all.hpp>
#include <spdlog/spdlog.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <unordered_set>
#include <utility>

namespace greenroom::http {

/// RESTinio's messages: of interest only to who looks for its faults.
class library_log {
public:
  explicit library_log(std::shared_ptr<spdlog::logger> to)
    : to_(std::move(to)) {}
  template <class Message>
  void trace(Message&&) const noexcept {}
  template <class Message>
  void info(Message&&) const noexcept {}
  template <class Message>
  void warn(Message&& message) const {
    write(std::forward<Message>(message));
  }
  template <class Message>
  void error(Message&& message) const {
    write(std::forward<Message>(message));
  }

private:
  template <class Message>
  void write(Message&& message) const {
    if (to_->should_log(spdlog::level::debug))
      to_->debug("http: {}", message());
  }
  std::shared_ptr<spdlog::logger> to_;
};

/// Counts connections, and says which have been closed. WebSockets count until
/// they end, of which the library says nothing; of others it may say twice that
/// they have ended.
struct connection_watch {
  explicit connection_watch(asio::io_context& of) : reserve(of) {}

  reactor_reserve reserve;
  std::function<void(std::uint64_t)> closed;
  std::uint64_t accepted = 0;
  std::unordered_set<std::uint64_t> open; // their ids

  void
  state_changed(const restinio::connection_state::notice_t& notice) noexcept {
    using namespace restinio::connection_state;
    if (restinio::holds_alternative<accepted_t>(notice.cause())) {
      ++accepted;
      open.insert(notice.connection_id());
      reserve.opened(open.size());
    } else if (restinio::holds_alternative<closed_t>(notice.cause())) {
      open.erase(notice.connection_id());
      closed(notice.connection_id());
    }
  }
};

struct library_handler {
  std::function<void(const restinio::request_handle_t&)> handle;
  restinio::request_handling_status_t
  operator()(const restinio::request_handle_t& request) const {
    handle(request);
    return restinio::request_accepted();
  }
};

struct library_traits;

} // namespace greenroom::http

template <>
struct restinio::connection_count_limit_types<greenroom::http::library_traits> {
  using limiter_t = greenroom::http::connection_limiter;
  using lifetime_monitor_t =
    connection_count_limits::connection_lifetime_monitor_t<limiter_t>;
};

namespace greenroom::http {

struct library_traits
  : restinio::traits_t<restinio::asio_timer_manager_t, library_log,
                       library_handler, restinio::noop_strand_t,
                       restinio_socket> {
  using connection_state_listener_t = connection_watch;
  static constexpr bool use_connection_count_limiter = true;
};

using library_server = restinio::http_server_t<library_traits>;

} // namespace greenroom::http
