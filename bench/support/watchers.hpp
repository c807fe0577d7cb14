// Many watchers of one event stream, in one thread: each a connection that
// reads all it gets, and counts.
//
// Each watcher is checked: its ids follow one another without a hole or a
// repetition, so that what is counted was really delivered once. Throws
// std::runtime_error where that is not so, and if nothing comes for long.
#pragma once

#include "bench/support/http.hpp"

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace greenroom::bench {

/// What all watchers got of one command.
struct delivery {
  std::uint64_t events = 0; // exec.output, of all watchers together
  std::uint64_t lines = 0;  // of output, likewise
  std::uint64_t bytes = 0;  // of the streams, likewise
  double seconds = 0;       // from the first such event to the last one's end
};

class watchers {
public:
  /// Connects, asks, and waits until every stream has begun.
  watchers(std::uint16_t port, std::size_t count, const std::string& request);

  /// Reads until every watcher has seen the end of a command, which must be
  /// the same for all.
  delivery until_exit();

private:
  enum class part : std::uint8_t { head, size, text, text_end };

  struct watcher {
    unique_fd socket;
    part at = part::head;
    std::size_t left = 0; // of a chunk's text
    std::string line;     // of which the end has not come
    std::uint64_t first_seq = 0;
    std::uint64_t seq = 0;
    std::uint64_t events = 0;
    std::uint64_t lines = 0;
    std::uint64_t bytes = 0;
    bool begun = false;
    bool output = false; // the event at hand is one
    bool exited = false;
  };

  template <class Done>
  void read_until(Done done);
  void read(watcher& from);
  void take(watcher& from, std::string_view bytes);
  void take_text(watcher& from, std::string_view text);
  void take_line(watcher& from, std::string_view line);
  void take_id(watcher& from, std::string_view id);
  void check_same() const;

  std::vector<watcher> all_;
  unique_fd poll_;
  std::vector<char> buffer_;
  std::size_t begun_ = 0;
  std::size_t exited_ = 0;
  std::chrono::steady_clock::time_point now_;
  std::chrono::steady_clock::time_point first_;
  bool any_ = false;
};

} // namespace greenroom::bench
