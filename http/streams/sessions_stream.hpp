// The events of several sessions on one connection, with one cursor.
//
// Each session has a stream of its own, as if it were watched alone
// (sse_stream.hpp), that writes into this one instead of a connection: so what
// a slow client does not take stays on disk, per session, and gaps, filters and
// sessions that go down are what they are there. This one gives events the
// cursor of all as their id, and sends what its sessions have written, one
// write at a time.
//
// A session whose node does not answer holds nothing up: it is looked for again
// and again, and has the rest of its events sent when it is found. Where it had
// no place in the cursor before, that is what is younger than the stream, or
// than the cursor that was resumed from, by the clock of its node. Until then
// the cursor's time stays behind, for some minutes at most.
//
// Which sessions there are is looked up when it begins and whenever some may
// have come. It goes on until its client leaves or its key is dead; where the
// first list does not come, the client is told to try again. At most
// max_sessions_of_cursor at a time; more are left out until others have ended,
// and how many is said in a comment. With that list comes what happened outside
// the life of any session (runtime/store/project_events.hpp), which is sent
// among the rest; what happens on this node is looked for at once, the rest
// every look_period.
//
// Owned by its thread's response_registry; used on the HTTP thread only.
#pragma once

#include "http/edge/exchange.hpp"
#include "http/streams/response_registry.hpp"
#include "http/streams/sessions_cursor.hpp"
#include "http/streams/sse_stream.hpp"
#include "messages/events.hpp"
#include "messages/operations.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace greenroom::http {

/// What a client wants to see.
struct sessions_watch {
  /// Of a filter: what is an event of no session, as webhook.disabled.
  static constexpr kind_set of_webhooks = kind_set{1} << 31;

  std::vector<std::string> projects; // empty: all
  std::vector<std::string> sessions; // empty: all
  event_filter filter;
  bool earliest = false; // of those that live, from their beginning
  std::optional<sessions_cursor> resumed;
};

class sessions_stream final
  : public long_response,
    public std::enable_shared_from_this<sessions_stream> {
public:
  sessions_stream(exchange_ptr ex, sessions_watch what);

  void begin();

  // -- long_response ----------------------------------------------------------

  void close(closing why) override;
  void tick(clock::time_point now) override;
  stream_kind kind() const noexcept override {
    return stream_kind::events;
  }

private:
  /// The id of a session that is over stays in the cursor for as long as clocks
  /// of nodes may differ: it might seem to be newer than the cursor's time.
  static constexpr millis ended_stays = 60'000;

  class member_exchange;
  class member_writer;

  struct member {
    std::shared_ptr<stream> of;
    bool opened = false;
    unix_ms since = 0; // what is older is not wanted; 0: all is
    old_events old;    // the same, once it is opened
  };

  /// What a session's stream has written, and whom to tell when it is sent.
  struct waiting {
    std::string session_id;
    std::vector<slice> parts;
    std::function<void(bool)> done;
    std::uint64_t project_event = 0; // not 0: it is this one, of no stream
    old_events old = {};
  };

  // sessions_stream.cpp
  void look();
  void found(const live_list& all);
  void not_found(const refusal& why);
  void refuse(const refusal& why);
  void take(const live_list& all);
  bool wants(const project_event& event) const;
  std::uint64_t news() const;
  bool is_known(const live_session& session) const;
  void forget_unlisted(const live_list& all);
  std::size_t places_taken() const;
  bool is_settled() const;
  void open();
  void ask_late_again();
  unix_ms cursor_time() const;
  void flush_soon();
  void flush();
  void send(std::string text);
  void written(bool taken);
  std::string id_after(const std::string& session_id, std::uint64_t seq);
  void forget_ended(unix_ms now);
  void done();

  // sessions_stream_members.cpp
  void join(const exchange_ptr& of_session, const std::shared_ptr<stream>& one);
  void add(const live_session& session);
  unix_ms begins_at() const;
  unix_ms since_of(const live_session& session) const;
  watch_start start_of(const live_session& session) const;
  void opened(const std::string& session_id);
  void write(const std::string& session_id, std::vector<slice> parts,
             std::function<void(bool)> done);
  void left(const std::string& session_id, bool for_good);

  edge& env_;
  const sessions_watch what_;

  exchange_ptr ex_; // null: it is over
  std::unique_ptr<body_writer> body_;
  sessions_cursor cursor_;
  std::unordered_map<std::string, member> members_;
  std::unordered_map<std::string, unix_ms> ended_; // and when that was sent
  // Those that have no place in the cursor yet, and since when they are wanted.
  std::unordered_map<std::string, unix_ms> awaited_;
  std::deque<waiting> queue_;
  std::vector<std::function<void(bool)>> sending_; // told when it is taken
  bool writing_ = false;
  std::size_t left_out_ = 0; // sessions, at the last look
  std::size_t said_left_out_ = 0;
  bool first_list_ = true; // has not come yet
  bool looking_ = false;
  std::uint64_t news_ = 0;  // at the last look
  std::uint64_t taken_ = 0; // the last of what no session tells
  const unix_ms begun_at_ = now_ms();
  unix_ms looked_at_ = 0;
  clock::time_point begun_;
  clock::time_point looked_;
  clock::time_point last_write_;
};

} // namespace greenroom::http
