// One client of git, from its first request to its last.
//
// Routes, checks the token, and has the rest done by a transfer. Kept alive by
// its own coroutine; the listener looks at it now and then.
#pragma once

#include "http/base/asio.hpp"
#include "http/base/handed_connection.hpp"
#include "http/edge/conversation.hpp"
#include "http/edge/pass_connection.hpp"
#include "http/git/transfer.hpp"
#include "http/wire/server_connection.hpp"

#include <boost/asio/awaitable.hpp>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace greenroom::http::git_http {

class client_connection final : private request_server {
public:
  /// Throws std::system_error.
  client_connection(std::shared_ptr<git_context> around, handed_connection what,
                    std::string id);

  /// Serves it to its end. Holds on to `self` meanwhile.
  static asio::awaitable<void> run(std::shared_ptr<client_connection> self);

  /// Enforces the deadlines.
  void check_deadlines(wire::server_connection::clock::time_point now);

  /// Whether its address counts as this; see address_shares.
  bool is_of(const std::string& client) const;

  /// Ends it where it only waits for another request, or for all of one's head.
  /// False: it does not.
  bool stop_if_idle();

  /// Ends it now, with what is going on.
  void stop();

private:
  void begin() override;
  asio::awaitable<void> serve() override;
  asio::awaitable<void> refuse(int status, std::string_view sentence) override;
  void done(clock::time_point since) override;
  void check_names();
  asio::awaitable<void> serve_route(const git_route& route);
  asio::awaitable<whereabouts> look_up(const git_route& route);
  asio::awaitable<bool> pass_on(const git_route& route);
  asio::awaitable<std::optional<authorized_session>>
  enter(const git_route& route, token_revocation& watch,
        std::string& push_rejection);
  asio::awaitable<void> look_for_list(transfer_plan& plan,
                                      std::optional<token_revocation>& watch);
  asio::awaitable<string_map>
  look_for_others(const transfer_plan& plan, const string_map& heads,
                  std::optional<token_revocation>& watch);
  asio::awaitable<void> serve_lfs(const git_route& route);
  asio::awaitable<push_request> read_commands(request_body& body,
                                              std::string& begun);
  asio::awaitable<void> refuse_push(request_body& body,
                                    const push_request& push,
                                    std::string_view why);
  asio::awaitable<void> transmit(transfer_plan plan,
                                 std::optional<token_revocation>& watch);
  asio::awaitable<void> come_too_late(const transfer_plan& plan,
                                      std::optional<token_revocation>& watch);

  std::shared_ptr<git_context> around_;
  const std::string peer_; // the client's address
  wire::server_connection client_;
  const std::string id_;
  std::uint64_t requests_ = 0;
  transfer* transfer_ = nullptr;      // the one that goes on
  std::optional<peer_relay> owner_;   // none: this node is alone
  std::string request_id_;            // of the request at hand
  bool ended_ = false;                // while it was idle
  const bool of_peer_;                // another node passes it on
  std::optional<audit_entry> change_; // what the request at hand would change
};

} // namespace greenroom::http::git_http
