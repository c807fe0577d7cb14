// Reads a session's events back from disk: for watchers that lag, replays, the
// timeline as JSON, and the session itself when it is revived.
//
// All of it works while the session goes on writing, and each call is bounded,
// in what it answers and in what it reads (4 MiB of timeline, which is some
// tens of thousands of events). Throws as timeline_reader and event_data do.
#pragma once

#include "messages/events.hpp"
#include "runtime/timeline/output_event_splitter.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>

namespace greenroom {

/// What follows `after_seq` and passes the filter; the bytes of what does not
/// pass are never read. The text ends with the event that reaches `max_bytes`.
/// `batch.last` counts the skipped ones too: ask again from there. If it is
/// `after_seq`, there was nothing more. `batch.end` is true when `batch.last`
/// is session.ended, also if the filter leaves that event out.
event_batch replay_events(const std::filesystem::path& session_dir,
                          std::string_view session_id, std::uint64_t after_seq,
                          const event_filter& filter, std::size_t max_bytes);

/// A page of the timeline as JSON.
struct timeline_text {
  std::string json;           // array of {"id", "type", "data"}
  std::uint64_t last_seq = 0; // the last event looked at: the next page's after
  bool more = false;          // there are events behind it
};

/// Like replay_events, and at most `limit` events.
timeline_text read_timeline_json(const std::filesystem::path& session_dir,
                                 std::string_view session_id,
                                 std::uint64_t after_seq, std::size_t limit,
                                 std::size_t max_bytes,
                                 const event_filter& filter);

/// The splitters of a revived session's execs, each as the timeline says how
/// far its output has been announced. Looks back no further than to the
/// exec.queued or exec.started of each exec.
std::map<std::string, output_event_splitter>
resume_splitters(const std::filesystem::path& session_dir,
                 std::span<const std::string> exec_ids);

} // namespace greenroom
