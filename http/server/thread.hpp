// One thread of the server with everything that lives on it.
#pragma once

#include "http/base/handed_connection.hpp"
#include "http/edge/thread_context.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace greenroom::http {

class address_shares;
class console_files;
class file_readers;
struct create_rates;
struct node_monitor;
class request_counts;
class stream_shares;
struct server_parts;

namespace proxy {
class preview_settings;
}

/// What the threads of a server have in common.
struct shared_parts {
  file_readers& files;
  stream_shares& shares;
  proxy::preview_settings& previews;
  const console_files& console;
  std::shared_ptr<address_shares> addresses;
  std::shared_ptr<address_shares> other_nodes;
  node_monitor& monitor;
  create_rates& rates;
  request_counts& counts; // of the one thread
};

class http_thread {
public:
  http_thread(const options& opts, const server_parts& parts,
              shared_parts shared, std::string address,
              std::size_t max_connections);
  ~http_thread();

  /// Binds; 0 for any free port. Returns the port. Throws std::system_error.
  std::uint16_t listen(std::uint16_t port);

  /// Before start(): who takes connections that begin with a request for git,
  /// with what has been read of them.
  void set_git_handoff(connection_taker take);

  /// Starts the thread and makes its bridge known to the key registry.
  void start();

  /// Begins to stop; `join` waits for it.
  void stop(std::chrono::milliseconds grace);
  void join();

private:
  struct state;
  std::unique_ptr<state> state_;
};

} // namespace greenroom::http
