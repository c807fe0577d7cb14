// Connections to the session's own ports that are being made: asked for by the
// node, made by a supervisor inside, answered once each.
//
// What comes from inside is the session's and not to be believed: only a TCP
// socket is handed on, and one that is not made in time is given up.
#pragma once

#include "runtime/base/fd.hpp"
#include "runtime/runner/outer/event_loop.hpp"
#include "runtime/runner/outer/sandbox_handle.hpp"
#include "runtime/runner/protocol/protocol.hpp"

#include <functional>
#include <map>
#include <optional>
#include <string>

namespace greenroom::runner {

class port_connections {
public:
  /// More at once are refused.
  static constexpr std::size_t max_pending = 64;

  using answer = std::function<void(const runner_message&, unique_fd)>;

  port_connections(event_loop& loop, sandbox_handle& inner, answer to);
  port_connections(const port_connections&) = delete;
  port_connections& operator=(const port_connections&) = delete;
  ~port_connections();

  /// `port` is the one that was asked for, where it is the session's.
  void connect(const runner::connect& what, const local_port& port);

  std::optional<steady::time_point> deadline() const;
  void on_deadline(steady::time_point now);

private:
  struct pending {
    runner::connect what;
    local_port port;
    unique_fd socket; // to the supervisor that makes it
    steady::time_point deadline;
    int times_given = 1; // to supervisors
  };

  void start(pending item);
  void hear(int fd);
  void give_again(int fd);
  void give_up(int fd, std::string reason);

  event_loop& loop_;
  sandbox_handle& inner_;
  answer answer_;
  std::map<int, pending> pending_; // by their sockets
};

} // namespace greenroom::runner
