// One client of previews, from its first request to its last.
//
// Finds the session and the port, checks access, connects into the session and
// passes on what either side sends, unbuffered. Kept alive by its own
// coroutine; the listener looks at it now and then.
#pragma once

#include "http/base/asio.hpp"
#include "http/base/options.hpp"
#include "http/edge/conversation.hpp"
#include "http/edge/pass_connection.hpp"
#include "http/edge/request_log.hpp"
#include "http/proxy/access.hpp"
#include "http/proxy/app_pool.hpp"
#include "http/proxy/headers.hpp"
#include "http/proxy/pages.hpp"
#include "http/proxy/session_ports.hpp"
#include "http/proxy/target.hpp"
#include "http/wire/client_connection.hpp"
#include "http/wire/server_connection.hpp"
#include "runtime/metrics/counters.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace greenroom::http::proxy {

/// What all clients of the listener share. On its thread only.
struct proxy_context {
  const http::options& options;
  asio::io_context& io;
  session_ports& sessions;
  access_rules access;
  request_log* log; // null: requests are not logged
  app_pool pool;
  bool stopping = false;
  std::shared_ptr<const http::peers> peers = nullptr; // null: alone
  std::weak_ptr<http::loop> home = {};                // where it runs
  std::shared_ptr<node_counters> counters = std::make_shared<node_counters>();
};

class preview_client final : private request_server {
public:
  using request_server::clock;

  /// Throws std::system_error.
  preview_client(std::shared_ptr<proxy_context> around, unique_fd socket,
                 std::string id, bool of_peer);

  /// Serves it to its end. Holds on to `self` meanwhile.
  static asio::awaitable<void> run(std::shared_ptr<preview_client> self);

  /// Enforces the deadlines.
  void check_deadlines(clock::time_point now);

  /// Ends it where what let it in does so no more.
  void check_access(unix_ms now);

  /// Whether what its project says of previews may end it.
  bool depends_on_project() const;

  /// What projects say by now: of its own that counts from here on.
  void learn(const project_rules& now);

  /// Whether its address counts as this; see address_shares.
  bool is_of(const std::string& client) const;

  /// Ends it where it only waits for another request, or for all of one's head.
  /// False: it does not.
  bool stop_if_idle();

  /// Ends it now, with what is under way.
  void stop();

private:
  void begin() override;
  asio::awaitable<void> serve() override;
  asio::awaitable<void> refuse(int status, std::string_view sentence) override;
  void done(clock::time_point since) override;

  bool has_left();
  asio::awaitable<whereabouts> look_up();
  asio::awaitable<bool> pass_on();
  asio::awaitable<void> enter(const access_decision& decision);
  asio::awaitable<printed_last> output();
  asio::awaitable<void> say_over(const access_decision& decision);
  asio::awaitable<void> say_waiting(std::string why);
  asio::awaitable<void> wait_for_app();
  asio::awaitable<bool> try_to_connect();
  asio::awaitable<void> forward(const access_decision& decision);
  app_pool::place place() const;
  asio::awaitable<void> connect();
  asio::awaitable<void> pass_on(const forwarding& how);
  asio::awaitable<void> pass_both_ways(const forwarding& how);
  asio::awaitable<void> finish_and_receive(const forwarding& how);
  asio::awaitable<void> send_body();
  asio::awaitable<void> receive_answer(const forwarding& how);
  asio::awaitable<void> receive_and_stop(const forwarding& how);
  asio::awaitable<void> pass_body();
  asio::awaitable<void> upgrade(const forwarding& how);
  asio::awaitable<void> say(const page& what);
  asio::awaitable<void> say(int status, std::string_view title,
                            std::string_view text);
  asio::awaitable<void> redirect(int status, const std::string& where,
                                 const std::string& cookie);

  std::shared_ptr<proxy_context> around_;
  std::string peer_;   // the client's address
  const bool of_peer_; // another node passes it on
  wire::server_connection client_;
  const std::string id_;
  bool ended_ = false; // while it was idle

  // Of the request at hand.
  std::string method_; // for the log: a tunnel keeps no head
  preview_target target_;
  session_info session_;
  preview_grant grant_;
  bool granted_ = false;
  bool tunnel_ = false;
  bool client_ended_ = false;       // the tunnel's client sends no more
  bool asking_ = false;             // the app has all of the request
  bool events_ = false;             // its answer is a stream of events
  std::exception_ptr client_fault_; // of the request's body
  app_pool::connection_ptr app_;
  std::optional<peer_relay> owner_; // none: this node is alone
};

} // namespace greenroom::http::proxy
