// Reads server-sent events, in whatever pieces they come.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>

namespace greenroom::http::client {

struct server_event {
  std::string id; // of this event, or the last one that had an id
  std::string type;
  std::string data;
};

class event_parser {
public:
  void feed(std::string_view bytes);

  /// The next whole event. One without data is none, as the standard says.
  std::optional<server_event> next();

  /// What a reconnect resumes after: the id of the last whole event, or one
  /// that came by itself.
  const std::string& last_id() const noexcept {
    return last_id_;
  }

  /// A new connection: what was not whole is gone, the last id stays.
  void restart();

private:
  void take_line(std::string_view line);

  std::string rest_; // of a line
  server_event event_;
  bool has_data_ = false;
  std::string pending_id_;
  std::string last_id_;
  std::deque<server_event> ready_;
};

} // namespace greenroom::http::client
