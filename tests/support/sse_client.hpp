// A reader of event streams, over a socket of its own so that a test can cut
// it anywhere, or stop reading.
#pragma once

#include "runtime/base/fd.hpp"

#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace greenroom::test {

struct sse_event {
  std::string id;
  std::string type;
  nlohmann::json data;

  /// The number behind the epoch.
  std::uint64_t seq() const;
  friend bool operator==(const sse_event&, const sse_event&) = default;
};

class sse_client {
public:
  /// Sends the request and reads the answer's head. `last_event_id` empty:
  /// none is sent. Throws std::runtime_error where no answer comes.
  sse_client(std::uint16_t port, const std::string& path,
             const std::string& key, const std::string& last_event_id = {});

  int status() const noexcept {
    return status_;
  }
  /// By its name in lower case.
  std::string header(const std::string& name) const;

  /// The next event; nullopt once the stream has ended, in order or not.
  /// Throws std::runtime_error if neither comes in time.
  std::optional<sse_event> next();

  /// Events up to the first that `last` takes, or to the end.
  std::vector<sse_event>
  until(const std::function<bool(const sse_event&)>& last);
  std::vector<sse_event> rest();

  /// True once the stream has ended as a whole answer does.
  bool ended_in_order() const noexcept {
    return whole_;
  }

  /// Reads at most about so many bytes more, however they cut events, then
  /// gives the whole events among them.
  std::vector<sse_event> read_bytes(std::size_t count);

  /// Hangs up without a word.
  void cut();

  /// Comments so far: heartbeats.
  std::size_t comments() const noexcept {
    return comments_;
  }

private:
  bool fill(std::size_t at_most);
  void take_chunks();
  void take_lines();
  void take_line(const std::string& line);

  unique_fd socket_;
  std::uint16_t port_;
  std::string path_;
  int status_ = 0;
  std::map<std::string, std::string> headers_;
  std::string raw_;  // as it came, chunked
  std::string text_; // of the stream
  sse_event event_;
  std::string data_;
  std::deque<sse_event> events_;
  std::size_t comments_ = 0;
  bool chunked_ = false;
  bool ended_ = false;
  bool whole_ = false;
};

} // namespace greenroom::test
