// The link between this node's sessions and their runners.
//
// One thread watches all runners' sockets and turns what comes into messages
// to the actors that use them, sessions and review commands alike; it also
// starts runners, adopts those that have survived the server, and feeds the
// commands' standard input. Users write to their runner directly. Killing what
// a dead runner left blocks, and has a thread of its own.
//
// A runner that has nothing to do any more is ended after a time, and started
// again with the next that is sent to it. Its user does not notice: what is
// sent meanwhile waits, and where there can be none again it gets exec_refused
// for what it wanted to run, and runner_down.
//
// A user is known by an id, its files lie in data_dir/sessions/<id>.
//
// Owned by the composition root; outlives all users. All functions may be
// called from any thread.
#pragma once

#include "messages/runner.hpp"
#include "messages/shared_text.hpp"
#include "runtime/runner/protocol/protocol.hpp"
#include "runtime/runner/protocol/session_files.hpp"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace greenroom {

struct runner_link_options {
  std::filesystem::path binary; // greenroom-runner
  std::filesystem::path data_dir;
  millis kill_grace = 5000;
  millis idle = 0; // a runner with nothing to do for so long ends; 0: never
  // What runs ends by itself when this says so (runner/protocol/run_lease.hpp);
  // empty: never.
  std::filesystem::path lease = {};
  // Of runners and inputs of commands: no more runners are started than there
  // are descriptors for. 0: any number.
  std::size_t max_descriptors = 0;

  /// What a session's or review's commands are shut into, asked when its
  /// runner is started; may throw. Unset or nullopt: they run as they are.
  std::function<std::optional<runner::sandbox_plan>(const std::string& id,
                                                    const std::string& mirror)>
    plan = {};
};

class runner_link {
public:
  explicit runner_link(runner_link_options options);
  runner_link(const runner_link&) = delete;
  runner_link& operator=(const runner_link&) = delete;

  /// Lets go of all runners; they and their commands live on.
  ~runner_link();

  /// Connects a user with its runner. `user` gets runner_up, or runner_down
  /// where there is none and `start` is false, or where it could not be
  /// started; later runner_down when the connection ends. Whoever was attached
  /// under this id before hears nothing more.
  void attach(const std::string& id, const std::string& mirror,
              runner_user_actor user, bool start);

  /// Sends to the user's runner. False where none is connected: a runner_down
  /// is then on its way, or it is still being looked for.
  bool send(const std::string& id, const runner::node_message& message);

  /// Sends to the runner that is connected now and to no later one, from any
  /// thread, also after this object is gone; false as above. Empty where none
  /// is connected.
  std::function<bool(const runner::node_message&)>
  line_of(const std::string& id);

  /// Ends the runner and all that runs in it. `user` gets runner_down when
  /// nothing is left, also if there was no runner.
  void stop(const std::string& id, runner_user_actor user);

  /// Writes to a running command's standard input, after what it was given
  /// before; with `eof` its input ends behind these bytes. The user gets
  /// input_written with the ticket once the kernel has them all, or cannot
  /// take them. What waits for a command that does not read is the caller's to
  /// bound.
  void write(const std::string& id, const std::string& exec_id,
             std::uint64_t ticket, shared_text data, bool eof);

  /// Sets the size of a running command's terminal; answered as write is.
  void resize(const std::string& id, const std::string& exec_id,
              std::uint64_t ticket, std::uint16_t rows, std::uint16_t cols);

  /// Connects to a TCP port inside what the user runs. The user gets
  /// port_connected with the ticket, once and within connect_port_timeout. It
  /// may be called at any time, also where there is no runner.
  void connect(const std::string& id, runner_user_actor user,
               std::uint64_t ticket, std::uint16_t port);

  /// How many runners are connected at the moment; those that rest are not.
  std::size_t connected() const;

  /// The process of this user's runner, where one is connected.
  std::optional<std::int32_t> process_of(const std::string& id) const;

private:
  class loop;
  std::unique_ptr<loop> loop_;
};

} // namespace greenroom
