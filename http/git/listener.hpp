// Git over HTTP: a thread of its own whose connections are streams, since the
// HTTP library holds whole bodies in memory.
//
// Owned by the server. Takes over connections from the API's port that begin
// with a request for git, and listens on git.listen where that is set. Bounds:
// max_connections, not all of one address (more are told to try again; those
// that only wait make room first), and those in git_context.hpp;
// with 64 KiB for what a connection reads and 192 KiB for a transfer, memory
// stays below 64 MiB whatever is transferred.
#pragma once

#include "http/base/handed_connection.hpp"
#include "http/base/options.hpp"
#include "http/edge/actor_system.hpp"
#include "messages/directory.hpp"
#include "messages/git.hpp"
#include "runtime/base/fd.hpp"
#include "runtime/sandbox/plan.hpp"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace spdlog {
class logger;
}

namespace greenroom {
class git_service;
class key_ring;
} // namespace greenroom

namespace greenroom::http {
struct peers;
}

namespace greenroom::http::git_http {

class origin_server;

inline constexpr std::size_t max_connections = 512;

/// What of the node it needs. All must outlive it but the handles.
struct listener_parts {
  http::actor_system& system;
  directory_actor directory;
  std::shared_ptr<const sandbox::host> sandbox;
  std::shared_ptr<spdlog::logger> log;
  // Null, one of the two: `origin` is not served.
  std::shared_ptr<git_service> git = nullptr;
  const key_ring* keys = nullptr;
  git_actor workers{}; // null: upstream's branches are not shown
  std::shared_ptr<const http::peers> peers = nullptr; // null: alone
  std::size_t max_connections = git_http::max_connections;
  operations_actor operations = {}; // null: nobody keeps an audit
  std::string node = {};
};

class listener {
public:
  /// `opts` has to outlive it; its data_dir is absolute.
  listener(const options& opts, listener_parts parts);
  listener(const listener&) = delete;
  listener& operator=(const listener&) = delete;
  ~listener();

  /// Listens at an address; 0 for any free port. Before start(). Returns the
  /// port. Throws std::system_error.
  std::uint16_t listen(const std::string& address, std::uint16_t port);

  void start();

  /// Takes over a connection. Any thread.
  void adopt(handed_connection what);

  /// Begins to stop: transfers have `grace` to end; `join` waits for it.
  void stop(std::chrono::milliseconds grace);
  void join();

private:
  struct state;
  std::unique_ptr<state> state_;
};

} // namespace greenroom::http::git_http
