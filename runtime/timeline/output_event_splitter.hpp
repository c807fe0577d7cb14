// Turns what an exec printed into exec.output events.
//
// Events follow the order of the log's index. Bytes of one stream that follow
// each other there, with nothing of another stream between them, go into one
// event, up to max_output_event bytes. Each byte is in exactly one event.
//
// No character is broken: if what there is of a stream ends in the middle of a
// UTF-8 character that more bytes could complete (1 to 3 bytes), those bytes
// are held back until the next ones of that stream come, until it is known
// that none will follow directly (bytes were lost, or finish), and then go out
// as they are. Meanwhile the other streams' events go out: of "a" and half an
// "é" on stdout, "x" on stderr, the other half on stdout, come "a", "x", "é".
// So a character has the place of its last byte.
//
// Pure but for the bytes it asks for: the last 3 of each event.
#pragma once

#include "runtime/timeline/timeline_entry.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

namespace greenroom {

/// The most bytes of output that one event carries.
inline constexpr std::uint32_t max_output_event = 16 * 1024;

/// Reads bytes of a stream; returns how many it could.
using read_output = std::function<std::size_t(
  output_stream stream, std::uint64_t offset, std::span<char> out)>;

class output_event_splitter {
public:
  /// From the beginning of an exec's log.
  explicit output_event_splitter(std::string exec_id);

  /// Goes on after an exec.output entry, as if nothing had happened since: the
  /// entry is the last one of its exec that the timeline has. Continue with
  /// take, also if there are no new records yet.
  static output_event_splitter resume(const timeline_entry& last);

  /// The events of the index records from number records() on, appended to
  /// `out`. Their ids are left 0 for the session to fill in. Their time is
  /// that of the newest record.
  void take(std::span<const output_record> records, const read_output& read,
            std::vector<timeline_entry>& out);

  /// The events of what the streams' files hold up to `ends`, where the index
  /// is damaged and tells no more. No records are taken in by it. `now` is the
  /// time of these events.
  void take_unindexed(const std::array<std::uint64_t, output_streams>& ends,
                      unix_ms now, const read_output& read,
                      std::vector<timeline_entry>& out);

  /// The exec is over and all records are taken: what is held back goes out.
  void finish(const read_output& read, std::vector<timeline_entry>& out);

  const std::string& exec_id() const noexcept {
    return exec_id_;
  }

  /// Index records taken in so far.
  std::uint64_t records() const noexcept {
    return progress_.records;
  }

  const output_progress& progress() const noexcept {
    return progress_;
  }

private:
  enum class rest { wait, release };
  void drain(output_stream stream, rest held, std::uint64_t lost,
             const read_output& read, std::vector<timeline_entry>& out);

  std::string exec_id_;
  unix_ms time_ = 0; // of the newest record
  output_progress progress_;
};

} // namespace greenroom
