// The link between this node's sessions and their runners.
//
// One thread watches all runners' sockets and turns what comes into messages
// to the sessions' actors; it also starts runners and adopts those that have
// survived the server. Sessions write to their runner directly.
//
// Owned by the composition root; outlives all sessions. All functions may be
// called from any thread.
#pragma once

#include "messages/actors.hpp"
#include "runtime/base/fd.hpp"
#include "runtime/runner/core/protocol.hpp"

#include <filesystem>
#include <memory>
#include <string>

namespace greenroom {

struct runner_link_options {
  std::filesystem::path binary; // greenroom-runner
  std::filesystem::path data_dir;
  millis kill_grace = 5000;
};

class runner_link {
public:
  explicit runner_link(runner_link_options options);
  runner_link(const runner_link&) = delete;
  runner_link& operator=(const runner_link&) = delete;

  /// Lets go of all runners; they and their commands live on.
  ~runner_link();

  /// Connects a session with its runner. `session` gets runner_up, or
  /// runner_down where there is none and `start` is false, or where it could
  /// not be started; later runner_down when the connection ends. Whoever was
  /// attached for this session before hears nothing more.
  void attach(const std::string& session_id, session_actor session, bool start);

  /// Sends to the session's runner. False where none is connected: a
  /// runner_down is then on its way, or it is still being looked for.
  bool send(const std::string& session_id, const runner::node_message& message);

  /// Ends the runner and all that runs in the session. `session` gets
  /// runner_down when nothing is left, also if there was no runner.
  void stop(const std::string& session_id, session_actor session);

private:
  class loop;
  std::unique_ptr<loop> loop_;
};

} // namespace greenroom
