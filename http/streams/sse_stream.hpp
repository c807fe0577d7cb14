// One event stream: a client, and its cursor into a session's events.
//
//   not begun ──→ following ⇄ reading ──→ over
//
// following: it has all that the subscription of its session has got, and takes
// each batch from there, shared with all who watch. reading: it fetches what it
// lacks from the session's log, at its client's pace. It has one read and one
// write in flight. What arrives while a write is in flight waits, shared and
// bounded; beyond the bound it reads from the log again. So what a client does
// not take stays on the disk, and delays nobody.
//
// The session's first word decides what the client gets: an error, 204, or a
// stream. A stream is over when its client leaves, its key is revoked or has
// expired, the session has ended, or the server stops.
//
// Owned by its thread's response_registry and its subscription until it is
// over; used on the HTTP thread only.
#pragma once

#include "http/edge/exchange.hpp"
#include "http/edge/session_subscriber.hpp"
#include "http/streams/response_registry.hpp"
#include "messages/events.hpp"

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace greenroom::http {

class session_subscription;

/// Where a stream begins.
struct watch_start {
  enum class kind : std::uint8_t {
    unsaid,  // from now; the whole replay of a session that is over
    now,     // from now; only the end of a session that is over
    after,   // after `id`; 0-0 is the beginning
    resumed, // after `id`, which the client got last: 204 after the end
  };
  kind from = kind::unsaid;
  event_id id;
};

class stream final : public long_response,
                     public session_subscriber,
                     public std::enable_shared_from_this<stream> {
public:
  /// Text of batches that may wait behind a write.
  static constexpr std::size_t max_queued = 256 * 1024;
  /// One write of queued batches, more only where a single batch is larger.
  static constexpr std::size_t max_write = 64 * 1024;
  /// What is read from the log at once: little for slow clients, whose unread
  /// bytes are held in memory, more for quick ones while there is room for that
  /// among all.
  static constexpr std::uint32_t min_read = 16 * 1024;
  static constexpr std::uint32_t max_read = 256 * 1024;

  stream(exchange_ptr ex, watch_start start, event_filter filter);

  // -- for its subscription ---------------------------------------------------

  void standing(const event_id& last, bool ended) override;
  void live(const event_batch& batch) override;
  void read_answer(const event_batch& batch) override;
  void read_failed() override;
  void refuse(const refusal& why) override;
  bool opened() const noexcept override {
    return opened_;
  }

  /// The number of the last event that it has handed to its client.
  std::uint64_t sent() const noexcept {
    return sent_;
  }

  /// The number of the last event that is known to exist.
  std::uint64_t known() const noexcept {
    return known_;
  }

  /// The client has the session's last event.
  bool complete() const noexcept {
    return ending_ || (ended_ && sent_ >= known_);
  }

  // -- for its handler --------------------------------------------------------

  bool over() const noexcept {
    return ex_ == nullptr;
  }

  /// Joins the subscription of its session, once.
  void join(session_subscription& of);

  // -- for the stream table ---------------------------------------------------

  void close(closing why) override;
  void tick(clock::time_point now) override;
  stream_kind kind() const noexcept override {
    return stream_kind::events;
  }

private:
  /// A batch that waits for a write to end.
  struct waiting {
    std::uint64_t last = 0;
    bool end = false;
    std::size_t kept = 0; // bytes of the whole text
    std::vector<slice> parts;
  };

  std::uint64_t position() const noexcept {
    return queue_.empty() ? sent_ : queue_.back().last;
  }

  bool decide(const event_id& last);
  void no_content();
  void open(std::vector<slice> first);
  void put(std::vector<slice> parts);
  void written(bool taken);
  void flush();
  void fall_behind();
  void go_on();
  void read();
  void hold(std::size_t bytes);
  void done();
  std::vector<slice> parts_of(const event_batch& batch) const;
  slice gap_event(const event_id& last) const;

  const watch_start start_;
  const event_filter filter_;

  exchange_ptr ex_;                              // null: over
  session_subscription* subscription_ = nullptr; // lives while it has streams
  std::unique_ptr<body_writer> body_;
  bool begun_ = false;     // the session's first word has come
  bool opened_ = false;    // the head is sent
  bool following_ = false; // it wants the next batch
  bool writing_ = false;
  bool reading_ = false;
  bool ended_ = false;      // `known_` is session.ended
  bool ending_ = false;     // session.ended is sent or queued
  std::uint64_t sent_ = 0;  // the last event handed to the connection
  std::uint64_t known_ = 0; // the last event that is known to exist
  std::uint64_t epoch_ = 0; // of its session's actor
  std::deque<waiting> queue_;
  std::size_t queued_ = 0; // bytes of text that it keeps
  std::uint32_t chunk_ = min_read;
  std::size_t held_ = 0; // bytes of a read, until its client has taken them
  clock::time_point write_began_;
  clock::time_point last_write_;
};

} // namespace greenroom::http
