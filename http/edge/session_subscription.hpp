// The one receiver of a session's events on an HTTP thread: it hands each batch
// to all of the thread's subscribers that follow the session: event streams,
// waits and terminals.
//
//   asking ──→ up      lost (the session went down) ──→ asking
//
// So a batch is one message to each thread, however many watch. Where many
// watch, batches that come quickly are joined: the first after a silence goes
// out at once, the next ones wait until the time that the writes took has been
// made up for, 5 ms at most. A lost session is looked for once for all.
//
// Kept by the thread's `session_subscriptions`; it ends when its last
// subscriber has left, and with the thread. The session has a handle to it, as
// it has one to the session: it lets go of that when it ends. Used on the HTTP
// thread only.
#pragma once

#include "http/edge/on_loop.hpp"
#include "http/edge/session_subscriber.hpp"
#include "messages/session.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace greenroom::http {

struct edge;

/// A subscription's reminder to itself to look for its session again.
struct look_again {};
GREENROOM_INSPECT(look_again)

/// A subscriber has left, which may have been the last.
struct subscriber_left {};
GREENROOM_INSPECT(subscriber_left)

using subscription_actor =
  watcher_actor::extend<caf::reacts_to<look_again>,
                        caf::reacts_to<subscriber_left>>;

class session_subscription final : public on_loop<subscription_actor> {
public:
  using clock = std::chrono::steady_clock;

  session_subscription(caf::actor_config& config, edge& env,
                       std::string project_id, std::string session_id,
                       session_actor session);

  static subscription_actor spawn(edge& env, std::string project_id,
                                  std::string session_id,
                                  session_actor session);

  /// The subscription behind a handle that `spawn` gave.
  static session_subscription& behind(const subscription_actor& handle);

  const char* name() const override;

  // -- for its subscribers ----------------------------------------------------

  /// Tells the subscriber how the session stands, soon.
  void add(std::shared_ptr<session_subscriber> joined);
  void remove(const session_subscriber& left);

  /// Reads the log for a subscriber. False while the session is not there; it
  /// hears how the session stands once it is.
  bool read(std::weak_ptr<session_subscriber> reader, read_events what);

  /// Looks for the session's actor again.
  void lose();

  // -- for CAF ----------------------------------------------------------------

  void on_exit() override;

protected:
  behavior_type make_behavior() override;

private:
  enum class state : std::uint8_t { asking, up, lost };

  void ask();
  void standing(const watch_reply& reply);
  void greet();
  void failed(const caf::error& why);
  void look();
  void found(const session_actor& session);

  void receive(const event_batch& batch);
  void deliver();

  template <class F>
  void for_each(F f);
  void refuse(const refusal& why);

  edge& env_;
  const std::string project_id_;
  const std::string session_id_;
  session_actor session_;

  state state_ = state::asking;
  unsigned generation_ = 0; // grows when the session is lost: older answers
                            // count no more
  unsigned tries_ = 0;
  clock::time_point lost_at_; // before the first of them
  event_id last_;             // the last event that has come
  bool ended_ = false;

  std::vector<std::shared_ptr<session_subscriber>> all_; // null: has left
  std::size_t size_ = 0;
  bool in_loop_ = false;
  bool greeting_ = false;
  std::vector<std::weak_ptr<session_subscriber>> joining_;

  std::vector<event_batch> held_; // one continues the other
  std::size_t held_bytes_ = 0;
  bool waiting_ = false;
  clock::time_point delivered_at_;
};

} // namespace greenroom::http
