// The types of events, as options name them; messages/events.hpp has what they
// stand for.
#pragma once

#include <array>
#include <string_view>

namespace greenroom::http::client {

inline constexpr std::array<std::string_view, 21> event_types{
  "session.created", "session.extended", "session.expiring", "session.ended",
  "exec.queued",     "exec.started",     "exec.output",      "exec.exited",
  "git.pushed",      "git.committed",    "preview.ready",    "preview.gone",
  "checkin.started", "checkin.finished", "review.queued",    "review.started",
  "review.finished", "stream.gap",       "port.opened",      "port.closed",
  "session.moved"};

} // namespace greenroom::http::client
