// The runners of sessions and review commands, as their actors use them. The
// node's are behind link.hpp; where no processes are to be started others stand
// in their place.
//
// A user is known by an id. Owned by the composition root; outlives all users.
// All functions may be called from any thread.
#pragma once

#include "messages/runner.hpp"
#include "messages/shared_text.hpp"
#include "runtime/runner/protocol/protocol.hpp"

#include <cstdint>
#include <functional>
#include <string>

namespace greenroom {

class runners_of_node {
public:
  virtual ~runners_of_node() = default;

  /// Connects a user with its runner. `user` gets runner_up, or runner_down
  /// where there is none and `start` is false, or where it could not be
  /// started; later runner_down when the connection ends. Whoever was attached
  /// under this id before hears nothing more.
  virtual void attach(const std::string& id, const std::string& mirror,
                      runner_user_actor user, bool start) = 0;

  /// Sends to the user's runner. False where none is connected: a runner_down
  /// is then on its way, or it is still being looked for.
  virtual bool send(const std::string& id,
                    const runner::node_message& message) = 0;

  /// Sends to the runner that is connected now and to no later one, from any
  /// thread, also after this object is gone; false as above. Empty where none
  /// is connected.
  virtual std::function<bool(const runner::node_message&)>
  line_of(const std::string& id) = 0;

  /// Ends the runner and all that runs in it. `user` gets runner_down when
  /// nothing is left, also if there was no runner.
  virtual void stop(const std::string& id, runner_user_actor user) = 0;

  /// Writes to a running command's standard input, after what it was given
  /// before; with `eof` its input ends behind these bytes. The user gets
  /// input_written with the ticket once the kernel has them all, or cannot
  /// take them. What waits for a command that does not read is the caller's to
  /// bound.
  virtual void write(const std::string& id, const std::string& exec_id,
                     std::uint64_t ticket, shared_text data, bool eof) = 0;

  /// Sets the size of a running command's terminal; answered as write is.
  virtual void resize(const std::string& id, const std::string& exec_id,
                      std::uint64_t ticket, std::uint16_t rows,
                      std::uint16_t cols) = 0;

  /// Connects to a TCP port inside what the user runs. The user gets
  /// port_connected with the ticket, once and within connect_port_timeout. It
  /// may be called at any time, also where there is no runner.
  virtual void connect(const std::string& id, runner_user_actor user,
                       std::uint64_t ticket, std::uint16_t port) = 0;
};

} // namespace greenroom
