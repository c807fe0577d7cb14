// Messages to the log reader, and its interface.
//
// It reads timelines and exec logs from sessions' directories on a small pool
// of threads. Refuses with overloaded when its queue is full.
#pragma once

#include "messages/events.hpp"
#include "messages/inspect.hpp"
#include "messages/shared_text.hpp"

#include <caf/typed_actor.hpp>

#include <cstdint>
#include <string>

namespace greenroom {

/// What follows `after`, read from the log at the reader's own pace.
struct read_events {
  std::uint64_t after = 0;
  event_filter filter;
  std::uint32_t max_bytes = 256 * 1024;
};
GREENROOM_INSPECT(read_events, x.after, x.filter, x.max_bytes)

/// A page of the timeline as JSON, oldest first.
struct read_timeline {
  std::uint64_t after = 0;
  event_filter filter;
  std::uint32_t limit = 0; // 0: as many as fit in a page of 4 MiB
};
GREENROOM_INSPECT(read_timeline, x.after, x.filter, x.limit)

struct timeline_page {
  shared_text json;             // an array of events
  std::uint64_t next_after = 0; // 0: that was all
};
GREENROOM_INSPECT(timeline_page, x.json, x.next_after)

struct read_session_events {
  std::string session_id;
  read_events what;
};
GREENROOM_INSPECT(read_session_events, x.session_id, x.what)

struct read_session_timeline {
  std::string session_id;
  read_timeline what;
};
GREENROOM_INSPECT(read_session_timeline, x.session_id, x.what)

using log_reader_actor = caf::typed_actor<
  // The events after a cursor, encoded for streams.
  caf::replies_to<read_session_events>::with<event_batch>,
  // A page of the timeline as JSON.
  caf::replies_to<read_session_timeline>::with<timeline_page>>;

} // namespace greenroom
