// RESTinio as the API's front end: one listening socket of a thread, how it is
// configured, and the exchanges that its requests become.
//
// Owned by its HTTP thread and used on it; nothing outside of this folder sees
// a type of RESTinio's.
#pragma once

#include "http/base/handed_connection.hpp"
#include "http/base/options.hpp"
#include "http/edge/exchange.hpp"
#include "http/edge/loop.hpp"
#include "http/edge/unread_request.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace spdlog {
class logger;
}

namespace greenroom::http {

class address_shares;

class front_end {
public:
  struct events {
    /// A request has come.
    std::function<void(const exchange_ptr&)> request;
    /// A connection is gone; see exchange::connection_id.
    std::function<void(std::uint64_t)> closed;
    /// Turns the id that a client sent, maybe none, into the answer's.
    std::function<std::string(std::string_view sent)> request_id;
    /// Whether a secret is a key, so that who shows it is no stranger.
    std::function<bool(std::string_view secret)> knows;
    /// A request was refused by its head, unread.
    std::function<void(unread_request)> refused;
  };

  /// `address` is numeric. What is referred to outlives it.
  front_end(loop& home, const options& opts, const std::string& address,
            std::size_t max_connections, std::shared_ptr<spdlog::logger> log,
            events heard);
  front_end(const front_end&) = delete;
  front_end& operator=(const front_end&) = delete;
  ~front_end();

  /// Binds; 0 for any free port, which all threads may share. Returns the port.
  /// Throws std::system_error.
  std::uint16_t open(std::uint16_t port);

  /// Before the first request: the thread that exchanges belong to.
  void serve(edge& thread);

  /// Before the loop runs: how many connections an address may have.
  void set_shares(std::shared_ptr<address_shares> shares);

  /// Before the loop runs: whether another node has made a connection that was
  /// accepted, and how many such there may be.
  void set_peer_check(std::function<bool(int accepted)> is_of_peer,
                      std::shared_ptr<address_shares> shares_of_nodes);

  /// Before the loop runs: who takes connections that begin with a request for
  /// git, with what has been read of them.
  void set_git_handoff(connection_taker take);
  bool hands_git_over() const;

  /// Opens the port again where RESTinio has given up accepting, as it does
  /// when there are no descriptors. Once a second or so.
  void watch_accepting();

  /// Ends connections of strangers that have sent no request in time, or have
  /// been held long enough. A few times a second, so that few end at once.
  void watch_strangers();

  std::size_t open_connections() const noexcept;

  /// Accepts nothing more.
  void close();

  /// When the loop has stopped: lets go of connections whose requests were not
  /// answered.
  void abandon();

private:
  struct state;
  std::unique_ptr<state> state_;
};

} // namespace greenroom::http
