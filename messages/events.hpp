// Events: what watchers of a session see, and how they travel.
//
// An event's place is `<epoch>-<seq>`: seq grows by one with every event of a
// session and never restarts, epoch grows each time an actor takes the
// session. The durable copy lies in the session's timeline
// (runtime/timeline/timeline.hpp); here is the form in which events are sent.
#pragma once

#include "messages/shared_text.hpp"
#include "messages/time.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace greenroom {

enum class event_kind : std::uint8_t {
  session_created,
  session_extended,
  session_expiring,
  session_ended,
  exec_queued,
  exec_started,
  exec_output,
  exec_exited,
  git_pushed,
  git_committed,
  preview_ready,
  preview_gone,
  checkin_started,
  checkin_finished,
  review_queued,
  review_started,
  review_finished,
  stream_gap,
  // Timelines keep these numbers: what is new comes last.
  port_opened,
  port_closed,
  session_moved, // to another node
};

inline constexpr std::size_t event_kind_count = 21;

/// The name on the wire: `session.created`.
std::string_view to_string(event_kind kind) noexcept;
bool parse(std::string_view text, event_kind& out) noexcept;

/// A set of kinds, one bit each; 0 stands for "all".
using kind_set = std::uint32_t;
constexpr kind_set bit(event_kind kind) noexcept {
  return kind_set{1} << static_cast<unsigned>(kind);
}

/// A place in a session's events: what `Last-Event-ID` carries.
struct event_id {
  std::uint64_t epoch = 0;
  std::uint64_t seq = 0;
  friend bool operator==(const event_id&, const event_id&) = default;
};

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, event_id& x) {
  return f(caf::meta::type_name("event_id"), x.epoch, x.seq);
}

std::string to_string(const event_id& id);
bool parse(std::string_view text, event_id& out) noexcept;

/// A field of an event of a session's life, beside those that all of its kind
/// have.
struct event_field {
  enum class type : std::uint8_t { text, flag, number, list };
  std::string name;
  type what = type::text;
  std::string text;
  std::int64_t number = 0; // of a flag: 0 or 1
  std::vector<std::string> list;
  friend bool operator==(const event_field&, const event_field&) = default;
};

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, event_field& x) {
  return f(caf::meta::type_name("event_field"), x.name, x.what, x.text,
           x.number, x.list);
}

/// An event of a session's life as the store's outbox keeps it: what was
/// announced with a change of the session, in one transaction with that change.
/// It becomes JSON where it goes out.
struct session_event {
  std::uint64_t version = 0; // of the record that the change made
  event_kind kind = event_kind::session_created;
  unix_ms time = 0;
  std::vector<event_field> fields;
  friend bool operator==(const session_event&, const session_event&) = default;
};

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, session_event& x) {
  return f(caf::meta::type_name("session_event"), x.version, x.kind, x.time,
           x.fields);
}

/// What a watcher wants to see.
struct event_filter {
  kind_set kinds = 0;  // 0: all
  std::string exec_id; // empty: all; else only events of that exec
  bool accepts(event_kind kind, std::string_view exec) const noexcept {
    return (kinds == 0 || (kinds & bit(kind)) != 0)
           && (exec_id.empty() || exec_id == exec);
  }
  bool accepts_all() const noexcept {
    return kinds == 0 && exec_id.empty();
  }
};

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, event_filter& x) {
  return f(caf::meta::type_name("event_filter"), x.kinds, x.exec_id);
}

/// One event inside a batch's text.
struct event_slice {
  std::uint64_t seq = 0;
  event_kind kind = event_kind::stream_gap;
  std::string exec_id;     // empty for events of no exec
  std::uint32_t begin = 0; // where its text starts; it ends where the next one
                           // starts, or with the text
};

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, event_slice& x) {
  return f(caf::meta::type_name("event_slice"), x.seq, x.kind, x.exec_id,
           x.begin);
}

/// Consecutive events, encoded once as text/event-stream and shared by all who
/// watch. `after` is the seq before the first one, so a watcher sees whether
/// the batch continues what it has.
struct event_batch {
  std::uint64_t after = 0;
  std::uint64_t last = 0;
  bool end = false; // `session.ended` is the last one: nothing will follow
  shared_text text;
  std::vector<event_slice> slices;
};

template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, event_batch& x) {
  return f(caf::meta::type_name("event_batch"), x.after, x.last, x.end, x.text,
           x.slices);
}

} // namespace greenroom
