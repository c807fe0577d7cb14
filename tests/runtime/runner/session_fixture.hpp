// A session directory with a real runner beside it.
#pragma once

#include "messages/ids.hpp"
#include "runtime/base/files.hpp"
#include "runtime/base/pidfd.hpp"
#include "runtime/exec/orphans.hpp"
#include "runtime/exec/output/output_log.hpp"
#include "runtime/runner/client/runner_client.hpp"
#include "tests/support/build_paths.hpp"
#include "tests/support/temp_dir.hpp"

#include <catch2/catch.hpp>
#include <poll.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <filesystem>
#include <functional>
#include <iterator>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <variant>
#include <vector>

namespace greenroom::test {

// Long enough for any machine, short enough to end a test that waits in vain.
inline constexpr int max_wait_ms = 60'000;

inline bool becomes_readable(int fd, int timeout_ms = max_wait_ms) {
  pollfd item{fd, POLLIN, 0};
  return ::poll(&item, 1, timeout_ms) == 1;
}

/// True when the process is dead, now or soon.
inline bool ends(pid_t pid) {
  auto process = open_pidfd(pid);
  return !process || becomes_readable(process.get());
}

inline bool lives(pid_t pid) {
  auto process = open_pidfd(pid);
  return process && !becomes_readable(process.get(), 0);
}

/// One connection to the runner; waits are bounded.
class client {
public:
  client(const std::filesystem::path& session_dir, std::string nonce)
    : connection_(runner_connection::dial(session_dir)),
      nonce_(std::move(nonce)) {
    REQUIRE(connection_);
  }

  int fd() const {
    return connection_->fd();
  }

  void say(const runner::node_message& message) {
    REQUIRE(connection_->send(message));
  }

  /// The next message, or nothing where the runner has closed.
  std::optional<runner::runner_message> next() {
    for (;;) {
      auto got = connection_->receive();
      if (auto* message = std::get_if<runner::runner_message>(&got))
        return std::move(*message);
      if (std::holds_alternative<runner_connection::closed>(got))
        return std::nullopt;
      INFO("the runner says nothing");
      REQUIRE(becomes_readable(fd()));
    }
  }

  /// The next message of this type; others are passed over.
  template <class Message>
  Message wait_for() {
    for (;;) {
      auto message = next();
      INFO("the runner has closed the connection");
      REQUIRE(message);
      if (auto* wanted = std::get_if<Message>(&*message))
        return std::move(*wanted);
      INFO("not what was waited for: " << runner::encode(*message));
      REQUIRE((std::holds_alternative<runner::output_available>(*message)
               || std::holds_alternative<runner::ports>(*message)
               || std::holds_alternative<runner::idle>(*message)));
    }
  }

  runner::hello_reply greet() {
    say(runner::hello{.nonce = nonce_});
    return wait_for<runner::hello_reply>();
  }

  /// The writing end of the exec's input.
  unique_fd input_of(const std::string& exec) {
    say(runner::open_input{exec});
    REQUIRE(wait_for<runner::input>().exec == exec);
    auto result = connection_->take_fd();
    REQUIRE(result);
    return result;
  }

  /// The descriptor that came with the last message.
  unique_fd take_fd() {
    return connection_->take_fd();
  }

  bool closes() {
    while (next()) {
    }
    return true;
  }

private:
  std::optional<runner_connection> connection_;
  std::string nonce_;
};

/// The pids of the children that the process has by now, not yet reaped ones
/// too.
inline std::vector<pid_t> children_of(pid_t pid) {
  auto name = std::to_string(pid);
  std::istringstream text{
    read_file("/proc/" + name + "/task/" + name + "/children").value_or("")};
  return {std::istream_iterator<pid_t>{text}, {}};
}

/// Everything below the process by now.
inline std::vector<pid_t> descendants_of(pid_t pid) {
  auto result = children_of(pid);
  for (std::size_t i = 0; i < result.size(); ++i)
    std::ranges::copy(children_of(result[i]), std::back_inserter(result));
  return result;
}

class session {
public:
  explicit session(millis kill_grace = 10'000) {
    start_runner({id, nonce, kill_grace, "checkout"});
  }

  /// Says that it is idle when nothing has run for this time.
  struct idle_after {
    millis time;
  };
  explicit session(idle_after idle) {
    start_runner({id, nonce, 10'000, "checkout", std::nullopt, idle.time});
  }

  /// What runs ends when this says so, a file of run_lease.hpp.
  struct leased {
    std::filesystem::path file;
    millis kill_grace = 60'000;
  };
  explicit session(const leased& lease) {
    start_runner({id, nonce, lease.kill_grace, "checkout", std::nullopt, 0,
                  lease.file.string()});
  }

  explicit session(runner::sandbox_plan plan, millis kill_grace = 10'000) {
    start_runner({id, nonce, kill_grace, "checkout", std::move(plan)});
  }
  session(const session&) = delete;
  session& operator=(const session&) = delete;

  ~session() {
    kill_orphans(std::array{id});
  }

  static std::filesystem::path binary() {
    return binary_dir() / "greenroom-runner";
  }

  std::filesystem::path dir() const {
    return temp_.path();
  }

  std::filesystem::path exec_dir(const std::string& exec) const {
    return exec_directory(dir(), exec);
  }

  runner::command_spec shell(const std::string& script) const {
    return {{"/bin/bash", "-c", script},
            "",
            {{"PATH", "/usr/bin:/bin"},
             {"GREENROOM_SESSION_ID", id},
             {"SESSION_DIR", dir().string()}},
            0,
            1 << 30};
  }

  /// Writes the spec and sends spawn.
  void spawn(const std::string& exec, const runner::command_spec& spec) {
    write_exec_spec(dir(), exec, spec);
    node->say(runner::spawn{exec});
  }

  void start(const std::string& exec, const runner::command_spec& spec) {
    spawn(exec, spec);
    REQUIRE(node->wait_for<runner::started>().exec == exec);
  }

  /// Starts and waits for the end.
  exit_record run(const std::string& exec, const runner::command_spec& spec) {
    start(exec, spec);
    return end_of(exec);
  }

  exit_record run(const std::string& exec, const std::string& script) {
    return run(exec, shell(script));
  }

  exit_record end_of(const std::string& exec) {
    auto message = node->wait_for<runner::exited>();
    REQUIRE(message.exec == exec);
    return message.record;
  }

  std::string refusal(const std::string& exec,
                      const runner::command_spec& spec) {
    spawn(exec, spec);
    auto message = node->wait_for<runner::refused>();
    REQUIRE(message.exec == exec);
    return message.reason;
  }

  std::string output(const std::string& exec,
                     output_stream stream = output_stream::out) const {
    output_log_reader log{exec_dir(exec)};
    std::string result(log.size(stream), '\0');
    REQUIRE(log.read(stream, 0, result) == result.size());
    return result;
  }

  /// Waits until the running exec has printed `lines` lines, and returns them
  /// as numbers: the pids that a script tells of.
  std::vector<pid_t> printed_pids(const std::string& exec, std::size_t lines) {
    for (;;) {
      auto text = output(exec);
      if (static_cast<std::size_t>(std::ranges::count(text, '\n')) >= lines) {
        std::vector<pid_t> result;
        for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1)
          result.push_back(std::stoi(text.substr(at)));
        return result;
      }
      node->wait_for<runner::output_available>();
    }
  }

  /// Waits until the running exec's stream holds `text`.
  void printed(const std::string& exec, const std::string& text,
               output_stream stream = output_stream::out) {
    while (output(exec, stream).find(text) == std::string::npos)
      node->wait_for<runner::output_available>();
  }

  const std::string id = make_id();
  const std::string nonce = random_hex(16);
  std::optional<client> node;
  pid_t runner_pid = 0;

private:
  void start_runner(const runner::runner_config& config) {
    std::filesystem::create_directory(dir() / "checkout");
    write_runner_config(dir(), config);
    runner_start starting{binary(), dir(), id};
    REQUIRE(becomes_readable(starting.fd()));
    auto problem = starting.finish();
    INFO(problem.value_or(""));
    REQUIRE_FALSE(problem);
    node.emplace(dir(), nonce);
    runner_pid = node->greet().pid;
  }

  temp_dir temp_;
};

} // namespace greenroom::test
