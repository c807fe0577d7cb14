#include "messages/events.hpp"

#include <array>
#include <charconv>

namespace greenroom {

namespace {

constexpr std::array<std::string_view, event_kind_count> names{
  "session.created", "session.extended", "session.expiring", "session.ended",
  "exec.queued",     "exec.started",     "exec.output",      "exec.exited",
  "git.pushed",      "git.committed",    "preview.ready",    "preview.gone",
  "checkin.started", "checkin.finished", "review.queued",    "review.started",
  "review.finished", "stream.gap",       "port.opened",      "port.closed",
  "session.moved",
};

bool parse_number(std::string_view text, std::uint64_t& out) noexcept {
  if (text.empty() || text.size() > 19)
    return false;
  auto [end, error] = std::from_chars(text.begin(), text.end(), out);
  return error == std::errc{} && end == text.end();
}

} // namespace

std::string_view to_string(event_kind kind) noexcept {
  return names[static_cast<std::size_t>(kind)];
}

bool parse(std::string_view text, event_kind& out) noexcept {
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i] == text) {
      out = static_cast<event_kind>(i);
      return true;
    }
  return false;
}

std::string to_string(const event_id& id) {
  return std::to_string(id.epoch) + "-" + std::to_string(id.seq);
}

bool parse(std::string_view text, event_id& out) noexcept {
  auto dash = text.find('-');
  return dash != std::string_view::npos
         && parse_number(text.substr(0, dash), out.epoch)
         && parse_number(text.substr(dash + 1), out.seq);
}

} // namespace greenroom
