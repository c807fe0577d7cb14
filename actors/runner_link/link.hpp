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
// A user's files lie in data_dir/sessions/<id>.
#pragma once

#include "actors/runner_link/runners.hpp"
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

class runner_link final : public runners_of_node {
public:
  explicit runner_link(runner_link_options options);
  runner_link(const runner_link&) = delete;
  runner_link& operator=(const runner_link&) = delete;

  /// Lets go of all runners; they and their commands live on.
  ~runner_link() override;

  void attach(const std::string& id, const std::string& mirror,
              runner_user_actor user, bool start) override;
  bool send(const std::string& id,
            const runner::node_message& message) override;
  std::function<bool(const runner::node_message&)>
  line_of(const std::string& id) override;
  void stop(const std::string& id, runner_user_actor user) override;
  void write(const std::string& id, const std::string& exec_id,
             std::uint64_t ticket, shared_text data, bool eof) override;
  void resize(const std::string& id, const std::string& exec_id,
              std::uint64_t ticket, std::uint16_t rows,
              std::uint16_t cols) override;
  void connect(const std::string& id, runner_user_actor user,
               std::uint64_t ticket, std::uint16_t port) override;

  /// How many runners are connected at the moment; those that rest are not.
  std::size_t connected() const;

  /// The process of this user's runner, where one is connected.
  std::optional<std::int32_t> process_of(const std::string& id) const;

private:
  class loop;
  std::unique_ptr<loop> loop_;
};

} // namespace greenroom
