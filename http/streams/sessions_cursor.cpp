#include "http/streams/sessions_cursor.hpp"

#include "messages/errors.hpp"
#include "messages/events.hpp"
#include "messages/ids.hpp"

#include <charconv>
#include <optional>

namespace greenroom::http {

namespace {

/// No session's id is that short.
constexpr std::string_view of_projects = "p";

/// How the data of an event begins, which are a line.
constexpr std::string_view before_time = R"(data: {"time":")";

template <class Number>
std::optional<Number> number_of(std::string_view text) {
  Number result = 0;
  auto end = text.data() + text.size();
  auto read = std::from_chars(text.data(), end, result);
  if (text.empty() || read.ec != std::errc{} || read.ptr != end)
    return std::nullopt;
  return result;
}

} // namespace

std::string to_string(const sessions_cursor& cursor) {
  auto result = std::to_string(cursor.time);
  if (cursor.project_event)
    result += '.' + std::string{of_projects} + '-'
              + std::to_string(*cursor.project_event);
  for (auto& [session, seq] : cursor.seen)
    result += '.' + session + '-' + std::to_string(seq);
  return result;
}

sessions_cursor parse_sessions_cursor(std::string_view name,
                                      std::string_view text) {
  auto bad = [&] {
    return refused(errc::bad_request,
                   std::string{name}
                     + " must be the id of an event of this stream");
  };
  sessions_cursor result;
  auto dot = text.find('.');
  auto time = number_of<unix_ms>(text.substr(0, dot));
  if (!time || *time < 0)
    throw bad();
  result.time = *time;
  while (dot != text.npos) {
    text.remove_prefix(dot + 1);
    dot = text.find('.');
    auto one = text.substr(0, dot);
    auto dash = one.find('-');
    auto session = one.substr(0, dash);
    if (dash == one.npos)
      throw bad();
    auto seq = number_of<std::uint64_t>(one.substr(dash + 1));
    if (!seq)
      throw bad();
    if (session == of_projects && !result.project_event) {
      result.project_event = *seq;
      continue;
    }
    if (!is_id(session) || result.seen.size() == max_sessions_of_cursor)
      throw bad();
    result.seen[std::string{session}] = *seq;
  }
  return result;
}

std::string
with_ids(std::string_view text,
         const std::function<std::string(std::uint64_t seq)>& id_after,
         const old_events& old) {
  std::string result;
  std::size_t begin = 0; // of the event in the result
  std::string_view time; // of it
  auto in_event = false;
  auto is_old = false;
  while (!text.empty()) {
    auto end = text.find('\n');
    auto line = text.substr(0, end);
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
    if (line.starts_with(":") || line.starts_with("retry:"))
      continue;
    if (!in_event) {
      begin = result.size();
      time = {};
      is_old = false;
    }
    event_id id;
    if (line.starts_with("id: ") && parse(line.substr(4), id)) {
      if (!in_event)
        continue;
      is_old = id.seq <= old.last && !time.empty() && time < old.before;
      if (!is_old || id.seq == old.last) {
        result += "id: ";
        result += id_after(id.seq);
      }
    } else {
      if (line.starts_with(before_time))
        time = line.substr(before_time.size(), old.before.size());
      result += line;
    }
    result += '\n';
    in_event = !line.empty();
    if (!in_event && is_old)
      result.resize(begin);
  }
  return result;
}

} // namespace greenroom::http
