// One socket for each session on which its own git reaches `origin`.
//
// It lies in sessions/<sid>/origin, which the session's sandbox sees read-only;
// who can dial it is that session, so nobody has to say who he is. The
// directory outlives the server, the socket is made anew at each start.
//
// A thread of its own accepts, once `serve` is called; until then who dials
// waits. Thread-safe.
#pragma once

#include "runtime/base/fd.hpp"

#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>

namespace greenroom {

class origin_sockets {
public:
  /// Called on the thread that accepts; must not block.
  using visitor = std::function<void(const std::string& session_id, unique_fd)>;

  explicit origin_sockets(std::filesystem::path sessions);
  origin_sockets(const origin_sockets&) = delete;
  origin_sockets& operator=(const origin_sockets&) = delete;
  ~origin_sockets();

  /// Opens a session's socket, where it is not open. Throws std::system_error.
  void open(const std::string& session_id);
  void close(const std::string& session_id);

  /// Begins to accept, on the sockets of all sessions that are on disk too.
  void serve(visitor visit);

  /// Accepts no more; waits for the visitor.
  void stop();

private:
  void run(const visitor& visit);
  void accept_from(int listener, const visitor& visit);

  std::filesystem::path sessions_;
  unique_fd events_; // epoll
  unique_fd wake_;   // eventfd: stop
  std::mutex mutex_;
  std::map<std::string, unique_fd> listeners_;
  std::map<int, std::string> ids_;
  std::thread thread_;
};

} // namespace greenroom
