// All event streams of one HTTP thread.
//
// Belongs to that thread. One tick serves them all, so a stream costs no timer.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <unordered_map>

namespace greenroom::http {

class sink;

class stream_table {
public:
  void add(std::shared_ptr<sink> stream);

  /// Forgets a stream that is over.
  void remove(const sink& stream);

  /// Heartbeats, and the end of streams whose key has expired.
  void tick();

  /// The client of this connection has left.
  void connection_closed(std::uint64_t connection_id);

  /// Ends the streams that were opened with this key.
  void end_key(std::string_view key_id);

  void end_all();

  std::size_t size() const noexcept {
    return streams_.size();
  }

private:
  template <class Predicate>
  void close_if(Predicate matches);

  // A connection has two streams where a client sends a second request before
  // the first one's answer has ended.
  std::unordered_multimap<std::uint64_t, std::shared_ptr<sink>> streams_;
};

} // namespace greenroom::http
