// All answers of one HTTP thread that go on: event streams, output that is
// followed, terminals, and requests that wait for an event.
//
// Belongs to that thread. One tick serves them all, so a stream costs no timer.
#pragma once

#include "http/edge/exchange.hpp"
#include "http/wire/web_socket.hpp"
#include "messages/errors.hpp"
#include "messages/time.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

namespace greenroom::http {

class file_readers;

/// What it is to its client.
enum class stream_kind : std::uint8_t {
  events,
  output,
  terminal,
  tunnel,
  other
};

/// How many of each kind, in the order of stream_kind.
using stream_counts = std::array<std::size_t, 5>;

/// Why one is closed before its time.
enum class closing : std::uint8_t { left, revoked, expired, stopping };

/// What a client is told then whose answer has not begun.
refusal why_closed(closing why);
/// And the client of a WebSocket.
ws::close_code code_of(closing why) noexcept;

/// Whom one counts for.
struct stream_owner {
  std::string key_id;
  std::string project_id = {}; // empty: it is of no project, or of many
  std::string key_name = {};
};

/// One of them. All is called on the HTTP thread.
class long_response {
public:
  using clock = std::chrono::steady_clock;

  /// The answer to a request whose key is known.
  explicit long_response(const exchange& of);
  long_response(const long_response&) = delete;
  long_response& operator=(const long_response&) = delete;
  virtual ~long_response() = default;

  /// Lets go of the connection, and takes the stream off the table.
  virtual void close(closing why) = 0;

  /// Comes about five times in a heartbeat.
  virtual void tick(clock::time_point now) = 0;

  virtual stream_kind kind() const noexcept {
    return stream_kind::other;
  }
  /// The key that it was opened with.
  const std::string& key_id() const noexcept {
    return owner_.key_id;
  }
  const stream_owner& owner() const noexcept {
    return owner_;
  }
  bool has_expired(unix_ms now) const noexcept {
    return expires_at_ != 0 && expires_at_ <= now;
  }
  std::uint64_t connection_id() const noexcept {
    return connection_id_;
  }

private:
  const stream_owner owner_;
  const unix_ms expires_at_; // 0: never
  const std::uint64_t connection_id_;
};

/// How many such answers each key and each project has on all threads together.
/// Each holds a connection, which is a descriptor, so no key may have all of
/// them. And how many there are that hold two. Thread-safe.
class stream_shares {
public:
  struct limits {
    std::size_t of_key = 0;
    std::size_t of_project = 0; // 0: there is none
    std::size_t pairs = 0;      // of those that hold two
  };

  explicit stream_shares(const limits& most) : limits_(most) {}

  /// Throws limit_reached where the key or the project has as many as it may.
  void check(const stream_owner& owner) const;

  void add(const stream_owner& owner, stream_kind kind);
  void remove(const stream_owner& owner, stream_kind kind);

  /// The place of one more connection behind a client's, for as long as it is
  /// held. Throws limit_reached where the key has half of all, refused where
  /// there is none. Not to outlive this.
  std::shared_ptr<void> take_pair(const stream_owner& owner);

private:
  /// What a key has open, and what it is called.
  struct key_streams {
    stream_counts open{};
    std::string name;
  };
  using counts_of_keys = std::map<std::string, std::size_t>;

  void check_key(const std::string& key_id) const;
  std::string holders_of(const counts_of_keys& counts) const;
  void count_pair(const stream_owner& owner);
  void give_back_pair(const std::string& key_id) noexcept;
  void check_project(const std::string& project_id) const;

  const limits limits_;
  mutable std::mutex mutex_;
  // All under mutex_, without those that have none.
  std::size_t pairs_ = 0;
  std::unordered_map<std::string, std::size_t> pairs_of_keys_;
  std::unordered_map<std::string, key_streams> of_keys_;
  std::unordered_map<std::string, counts_of_keys> of_projects_;
};

class response_registry {
public:
  response_registry(stream_shares& shares, file_readers& files)
    : shares_(shares), files_(files) {}

  /// The threads that read for such answers.
  file_readers& files() const noexcept {
    return files_;
  }

  /// Before a stream is made of the request: throws limit_reached where its key
  /// or its project has as many as it may, refused where its connection has one
  /// of the last places. Those that ask at the same moment may all be let in.
  void admit(const exchange& ex) const;

  /// Before another connection is made for one, to be held as long as that is.
  /// Throws limit_reached where its key has as many as it may, refused where
  /// all have.
  std::shared_ptr<void> admit_pair(const exchange& ex) const;

  /// False: its key is dead, or the server stops, so it is closed already and
  /// has nothing to begin.
  [[nodiscard]] bool add(std::shared_ptr<long_response> stream);

  /// Forgets a stream that is over.
  void remove(const long_response& stream);

  /// Heartbeats, and the end of streams whose key has expired.
  void tick();

  /// The client of this connection has left.
  void connection_closed(std::uint64_t connection_id);

  /// Ends the streams that were opened with this key, and those that are
  /// added later: their requests may have been let in before.
  void end_key(std::string_view key_id);

  /// Ends all, and those that are added later.
  void end_all();

  std::size_t size() const noexcept {
    return streams_.size();
  }

  /// How much more may be read for clients ahead of what they have taken, all
  /// together. A client whose connection takes much at first may then take
  /// nothing more, and thousands of such must not hold large reads.
  std::size_t read_ahead() const noexcept {
    return max_read_ahead - std::min(held_, max_read_ahead);
  }
  /// What one of them holds changes from `before` to `now` bytes.
  void hold(std::size_t before, std::size_t now) noexcept {
    held_ += now;
    held_ -= before;
  }

private:
  static constexpr std::size_t max_read_ahead = 16 * 1024 * 1024;

  std::optional<closing> fault_of(const long_response& stream) const;
  template <class Predicate>
  void close_if(closing why, Predicate matches);

  stream_shares& shares_;
  file_readers& files_;
  // A connection has two streams where a client sends a second request before
  // the first one's answer has ended.
  std::unordered_multimap<std::uint64_t, std::shared_ptr<long_response>>
    streams_;
  std::unordered_set<std::string> dead_keys_;
  std::size_t held_ = 0; // bytes that are read and not taken
  bool ended_ = false;
};

} // namespace greenroom::http
