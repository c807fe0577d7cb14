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

/// The events of one session's stream, with other ids: `id_after` is told the
/// number of each, in order, and says which id it is to have. Comments, `retry`
/// lines and the id that a stream begins with are left out.
std::string
with_ids(std::string_view text,
         const std::function<std::string(std::uint64_t seq)>& id_after);

} // namespace greenroom::http
