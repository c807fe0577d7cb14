#include "http/client/event_parser.hpp"

#include <utility>

namespace greenroom::http::client {

void event_parser::feed(std::string_view bytes) {
  rest_ += bytes;
  std::size_t begin = 0;
  while (true) {
    auto end = rest_.find('\n', begin);
    if (end == std::string::npos)
      break;
    std::string_view line{rest_.data() + begin, end - begin};
    if (line.ends_with('\r'))
      line.remove_suffix(1);
    take_line(line);
    begin = end + 1;
  }
  rest_.erase(0, begin);
}

void event_parser::take_line(std::string_view line) {
  if (line.empty()) {
    last_id_ = pending_id_;
    if (has_data_) {
      event_.id = last_id_;
      ready_.push_back(std::move(event_));
    }
    event_ = {};
    has_data_ = false;
    return;
  }
  auto colon = line.find(':');
  auto name = line.substr(0, colon);
  auto value = colon == std::string_view::npos ? std::string_view{}
                                               : line.substr(colon + 1);
  if (value.starts_with(' '))
    value.remove_prefix(1);
  if (name == "data") {
    if (std::exchange(has_data_, true))
      event_.data += '\n';
    event_.data += value;
  } else if (name == "event") {
    event_.type = value;
  } else if (name == "id") {
    pending_id_ = value;
    // Before an event it is not that event's: our events end with theirs.
    if (!has_data_ && event_.type.empty())
      last_id_ = pending_id_;
  }
}

std::optional<server_event> event_parser::next() {
  if (ready_.empty())
    return std::nullopt;
  auto result = std::move(ready_.front());
  ready_.pop_front();
  return result;
}

void event_parser::restart() {
  rest_.clear();
  event_ = {};
  has_data_ = false;
  pending_id_ = last_id_;
}

} // namespace greenroom::http::client
