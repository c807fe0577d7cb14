// One event stream's way out to its client.
//
// Shared by a watcher, which runs on the scheduler, and the stream table of the
// HTTP thread that holds the connection. A watcher's calls may come from any
// thread: they only post, and all else happens on the HTTP thread. The watcher
// hears `sink_written` after each write that it asked for, and `sink_closed`
// once when the stream is over for a reason of the edge's: the client left, its
// key was revoked or has expired, or the server stops.
//
// Bound: a watcher has one write in flight, so what a client does not read
// stays in the session's log.
#pragma once

#include "http/exchange.hpp"
#include "messages/actors.hpp"

#include <chrono>
#include <memory>
#include <string>
#include <vector>

namespace greenroom::http {

class loop;

/// The kernel has taken what was written.
struct sink_written {};
GREENROOM_INSPECT(sink_written)

/// The stream is over; nothing that is written will be sent.
struct sink_closed {};
GREENROOM_INSPECT(sink_closed)

/// A watcher's reminder to itself to look for its session again.
struct look_again {};
GREENROOM_INSPECT(look_again)

using stream_actor = watcher_actor::extend<caf::reacts_to<sink_written>,
                                           caf::reacts_to<sink_closed>,
                                           caf::reacts_to<look_again>>;

class sink : public std::enable_shared_from_this<sink> {
public:
  using clock = std::chrono::steady_clock;

  explicit sink(exchange_ptr ex);

  // -- for the watcher, any thread --------------------------------------------

  /// Answers the request with an error, or with 204, instead of a stream.
  void refuse(refusal why);
  void no_content();

  /// Sends the head and the parts.
  void open(std::vector<slice> parts);

  /// Sends the parts. One at a time: the next after sink_written.
  void write(std::vector<slice> parts);

  /// Ends the stream after what was written.
  void end();

  // -- for the stream table, HTTP thread --------------------------------------

  void attach(stream_actor watcher);

  /// Lets go of the connection and tells the watcher.
  void close();

  /// Heartbeat, and the end where the key has expired by `wall`.
  void tick(clock::time_point now, unix_ms wall);

  bool over() const noexcept {
    return ex_ == nullptr;
  }
  const std::string& key_id() const noexcept {
    return key_id_;
  }
  std::uint64_t connection_id() const noexcept {
    return connection_id_;
  }

private:
  void post(void (*what)(sink&, std::vector<slice>&&),
            std::vector<slice> parts = {});
  void send(std::vector<slice> parts);
  void done();

  loop& loop_;
  const std::string key_id_;
  const unix_ms expires_at_;
  const std::uint64_t connection_id_;

  // Touched on the HTTP thread only.
  exchange_ptr ex_; // null: over
  std::unique_ptr<body_writer> body_;
  stream_actor watcher_;
  bool writing_ = false;
  clock::time_point last_write_;
};

} // namespace greenroom::http
