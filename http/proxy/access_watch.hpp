// Ends connections to previews that what let them in would let in no more.
//
// What is said of keys, links and ports is at hand; what projects say is asked
// for, one question at a time, where a connection depends on it, and ends such
// a connection as soon as it is known. While it cannot be asked for the last
// that was known counts. Owned by the listener, for its thread.
#pragma once

#include "http/proxy/preview_client.hpp"
#include "http/proxy/session_ports.hpp"
#include "messages/time.hpp"

#include <boost/asio/awaitable.hpp>

#include <memory>
#include <unordered_set>

namespace greenroom::http::proxy {

class access_watch {
public:
  using client_set = std::unordered_set<std::shared_ptr<preview_client>>;

  /// All outlive the loop's last turn.
  access_watch(asio::io_context& io, session_ports& sessions,
               const client_set& clients)
    : io_(io), sessions_(sessions), clients_(clients) {}

  /// To be called now and then.
  void check(unix_ms now);

private:
  asio::awaitable<void> ask();

  asio::io_context& io_;
  session_ports& sessions_;
  const client_set& clients_;
  bool asking_ = false;
};

} // namespace greenroom::http::proxy
