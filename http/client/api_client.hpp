// Asks the server, and waits for a server that is away for a moment.
//
// A request whose connection broke, or that the server says to try again, is
// sent again: reads are harmless twice, and each POST has an Idempotency-Key,
// by which the server does it once. What cannot be repeated by that (PUT,
// PATCH, most of DELETE) is only sent again where no connection came about. A
// server that has answered once is waited for; one that never did is reported
// at once.
//
// Owned by the command that runs; for its event loop's thread.
#pragma once

#include "http/client/errors.hpp"
#include "http/client/server_choice.hpp"
#include "http/wire/client_connection.hpp"
#include "http/wire/web_socket_client.hpp"

#include <boost/asio/awaitable.hpp>
#include <nlohmann/json.hpp>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace greenroom::http::client {

using json = nlohmann::json;

struct request {
  std::string method = "GET";
  std::string target; // below the endpoint's path
  std::string body;
  std::string content_type; // empty: no body
  wire::header_list headers;
  bool repeatable = false; // does no harm twice, although its method may
};

struct reply {
  int status = 0;
  wire::header_list headers;
  std::string body;
};

/// An answer that is read as it comes.
class reply_stream {
public:
  explicit reply_stream(std::shared_ptr<wire::client_connection> connection)
    : connection_(std::move(connection)) {}

  int status() const noexcept {
    return connection_->head().status;
  }

  /// The next piece; empty at the end. Throws wire::lost, also after `silence`.
  asio::awaitable<std::string_view> read(std::chrono::milliseconds silence);

  void close() noexcept {
    connection_->close();
  }

private:
  std::shared_ptr<wire::client_connection> connection_;
};

class api_client {
public:
  api_client(asio::io_context& io, server_choice server);
  api_client(const api_client&) = delete;
  api_client& operator=(const api_client&) = delete;
  ~api_client();

  const server_choice& server() const noexcept {
    return server_;
  }

  /// From now on waits for a server that was there as long as somebody may
  /// watch it, and says so. `way_back` is what would help in one sentence where
  /// it does not come; empty: as ever.
  void wait_for_long(std::string way_back,
                     std::chrono::seconds longest = std::chrono::minutes{10});

  /// Nobody watches any more: as before that.
  void wait_for_short();

  /// Whether to try again where nothing has come since then; says on standard
  /// error that we do, once until the server is back.
  bool may_wait(std::chrono::steady_clock::time_point since);

  /// For who has waited in vain; from then on we wait for no long.
  unreachable_server give_up(const std::string& problem);

  /// The answer, whatever its status. Throws unreachable_server.
  asio::awaitable<reply> send(request what);

  /// `data` of the answer, or what it has instead of a JSON envelope. Throws
  /// api_error where it is a refusal, and unreachable_server.
  asio::awaitable<json> get(std::string target);
  asio::awaitable<json> post(std::string target, json body);
  asio::awaitable<json> call(std::string method, std::string target, json body);

  /// A DELETE of what may be gone already: a second one changes nothing.
  asio::awaitable<json> remove_again(std::string target);

  /// The body of the answer as it is. Throws as above.
  asio::awaitable<std::string> text(std::string target);

  /// Opens a stream once; a broken connection is the caller's. Throws
  /// api_error, unreachable_server or wire::lost.
  asio::awaitable<std::shared_ptr<reply_stream>> open(request what);

  /// As above, for a WebSocket.
  asio::awaitable<std::unique_ptr<wire::web_socket_client>>
  open_socket(std::string target);

private:
  // How long a server that was there is waited for.
  static constexpr std::chrono::seconds reconnect_timeout{30};

  using connection_ptr = std::shared_ptr<wire::client_connection>;

  asio::awaitable<unique_fd> dial();
  asio::awaitable<connection_ptr> connect(bool fresh);
  asio::awaitable<reply> send_once(const request& what, bool fresh,
                                   bool& connected);
  asio::awaitable<void> begin(wire::client_connection& on, const request& what);
  wire::message_head head_of(const request& what) const;
  asio::awaitable<void> watch_deadlines();

  asio::io_context& io_;
  server_choice server_;
  std::vector<connection_ptr> idle_;
  std::vector<std::weak_ptr<wire::client_connection>> all_;
  bool answered_ = false;
  std::chrono::seconds patience_ = reconnect_timeout;
  bool tells_ = false; // that it waits
  bool told_ = false;  // since the server was last there
  std::string way_back_;
};

/// The refusal that an answer is. `body` is its envelope, if it has one.
[[noreturn]] void throw_refusal(int status, const std::string& body);

/// `data` of an answer, or what it has instead. Throws api_error where it is a
/// refusal.
json data_of(const reply& answer);

/// A body as it is sent. Throws usage_error naming the text that is no UTF-8.
std::string body_text(const json& body);

/// A value as a part of a target.
std::string escaped(std::string_view text);

} // namespace greenroom::http::client
