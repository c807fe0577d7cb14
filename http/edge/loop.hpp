// One HTTP thread's event loop, on which that thread's CAF actors run too.
//
// As CAF's execution unit it resumes the edge's bridge on the loop's own thread
// and sends everybody else to the scheduler. So a request handler talks to its
// bridge without a lock, and an answer wakes the thread once, however many
// answers came with it.
#pragma once

#include "http/base/asio.hpp"

#include <caf/execution_unit.hpp>
#include <caf/fwd.hpp>

#include <chrono>
#include <functional>
#include <memory>

namespace greenroom::http {

/// Owned by its thread together with the actors that live on it: those may be
/// known to others, and be sent messages, when the thread has ended.
class loop final : public caf::execution_unit,
                   public std::enable_shared_from_this<loop> {
public:
  explicit loop(caf::actor_system& system);
  ~loop() override;

  /// Runs `task` on the loop's thread, after all that was posted before it.
  /// Any thread. What is posted after the loop ended is dropped unrun.
  void post(std::function<void()> task);

  /// Runs `task` on the loop's thread again and again.
  void every(std::chrono::milliseconds period, std::function<void()> task);

  /// Runs `task` on the loop's thread once, after `pause`. On that thread.
  void after(std::chrono::microseconds pause, std::function<void()> task);

  /// Runs until `stop`. Calls from the loop's thread run inside. A task or
  /// handler that throws is logged, and the loop goes on.
  void run();

  /// Ends `run` after the task that runs now. Any thread.
  void stop();

  /// Drops what still waits: tasks, timers, and connections with what they
  /// hold. The loop's actors get no turn any more. After `run` has returned.
  void drop_all();

  asio::io_context& context() noexcept;

  // For CAF: runs a bridge here, everything else on the scheduler; that once
  // the requests that are ready now have been handled, so that an actor is
  // woken once for all of them. On the loop's thread, bridges on any. Takes
  // over the reference that comes with `job`, and lets go of it also where the
  // loop has ended.
  void exec_later(caf::resumable* job) override;

private:
  void wake_actors();

  struct state;
  std::unique_ptr<state> state_;
};

} // namespace greenroom::http
