// Who follows a session's events on an HTTP thread: an event stream, for one.
//
// Owned by whoever made it and, until it leaves, by its session's
// `session_subscription`, which calls it on the HTTP thread.
#pragma once

#include "messages/errors.hpp"
#include "messages/events.hpp"

namespace greenroom::http {

class session_subscriber {
public:
  virtual ~session_subscriber() = default;

  /// How far the session's events go; `ended`: nothing will follow them. The
  /// first word, and said again whenever a lost session is found again.
  virtual void standing(const event_id& last, bool ended) = 0;

  /// Events as they come.
  virtual void live(const event_batch& batch) = 0;

  /// What it has asked the subscription to read.
  virtual void read_answer(const event_batch& batch) = 0;
  virtual void read_failed() = 0;

  /// The session cannot be had; the last word.
  virtual void refuse(const refusal& why) = 0;

  /// Its client has the beginning of an answer, and waits longer for a session
  /// that is lost.
  virtual bool opened() const noexcept = 0;
};

} // namespace greenroom::http
