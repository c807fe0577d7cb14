// Tells when an exec has ended, a port is listened on, or the session is over:
// what a client waits for that does not read the events itself.
//
//   not begun ──→ joined      lost (no session to be had) ──→ joined
//
// A subscriber of its session, beside the event streams of its thread: it looks
// at what kind of events they are, and lets their text go. It joins first and
// asks the session for the present state then, and again whenever it may have
// missed an event, so none is. The questions are messages to the session, for
// events do not say what has been before.
//
// Owned by its listener; used on the HTTP thread only.
#pragma once

#include "http/edge/exchange.hpp"
#include "http/edge/session_subscriber.hpp"
#include "messages/session.hpp"

#include <cstdint>
#include <memory>
#include <string>

namespace greenroom::http {

class ask_error;
class session_subscription;

/// Who listens. One of these is called, once, on the HTTP thread; not from
/// inside of `begin`.
class session_watch_listener {
public:
  virtual ~session_watch_listener() = default;

  /// It has come, or the session is over; nothing will follow.
  virtual void over() = 0;

  /// The session, or the exec, cannot be had.
  virtual void failed(const refusal& why) = 0;
};

struct session_watch_task {
  std::string exec_id;      // whose end is waited for; empty: none's
  bool may_be_none = false; // where there is no such exec it counts as ended
  std::uint16_t port = 0; // that is to be listened on; 0: none. Without either
                          // only the end of the session counts
  bool patient = false;   // a session that cannot be had now is looked for
                          // until it can, or is known not to exist
};

class session_watch final : public session_subscriber,
                            public std::enable_shared_from_this<session_watch> {
public:
  /// Of the exchange's session; it keeps the exchange until it is over.
  session_watch(exchange_ptr ex, session_watch_task task,
                std::weak_ptr<session_watch_listener> listener);

  /// Joins, once.
  void begin(const session_actor& session);

  /// What it is to tell of has not been so far, as far as is known now.
  bool has_looked() const noexcept {
    return stood_ && !looking_ && !owed_;
  }

  /// Does again what failed for now. To be called about once a second.
  void tick();

  /// Its listener is told nothing any more.
  void stop();

  // -- for its subscription ---------------------------------------------------

  void standing(const event_id& last, bool ended) override;
  void live(const event_batch& batch) override;
  void read_answer(const event_batch&) override {}
  void read_failed() override {}
  void refuse(const refusal& why) override;
  bool opened() const noexcept override {
    return true; // it outlives a crash of the session
  }

private:
  void look();
  void ask_exec();
  void ask_ports();
  void looked(bool reached);
  void not_looked(const ask_error& why);
  void rejoin();
  void end();
  void fail(const refusal& why);

  exchange_ptr ex_; // null: over
  const session_watch_task task_;
  const std::weak_ptr<session_watch_listener> listener_;
  session_subscription* of_ = nullptr; // lives while it has subscribers
  std::uint64_t known_ = 0;            // the last event that has come
  bool stood_ = false;                 // the first word has come
  bool looking_ = false;               // an answer is to come
  bool again_ = false;                 // what it says is old already
  bool owed_ = false;                  // a look that failed for now
  bool lost_ = false;                  // it is to join again
};

} // namespace greenroom::http
