// The runner itself, once it stands beside its session: does what the node
// says, looks after the execs, and outlives the node.
//
// Single-threaded. All signals are blocked in it; TERM and INT do what `stop`
// does. It is a child subreaper above the inner half: when that ends, whatever
// it leaves is killed.
#pragma once

#include "runtime/base/fd.hpp"
#include "runtime/runner/outer/control_server.hpp"
#include "runtime/runner/outer/disk_watch.hpp"
#include "runtime/runner/outer/event_loop.hpp"
#include "runtime/runner/outer/exec.hpp"
#include "runtime/runner/outer/port_connections.hpp"
#include "runtime/runner/outer/sandbox_handle.hpp"
#include "runtime/runner/outer/session_ports.hpp"
#include "runtime/runner/protocol/run_lease.hpp"
#include "runtime/runner/protocol/session_files.hpp"

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace greenroom::runner {

class shim final : exec_observer, node_handler {
public:
  /// More than this at once are refused, so that the hello holds them all.
  static constexpr std::size_t max_running = 256;

  /// `listener` is bound to the socket in the directory `session_dir`. Throws
  /// std::system_error.
  shim(runner_config config, unique_fd session_dir, unique_fd listener);

  /// Returns when it has been told to stop and no process is left.
  void run();

private:
  hello_reply greet() override;
  void before_hello() override;
  void after_hello() override;
  void on_message(const node_message& message) override;
  void on_started(const supervised_exec& exec) override;
  void on_refused(const supervised_exec& exec, std::string reason) override;
  void on_exited(const supervised_exec& exec) override;
  void on_fed(const supervised_exec& exec) override;
  void on_unresponsive(const supervised_exec& exec) override;

  void on_spawn(const std::string& id);
  void on_open_input(const std::string& id);
  void on_connect(const runner::connect& what);
  std::vector<exec_processes> processes() const;
  bool busy() const;
  bool has_nothing_to_do() const;
  void tell_idle(steady::time_point now);
  void rest();
  void look_at_ports(steady::time_point now);
  void tell_ports();
  std::string start(const std::string& id);
  void stop(const std::string& reason);
  void kill_all(const std::string& reason);
  void look_at_lease(steady::time_point now);
  std::string why_not_now() const;
  void hear_signals();
  void reap();
  void kill_what_is_left();
  void end_all(const std::string& reason);
  void attend();
  std::optional<steady::time_point> next_deadline() const;

  using exec_map =
    std::map<std::string, std::unique_ptr<supervised_exec>, std::less<>>;

  runner_config config_;
  unique_fd session_dir_;
  event_loop loop_;
  unique_fd signals_;
  sandbox_handle inner_;
  control_server link_;
  port_connections connections_;
  session_ports ports_;
  disk_watch disk_;
  std::optional<steady::time_point> ports_at_; // when they are looked at
  std::optional<steady::time_point> idle_at_;  // when it says that it is
  std::optional<run_lease_reader> lease_;
  std::optional<steady::time_point> lease_at_; // when it is looked at
  exec_map execs_;
  bool stopping_ = false;
};

} // namespace greenroom::runner
