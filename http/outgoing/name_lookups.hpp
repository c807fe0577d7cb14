// Looks names up on threads of its own, so that a name server which does not
// answer for one name holds up a few others at most, and no event loop.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace greenroom::http {

class name_lookups {
public:
  /// Numeric addresses in the order in which they are to be tried, or why there
  /// are none.
  struct found {
    std::vector<std::string> addresses;
    std::string problem; // empty: there are some
  };
  using then = std::function<void(found)>;

  /// Asks for a name's addresses, and blocks meanwhile. Called on each of the
  /// threads.
  using resolver = std::function<found(const std::string& host)>;

  /// `ask` empty: the system's.
  explicit name_lookups(unsigned threads, resolver ask = {});
  name_lookups(const name_lookups&) = delete;
  name_lookups& operator=(const name_lookups&) = delete;
  ~name_lookups();

  /// Look-ups that wait for a thread. The one that has waited longest makes
  /// room: whoever asked for it has given up by then.
  static constexpr std::size_t max_waiting = 1024;

  /// Any thread. `then` is called on one of the threads, unless stop() comes
  /// before, or max_waiting others do.
  void look_up(std::string host, then what);

  /// After it returned nothing is called. A look-up that is under way ends by
  /// itself, whenever the system's resolver gives up.
  void stop();

private:
  struct state;
  std::shared_ptr<state> state_; // shared with the threads
};

} // namespace greenroom::http
