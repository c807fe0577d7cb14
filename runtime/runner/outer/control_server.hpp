// The runner's end of its socket: who may speak, and what waits to be sent.
//
// One connection at a time is the node's, the newest that has said a right
// hello. What is sent is queued when the node is slow; a node that lets more
// than `max_queued` messages pile up is closed, for it can learn the state by
// dialling again. Connections that have not said hello are few; the oldest
// goes when there are more.
#pragma once

#include "runtime/base/fd.hpp"
#include "runtime/runner/outer/event_loop.hpp"
#include "runtime/runner/protocol/protocol.hpp"

#include <array>
#include <deque>
#include <string>
#include <vector>

namespace greenroom::runner {

class node_handler {
public:
  /// The answer to a right hello, but for its version.
  virtual hello_reply greet() = 0;

  /// Called before the answer is sent, and after.
  virtual void before_hello() = 0;
  virtual void after_hello() = 0;

  virtual void on_message(const node_message& message) = 0;

protected:
  ~node_handler() = default;
};

class control_server {
public:
  static constexpr std::size_t max_queued = 4096;
  static constexpr std::size_t max_unauthenticated = 8;

  /// `listener` is listening. Throws std::system_error.
  control_server(event_loop& loop, unique_fd listener, std::string nonce,
                 node_handler& handler);

  /// Sends now or as soon as possible, with a descriptor or without; dropped
  /// where no node is connected.
  void send(const runner_message& message, unique_fd fd = {});

  /// Sends now, or not at all and returns false.
  bool try_send(const runner_message& message);

  /// True where the node that is connected speaks this version, or a newer.
  bool node_speaks(std::uint32_t version) const noexcept {
    return node_ && version_ >= version;
  }

  /// Nobody new is let in from now on.
  void stop_listening();

  /// Ends the node's connection, after the last that is said.
  void hang_up();

  /// When on_deadline() is to be called; nothing: it need not be.
  std::optional<steady::time_point> deadline() const noexcept {
    return accept_again_;
  }
  void on_deadline(steady::time_point now);

private:
  void accept_one();
  void pause_accepting();
  void hear(int fd);
  void hear_hello(int fd, const hello& message);
  void hear_unknown(int fd, std::string op);
  void reject(int fd, std::string reason);
  void close(int fd);
  struct outgoing {
    std::string text;
    unique_fd fd;
  };

  enum class written { all, nothing_now, no_descriptor };

  written write(int to, const outgoing& what);
  bool pass(outgoing& what);
  void wait_for_room();
  void flush();

  event_loop& loop_;
  unique_fd listener_;
  std::string nonce_;
  node_handler& handler_;
  unique_fd spare_; // given up to accept, and turn away, when out of others
  std::optional<steady::time_point> accept_again_;
  std::vector<unique_fd> unauthenticated_; // oldest first
  unique_fd node_;
  std::uint32_t version_ = 0; // that the node's connection has
  bool full_ = false;         // the node's socket takes no more at the moment
  std::deque<outgoing> queue_;
  std::array<char, max_message + 1> buffer_;
};

} // namespace greenroom::runner
