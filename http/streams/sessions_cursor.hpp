// The cursor of a stream of several sessions: how far it is in each of them.
//
// Clients get it as the id of every event, and give it back to go on: a time,
// then for each session its id and the number of its last event. Sessions that
// are not in it are newer than its time. Of what no session tells it has the
// number of the last, too.
#pragma once

#include "messages/time.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace greenroom::http {

struct sessions_cursor {
  unix_ms time = 0;
  std::map<std::string, std::uint64_t> seen;       // by session id
  std::optional<std::uint64_t> project_event = {}; // nullopt: unknown
  friend bool operator==(const sessions_cursor&,
                         const sessions_cursor&) = default;
};

/// So many fit into the head of a request.
inline constexpr std::size_t max_sessions_of_cursor = 400;

/// Letters, digits, `.` and `-` only: good in a header and in a query.
std::string to_string(const sessions_cursor& cursor);

/// Throws refused bad_request, naming `name`, for what to_string cannot have
/// made.
sessions_cursor parse_sessions_cursor(std::string_view name,
                                      std::string_view text);

/// Of a session's events those that its watcher does not want to see: of an
/// earlier time, up to the one with this number. Those that follow are wanted
/// whatever the clock of their node says.
struct old_events {
  std::uint64_t last = 0;
  std::string before; // as events have it; empty: none is old
};

/// The events of one session's stream, with other ids: `id_after` is told the
/// number of each, in order, and says which id it is to have. Comments, `retry`
/// lines, the id that a stream begins with and what is old are left out; of the
/// latter only the last is told to `id_after`, as it ends what is to be left
/// out.
std::string
with_ids(std::string_view text,
         const std::function<std::string(std::uint64_t seq)>& id_after,
         const old_events& old = {});

} // namespace greenroom::http
