// The actor that tells an HTTP thread when an exec has ended, a port is
// listened on, or the session is over.
//
//   asking ──→ listening      lost (the session went down) ──→ asking
//
// It watches the session as event streams do, but only looks at what kind of
// events they are; their text it lets go. It outlives a crash of the session by
// looking for the next actor. Owned by itself: it ends once it has told its
// listener something, or is sent an exit.
#pragma once

#include "http/edge/actor_system.hpp"
#include "messages/directory.hpp"
#include "messages/errors.hpp"

#include <caf/typed_event_based_actor.hpp>

#include <chrono>
#include <memory>
#include <string>

namespace greenroom::http {
class loop;
}

namespace greenroom::http::handlers {

/// Who listens. One of these is called, once, on the HTTP thread.
class session_watch_listener {
public:
  virtual ~session_watch_listener() = default;

  /// It has come, or the session is over; nothing will follow.
  virtual void over() = 0;

  /// The time to listen is up.
  virtual void late() = 0;

  /// The session cannot be found any more.
  virtual void failed(const refusal& why) = 0;
};

struct session_watch_task {
  std::string project_id;
  std::string session_id;
  std::string exec_id;      // whose end is waited for; empty: none's
  bool may_be_none = false; // where there is no such exec it counts as ended
  std::uint16_t port = 0; // that is to be listened on; 0: none. Without either
                          // only the end of the session counts
  session_actor session;
  directory_actor directory;
  std::chrono::milliseconds look_up{5'000};
  std::chrono::milliseconds limit{30'000}; // how long to listen
};

/// The watch's reminders to itself.
struct watch_look_again {};
GREENROOM_INSPECT(watch_look_again)

struct watch_time_up {};
GREENROOM_INSPECT(watch_time_up)

using session_watch_actor =
  watcher_actor::extend<caf::reacts_to<watch_look_again>,
                        caf::reacts_to<watch_time_up>>;

session_watch_actor spawn_watch(actor_system& system,
                                std::weak_ptr<http::loop> home,
                                std::weak_ptr<session_watch_listener> listener,
                                session_watch_task task);

/// It tells its listener nothing any more.
void stop_watch(const session_watch_actor& watch);

class session_watch final : public session_watch_actor::base {
public:
  session_watch(caf::actor_config& config, std::weak_ptr<http::loop> home,
                std::weak_ptr<session_watch_listener> listener,
                session_watch_task task);

  const char* name() const override;
  void on_exit() override;

protected:
  behavior_type make_behavior() override;

private:
  void ask();
  void look_at_it();
  void ask_exec();
  void ask_ports();
  void batch(const event_batch& events);
  void lose();
  void look();

  void end();
  void fail(const caf::error& why);
  void post(std::function<void(session_watch_listener&)> what);
  void tell(void (session_watch_listener::*what)());

  std::weak_ptr<http::loop> loop_;
  std::weak_ptr<session_watch_listener> listener_;
  session_watch_task task_;
  bool reminded_ = false; // watch_look_again is to come
  unsigned tries_ = 0;
  unsigned generation_ = 0; // grows when the session is lost
};

} // namespace greenroom::http::handlers
