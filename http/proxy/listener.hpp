// Previews: a listener and a thread of their own, whose connections are
// streams to the programs that run in sessions.
//
// Owned by the server. Pages that it serves never share an origin with the API.
// Bounds: max_clients connections, not all of one address (more are told to try
// again; idle ones make room first), 64 KiB for each body that is under way,
// nothing for a tunnel that is silent.
#pragma once

#include "http/base/options.hpp"
#include "http/edge/actor_system.hpp"
#include "http/proxy/actor_ports.hpp"
#include "messages/directory.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace spdlog {
class logger;
}

namespace greenroom {
class key_ring;
struct node_counters;
} // namespace greenroom

namespace greenroom::http::proxy {

class preview_settings;

inline constexpr std::size_t max_clients = 8192;

/// What of the node it needs. All must outlive it but the handles.
struct listener_parts {
  http::actor_system& system;
  const key_ring& keys;
  directory_actor directory;
  preview_settings& settings;
  std::shared_ptr<spdlog::logger> log;
  disk_thread elsewhere;                              // until after join
  std::shared_ptr<const http::peers> peers = nullptr; // null: alone
  std::shared_ptr<node_counters> counters = nullptr;  // null: nobody counts
  std::size_t max_clients = proxy::max_clients;
};

class listener {
public:
  /// `opts` has to outlive it.
  listener(const options& opts, listener_parts parts);
  listener(const listener&) = delete;
  listener& operator=(const listener&) = delete;
  ~listener();

  /// Listens at an address; 0 for any free port. Before start(). Returns the
  /// port. Throws std::system_error.
  std::uint16_t listen(const std::string& address, std::uint16_t port);

  void start();

  /// Ends all connections and the thread; join waits for it.
  void stop();
  void join();

private:
  struct state;
  std::unique_ptr<state> state_;
};

} // namespace greenroom::http::proxy
