// Reads text/event-stream as a browser does, for what tests look at: fields
// until an empty line make an event.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace greenroom::test {

struct sse_event {
  std::string id;
  std::string type;
  std::string data;
  friend bool operator==(const sse_event&, const sse_event&) = default;
};

inline std::vector<sse_event> parse_sse(std::string_view text) {
  std::vector<sse_event> result;
  sse_event event;
  bool any = false;
  while (!text.empty()) {
    // A line ends with any of CR LF, LF and CR, so a stray CR breaks it too.
    auto end = text.find_first_of("\r\n");
    if (end == text.npos)
      throw std::runtime_error("the text ends within a line");
    auto line = text.substr(0, end);
    text.remove_prefix(text.substr(end).starts_with("\r\n") ? end + 2
                                                            : end + 1);
    if (line.empty()) {
      if (any)
        result.push_back(event);
      event = {};
      any = false;
      continue;
    }
    auto colon = line.find(": ");
    if (colon == line.npos)
      throw std::runtime_error("a line without a field");
    auto field = line.substr(0, colon);
    auto value = line.substr(colon + 2);
    any = true;
    if (field == "id")
      event.id = value;
    else if (field == "event")
      event.type = value;
    else if (field == "data")
      event.data += value;
    else
      throw std::runtime_error("unknown field " + std::string{field});
  }
  if (any)
    throw std::runtime_error("the text ends within an event");
  return result;
}

} // namespace greenroom::test
