// The bridge between one HTTP thread and the actors: a CAF actor that lives on
// that thread's loop.
//
// Owned by the thread's server; every member is for that thread alone. It owns
// the table of pending answers with their deadlines, and the caches of session
// and project handles. Both are bounded: pending answers by the options (the
// caller is told), the caches by forgetting.
//
// Deadlines are watched by one tick for all of them, so a request costs no
// timer. When a cached actor goes down, what was asked of it fails a moment
// later: answers that it sent before are still on their way then.
#pragma once

#include "http/edge/ask_error.hpp"
#include "http/edge/handle_cache.hpp"
#include "http/edge/on_loop.hpp"
#include "http/edge/silent_owners.hpp"
#include "messages/errors.hpp"
#include "messages/project.hpp"
#include "messages/session.hpp"

#include <caf/duration.hpp>
#include <caf/sec.hpp>
#include <caf/type_erased_tuple.hpp>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>

namespace greenroom::http {

class bridge : public on_loop<edge_actor> {
public:
  using clock = std::chrono::steady_clock;

  /// The least time between two looks at the deadlines.
  static constexpr std::chrono::milliseconds tick_period{100};

  bridge(caf::actor_config& config, loop& home, std::size_t max_pending);

  /// Spawns one that lives on `home`; the handle keeps it. `revoked` is called
  /// on that thread.
  static edge_actor spawn(caf::actor_system& system, loop& home,
                          std::size_t max_pending,
                          std::function<void(const std::string&)> revoked);

  /// The bridge behind a handle that `spawn` gave.
  static bridge& behind(const edge_actor& handle);

  /// Asks `whom` and calls either `ok(const Reply&)` or
  /// `failed(const ask_error&)` on this thread, exactly once and never from
  /// inside.
  template <class Reply, class Handle, class Message, class Ok, class Failed>
  void ask(const Handle& whom, std::chrono::milliseconds timeout,
           Message&& message, Ok ok, Failed failed);

  bool full() const noexcept {
    return pending_.size() >= max_pending_;
  }
  std::size_t pending() const noexcept {
    return pending_.size();
  }

  /// Looks at the deadlines.
  void tick();

  /// Ends the actor. What is pending fails.
  void end();

  /// Watches an actor whose handle is put in a cache.
  template <class Handle>
  void watch(const Handle& whom) {
    demonitor(whom.address());
    monitor(whom);
  }

  handle_cache<session_actor> sessions;
  handle_cache<project_actor> projects;
  silent_owners silent;

  // -- for CAF ----------------------------------------------------------------

  using edge_actor::base::consume;
  caf::invoke_message_result consume(caf::mailbox_element& element) override;
  const char* name() const override;

protected:
  behavior_type make_behavior() override;

private:
  struct call {
    virtual ~call() = default;
    virtual void answered(caf::type_erased_tuple& content) = 0;
    virtual void failed(const caf::error& why) = 0;
    clock::time_point deadline;
    caf::actor_addr asked;
    bool is_down = false;
  };

  template <class Reply, class Ok, class Failed>
  struct typed_call final : call {
    typed_call(Ok&& a, Failed&& b) : ok_(std::move(a)), failed_(std::move(b)) {}
    void answered(caf::type_erased_tuple& content) override {
      if (content.match_elements<caf::error>())
        failed(content.get_as<caf::error>(0));
      else if (content.match_elements<Reply>())
        ok_(content.get_as<Reply>(0));
      else
        failed(caf::make_error(caf::sec::unexpected_response));
    }
    void failed(const caf::error& why) override {
      failed_(ask_error{why});
    }
    Ok ok_;
    Failed failed_;
  };

  void add(caf::message_id id, std::unique_ptr<call> added,
           std::chrono::milliseconds timeout, caf::actor_addr asked);
  void went_down(const caf::actor_addr& who);

  std::size_t max_pending_;
  std::function<void(const std::string&)> revoked_;
  std::unordered_map<std::uint64_t, std::unique_ptr<call>> pending_;
};

template <class Reply, class Handle, class Message, class Ok, class Failed>
void bridge::ask(const Handle& whom, std::chrono::milliseconds timeout,
                 Message&& message, Ok ok, Failed failed) {
  auto id = request(whom, caf::infinite, std::forward<Message>(message)).id();
  add(id,
      std::make_unique<typed_call<Reply, Ok, Failed>>(std::move(ok),
                                                      std::move(failed)),
      timeout, whom.address());
}

} // namespace greenroom::http
