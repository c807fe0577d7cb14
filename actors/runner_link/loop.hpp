// The thread of a runner link; for actors/runner_link/*.cpp only.
//
//   link.cpp     what is called from any thread, the loop itself
//   connect.cpp  how a runner is found, started, lost and stopped
//   rest.cpp     how one that has nothing to do ends, and comes back
//   talk.cpp     what a runner says, what its commands are fed
//   first_input.cpp  what they are fed at first, where their runner does not
//                    know of that
#pragma once

#include "actors/runner_link/input.hpp"
#include "actors/runner_link/link.hpp"
#include "actors/runner_link/orphan_reaper.hpp"
#include "runtime/base/fd.hpp"
#include "runtime/runner/client/runner_client.hpp"

#include <atomic>
#include <chrono>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <vector>

struct epoll_event;

namespace greenroom {

class runner_link::loop {
public:
  explicit loop(runner_link_options options);
  ~loop();

  // -- from any thread --------------------------------------------------------

  /// Has the thread run `task`; should that fail, the link of `id` is lost.
  void post(const std::string& id, std::function<void()> task);
  bool send(const std::string& id, const runner::node_message& message);
  std::function<bool(const runner::node_message&)>
  line_of(const std::string& id);
  std::size_t connected() const;
  std::optional<std::int32_t> process_of(const std::string& id) const;

  // -- on the loop's thread ---------------------------------------------------

  void attach(const std::string& id, const std::string& mirror,
              runner_user_actor user, bool start);
  void stop(const std::string& id, runner_user_actor user);

  struct input_request {
    std::string id;
    std::string exec_id;
    std::uint64_t ticket = 0;
    shared_text data;
    bool eof = false;
    std::uint16_t rows = 0; // above 0: the terminal's new size, and no bytes
    std::uint16_t cols = 0;
  };
  void feed(input_request request);
  void connect_port(const std::string& id, const runner_user_actor& user,
                    std::uint64_t ticket, std::uint16_t port);

private:
  using clock = std::chrono::steady_clock;

  // Users send on it while the loop reads from it.
  struct shared_connection {
    explicit shared_connection(runner_connection c)
      : connection(std::move(c)) {}
    std::mutex mutex;
    runner_connection connection;
    std::atomic<std::int32_t> process = 0; // 0: none
    // Let go of by the loop, which may be gone itself.
    bool dropped = false;
    // While its runner rests, what was sent meanwhile, for the next one.
    bool resting = false;
    std::vector<runner::node_message> held;
  };
  using connection_ptr = std::shared_ptr<shared_connection>;

  enum class phase {
    idle,
    retrying,
    reaping,
    starting,
    greeting,
    up,
    resting, // it was told to
    asleep,  // and has ended, for the time being
  };

  struct link {
    runner_user_actor user;
    std::string mirror;
    phase at = phase::idle;
    bool start = false;    // start a runner where none listens
    bool stopping = false; // and none is wanted any more
    int stop_tries = 0;    // to find one that is to end, which did not work
    std::optional<std::string> gone; // once reaped: there is none, and why
    std::string nonce;
    connection_ptr connection;
    connection_ptr dormant; // without a runner, until there is another one
    std::optional<runner_start> starter;
    clock::time_point deadline; // valid while it is in `timed_`
    std::unordered_map<std::string, input_channel> inputs; // by exec id
    std::uint32_t version = 0;                  // of the connection, once up
    std::unordered_set<std::uint64_t> connects; // tickets, not answered yet
  };

  struct connecting {
    std::string id;
    std::uint64_t ticket;
    clock::time_point deadline;
  };

  struct posted {
    std::string id; // on whose behalf; empty: the loop's own
    std::function<void()> run;
  };

  // Who a descriptor belongs to: a runner, or a command's standard input.
  struct owner {
    std::string id;
    std::string exec_id; // empty: the runner
  };

  // link.cpp
  void run();
  void run_tasks();
  void on_event(const ::epoll_event& event);
  void on_behalf_of(const std::string& id, const std::function<void()>& task);
  void check_deadlines();
  void too_late(const std::string& id);
  int next_timeout() const;
  void watch(int fd, std::uint32_t events, int how);
  void own(int fd, owner whose, std::uint32_t events);
  void disown(int fd);
  void expect_by(const std::string& id, link& entry, clock::duration timeout);

  // connect.cpp
  std::filesystem::path dir_of(const std::string& id) const;
  void connect(const std::string& id, link& entry);
  void not_now(const std::string& id, link& entry, const std::string& reason);
  bool connect_to_living(const std::string& id, link& entry);
  void start_or_give_up(const std::string& id, link& entry);
  void check_descriptors() const;
  void start_runner(const std::string& id, link& entry);
  void starter_done(const std::string& id, link& entry);
  void greet(const std::string& id, link& entry, runner_connection connection);
  void tell_stop(const std::string& id, link& entry);
  void drop(const std::string& id);
  void down(const std::string& id, const std::string& reason);
  void reap(const std::string& id, link& entry);
  void reaped(const std::string& id);

  // rest.cpp
  void let_rest(const std::string& id, link& entry);
  void go_on(const std::string& id, link& entry);
  void fall_asleep(const std::string& id, link& entry);
  void wake(const std::string& id);
  void refuse_held(link& entry, const std::string& problem);

  // talk.cpp
  connection_ptr connection_of(const std::string& id);
  bool send(const std::string& id, const connection_ptr& to,
            const runner::node_message& message);
  void watch_for_writing(const connection_ptr& to);
  void flush(link& entry);
  void receive(const std::string& id);
  void on(const std::string& id, link& entry, runner::hello_reply& message);
  void on(const std::string& id, link& entry, runner::started& message);
  void on(const std::string& id, link& entry, runner::refused& message);
  void on(const std::string& id, link& entry,
          runner::output_available& message);
  void on(const std::string& id, link& entry, runner::exited& message);
  void on(const std::string& id, link& entry, runner::input& message);
  void on(const std::string& id, link& entry, runner::no_input& message);
  void on(const std::string& id, link& entry, runner::error& message);
  void on(const std::string& id, link& entry, runner::connected& message);
  void on(const std::string& id, link& entry, runner::not_connected& message);
  void on(const std::string& id, link& entry, runner::ports& message);
  void on(const std::string& id, link& entry, runner::unsupported& message);
  void on(const std::string& id, link& entry, runner::idle& message);
  void on(const std::string& id, link& entry, runner::awake& message);
  static void refuse_connect(const runner_user_actor& user,
                             std::uint64_t ticket, const std::string& problem);
  void end_connect(link& entry, std::uint64_t ticket, std::string problem,
                   unique_fd socket = {});
  void pump_input(const std::string& id, const std::string& exec_id);
  void close_input(link& entry, const std::string& exec_id,
                   const std::string& problem);

  // first_input.cpp
  void feed_first(const std::string& id, link& entry,
                  const std::string& exec_id);

  runner_link_options options_;
  unique_fd poll_;
  unique_fd wake_;
  std::unordered_map<std::string, link> links_;
  std::unordered_map<int, owner> owners_;
  std::unordered_set<std::string> timed_;   // those with a deadline
  std::unordered_set<std::string> reaping_; // what they left is being killed
  std::deque<connecting> connecting_;       // soonest deadline first
  bool stopped_ = false;

  mutable std::mutex mutex_; // guards what follows
  std::vector<posted> tasks_;
  std::unordered_map<std::string, connection_ptr> connections_;

  orphan_reaper reaper_;
  std::thread thread_;
};

} // namespace greenroom
