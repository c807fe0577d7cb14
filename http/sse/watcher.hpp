// The actor behind one event stream: a cursor into a session's events.
//
//   asking ──→ hot ⇄ reading      lost (its session went down) ──→ asking
//
// hot: the session sends each batch, shared with all who watch. reading: it
// fetches what it lacks from the session's log, at its client's pace. It has
// one request and one write in flight. What arrives while a write is in flight
// waits, shared and bounded; beyond the bound the watcher leaves the session's
// list and reads from the log again.
//
// The first answer of the session decides what the client gets: an error, 204,
// or a stream. Owned by itself: it ends with its stream.
#pragma once

#include "http/sse/sink.hpp"
#include "messages/actors.hpp"

#include <caf/typed_event_based_actor.hpp>

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace greenroom::http {

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

struct watch_task {
  std::string project_id;
  std::string session_id;
  watch_start start;
  event_filter filter;
  session_actor session;
  directory_actor directory;
  std::chrono::milliseconds look_up{5'000}; // patience for the first answer
  std::chrono::milliseconds patience{30'000};
};

class watcher final : public stream_actor::base {
public:
  /// Text of batches that may wait behind a write.
  static constexpr std::size_t max_queued = 256 * 1024;
  /// One write of queued batches, more only where a single batch is larger.
  static constexpr std::size_t max_write = 64 * 1024;
  /// What is read from the log at once: little for slow clients, whose unread
  /// bytes are held in memory, more for quick ones.
  static constexpr std::uint32_t min_read = 16 * 1024;
  static constexpr std::uint32_t max_read = 256 * 1024;

  watcher(caf::actor_config& config, std::shared_ptr<sink> out,
          watch_task task);

  const char* name() const override;

protected:
  behavior_type make_behavior() override;

private:
  enum class state : std::uint8_t { asking, hot, reading, lost, done };

  /// A batch that waits for a write to end.
  struct waiting {
    std::uint64_t last = 0;
    bool end = false;
    std::size_t kept = 0; // bytes of the whole text
    std::vector<slice> parts;
  };

  // What its session says.
  void ask();
  void standing(const watch_reply& reply);
  void open(std::vector<slice> first);
  bool decide(const watch_reply& reply);
  void read();
  void read_answer(const event_batch& batch);
  void live(const event_batch& batch);
  void failed(const caf::error& why);

  // What its client takes.
  void written();
  void put(std::vector<slice> parts);
  void flush();
  void go_on();
  void fall_behind(std::uint64_t known);

  // When its session is gone.
  void lose();
  void look();
  void found(const session_actor& session);
  void not_found(const caf::error& why);

  void refuse(const refusal& why);
  void finish();

  std::uint64_t position() const noexcept {
    return queue_.empty() ? sent_ : queue_.back().last;
  }
  /// What of a batch the client wants.
  std::vector<slice> parts_of(const event_batch& batch) const;
  slice gap_event(const event_id& last) const;

  std::shared_ptr<sink> out_;
  watch_task task_;
  state state_ = state::asking;
  bool opened_ = false;     // the head is sent
  bool writing_ = false;    // sink_written is to come
  bool asked_ = false;      // an answer of the session is to come
  bool ending_ = false;     // session.ended is sent or queued
  std::uint64_t sent_ = 0;  // the last event handed to the sink
  std::uint64_t known_ = 0; // the last event that is known to exist
  std::deque<waiting> queue_;
  std::size_t queued_ = 0; // bytes of text that it keeps
  bool reminded_ = false;  // look_again is to come
  std::uint32_t chunk_ = min_read;
  std::chrono::steady_clock::time_point write_began_;
  unsigned generation_ = 0; // grows when the session is lost: older answers
                            // count no more
  unsigned tries_ = 0;
};

} // namespace greenroom::http
