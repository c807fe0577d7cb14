// A session's runner, linked to an actor that remembers what it is told.
#pragma once

#include "actors/runner_link/link.hpp"
#include "messages/ids.hpp"
#include "messages/type_ids.hpp"
#include "runtime/exec/orphans.hpp"
#include "runtime/exec/output/output_log.hpp"
#include "runtime/runner/client/runner_client.hpp"
#include "tests/support/build_paths.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/temp_dir.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <catch2/catch.hpp>

#include <array>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace greenroom::test {

using news =
  std::variant<runner_up, runner_down, exec_started, exec_refused, exec_grown,
               exec_ended, ports_changed, port_connected>;

// What the user of a runner was told, in order.
class told {
public:
  void add(news what) {
    std::lock_guard guard{mutex_};
    all_.push_back(std::move(what));
    changed_.notify_one();
  }

  // Nothing where it takes too long.
  std::optional<news> next(std::chrono::milliseconds longest) {
    std::unique_lock lock{mutex_};
    if (!changed_.wait_for(lock, longest, [this] { return !all_.empty(); }))
      return std::nullopt;
    auto result = std::move(all_.front());
    all_.pop_front();
    return result;
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<news> all_;
};

inline runner_user_actor::behavior_type runner_user(std::shared_ptr<told> to) {
  return {
    [to](runner_up& x) { to->add(std::move(x)); },
    [to](runner_down& x) { to->add(std::move(x)); },
    [to](exec_started& x) { to->add(std::move(x)); },
    [to](exec_refused& x) { to->add(std::move(x)); },
    [to](exec_grown& x) { to->add(std::move(x)); },
    [to](exec_ended& x) { to->add(std::move(x)); },
    [](const input_written&) {},
    [to](ports_changed& x) { to->add(std::move(x)); },
    [to](port_connected& x) { to->add(std::move(x)); },
  };
}

struct link_config : caf::actor_system_config {
  link_config() {
    add_message_types<caf::id_block::greenroom>();
    set("scheduler.max-threads", 1);
    set("scheduler.policy", caf::atom("sharing"));
  }
};

struct linked_session {
  linked_session() {
    make_files(id);
    make_files(other);
    open_link();
  }

  ~linked_session() {
    link.reset();
    kill_orphans(std::array{id, other});
  }

  /// Another link, as after a restart of the server; runners live on.
  void open_link(const std::filesystem::path& binary = binary_dir()
                                                       / "greenroom-runner",
                 millis idle = 0, std::size_t max_descriptors = 0) {
    link.reset();
    runner_link_options options{binary, dir.path(), 5000, idle};
    options.max_descriptors = max_descriptors;
    link.emplace(std::move(options));
  }

  void attach(bool start) {
    link->attach(id, "demo", user, start);
  }

  /// The next news of this kind; others are passed over.
  template <class News>
  News hear() {
    for (;;) {
      auto next = heard->next(timeout);
      REQUIRE(next);
      if (auto* wanted = std::get_if<News>(&*next))
        return std::move(*wanted);
    }
  }

  void spawn(const std::string& exec, const std::string& script) {
    runner::command_spec spec{
      {"/bin/bash", "-c", script},
      "",
      {{"PATH", "/usr/bin:/bin"}, {"GREENROOM_SESSION_ID", id}},
      0,
      1'000'000};
    write_exec_spec(session_dir(), exec, spec);
    REQUIRE(link->send(id, runner::spawn{exec}));
  }

  exec_ended run(const std::string& exec, const std::string& script) {
    spawn(exec, script);
    return hear<exec_ended>();
  }

  std::string output(const std::string& exec) const {
    output_log_reader log{exec_directory(session_dir(), exec)};
    std::string result(log.size(output_stream::out), '\0');
    REQUIRE(log.read(output_stream::out, 0, result) == result.size());
    return result;
  }

  /// Waits until the running exec has printed this.
  void printed(const std::string& exec, const std::string& text) {
    while (output(exec).find(text) == std::string::npos)
      hear<exec_grown>();
  }

  std::filesystem::path session_dir() const {
    return dir.path() / "sessions" / id;
  }

  void make_files(const std::string& name) const {
    std::filesystem::create_directories(dir.path() / "sessions" / name
                                        / "checkout");
  }

  const std::string id = make_id();
  const std::string other = make_id();
  temp_dir dir;
  link_config config;
  caf::actor_system system{config};
  std::shared_ptr<told> heard = std::make_shared<told>();
  runner_user_actor user = system.spawn(runner_user, heard);
  std::optional<runner_link> link;
};

} // namespace greenroom::test
