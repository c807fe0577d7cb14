// The node's side of a session's runner: start it, dial it, talk to it, and
// the files that go between. The protocol is in
// runtime/runner/protocol/protocol.hpp.
//
// Starting and adopting are one path: dial; where nobody listens, write the
// configuration, start a runner, wait for the starter's end, dial again. Then
// say hello. Descriptors are non-blocking and meant for the caller's poll.
#pragma once

#include "runtime/base/fd.hpp"
#include "runtime/runner/protocol/exit_record.hpp"
#include "runtime/runner/protocol/protocol.hpp"
#include "runtime/runner/protocol/session_files.hpp"

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace greenroom {

/// A connection to a runner. Not for several threads at once.
class runner_connection {
public:
  /// Messages that may wait for a runner that does not read.
  static constexpr std::size_t max_queued = 4096;

  struct nothing {}; // no message now
  struct closed {};  // and there will be none

  using received = std::variant<nothing, closed, runner::runner_message>;

  /// Connects to the session's runner; nullopt where none listens. Throws
  /// std::system_error where that cannot be told.
  static std::optional<runner_connection>
  dial(const std::filesystem::path& session_dir);

  /// To be watched for reading, and for writing while wants_write().
  int fd() const noexcept {
    return fd_.get();
  }

  /// Ends it, for whoever is at the other end.
  void hang_up() noexcept {
    fd_.reset();
  }

  /// Sends, or queues where the runner is slow. False when the connection is
  /// broken.
  bool send(const runner::node_message& message);

  bool wants_write() const noexcept {
    return !queue_.empty();
  }

  /// Sends what is queued, as far as possible. False when the connection is
  /// broken.
  bool flush();

  /// The next message. One that this version does not know is skipped, and
  /// counted; what is no message at all is as good as closed.
  received receive();

  /// The descriptor that came with the `input` or `connected` that receive()
  /// gave last; closed by the next receive() where nobody takes it.
  unique_fd take_fd() noexcept {
    return std::move(passed_);
  }

  /// Messages of a newer runner that were skipped.
  std::uint64_t unknown_messages() const noexcept {
    return unknown_;
  }

private:
  explicit runner_connection(unique_fd fd) noexcept;

  runner::runner_message without_fd(runner::runner_message message) const;

  unique_fd fd_;
  unique_fd passed_;
  std::uint64_t unknown_ = 0;
  std::list<std::string> queue_;
};

/// A runner that is being started: the process that has to end before the
/// runner can be dialled.
class runner_start {
public:
  /// Starts `binary` for the session. The runner's environment, by which
  /// kill_orphans finds it, is GREENROOM_SESSION_ID=`session_id`, PATH, and
  /// nothing else. Throws std::system_error.
  runner_start(const std::filesystem::path& binary,
               const std::filesystem::path& session_dir,
               std::string_view session_id);

  runner_start(runner_start&& other) noexcept;
  runner_start& operator=(runner_start&&) = delete;

  /// Kills the starter, unless it was finished.
  ~runner_start();

  /// A pidfd: readable when finish() will not block.
  int fd() const noexcept {
    return starter_.get();
  }

  /// Waits for the starter's end. Nothing where a runner listens now; else
  /// what went wrong, in one sentence.
  std::optional<std::string> finish();

private:
  pid_t pid_ = 0;
  unique_fd starter_;
  unique_fd stderr_;
};

/// The files that tell a runner what to do. When these return, the files are
/// whole and with the kernel, not yet on the platter. Throw std::system_error.
void write_runner_config(const std::filesystem::path& session_dir,
                         const runner::runner_config& config);
void write_exec_spec(const std::filesystem::path& session_dir,
                     std::string_view exec, const runner::command_spec& spec);

/// Where the exec's log, spec and exit record lie.
std::filesystem::path exec_directory(const std::filesystem::path& session_dir,
                                     std::string_view exec);

/// How the exec ended; nullopt while that is not recorded, or where the record
/// is cut because the runner died, or the power went, when it was written.
/// Throws std::system_error.
std::optional<exit_record>
read_exit_record(const std::filesystem::path& exec_dir);

} // namespace greenroom
