// One thread of the server with everything that lives on it.
//
// This is where the HTTP library is: nothing outside http_thread.cpp sees it.
#pragma once

#include "http/edge.hpp"

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace greenroom::http {

struct server_parts;

/// An address that a host name stands for. Throws std::runtime_error.
std::string address_of(const std::string& host);

/// Refuses with one sentence where another program listens there already,
/// which SO_REUSEPORT could otherwise hide. Throws std::runtime_error.
void check_free(const std::string& address, const std::string& host,
                std::uint16_t port);

class http_thread {
public:
  http_thread(const options& opts, const server_parts& parts,
              std::string address, std::size_t max_connections);
  ~http_thread();

  /// Binds; 0 for any free port. Returns the port. Throws std::system_error.
  std::uint16_t listen(std::uint16_t port);

  /// Before start(): who takes connections that begin with a request for git,
  /// with what has been read of them.
  void give_git_to(std::function<void(int socket, std::string first)> take);

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
