// The requests that a session has taken and not answered yet.
//
// Each has a ticket, by which the machine speaks of it, and what its answer
// needs: the promise, and what the client has sent. It is answered once: `take`
// and `refuse` remove it.
//
// Each also has a deadline, by which its asker has given up. One that is still
// there some time after that is logged, once, and counted until it is answered.
//
// Owned by the session's actor, and for that actor alone.
#pragma once

#include "actors/base/overdue_requests.hpp"
#include "messages/session.hpp"

#include <caf/typed_response_promise.hpp>

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace greenroom {

namespace pending {

struct created {
  static constexpr const char* what = "create";
  caf::typed_response_promise<session_record> promise;
};
struct extended {
  static constexpr const char* what = "extend";
  caf::typed_response_promise<session_view> promise;
};
struct checkin {
  static constexpr const char* what = "check-in";
  caf::typed_response_promise<checkin_reply> promise;
};
struct termination {
  static constexpr const char* what = "termination";
  caf::typed_response_promise<terminate_reply> promise;
};
struct exec { // to start, to end, or to be sent a signal
  static constexpr const char* what = "exec";
  caf::typed_response_promise<exec_view> promise;
  std::chrono::milliseconds wait{0}; // for its end
};
struct page { // of execs
  static constexpr const char* what = "list of execs";
  caf::typed_response_promise<exec_page> promise;
  list_execs what_to_list;
};
struct input { // bytes, or a terminal's size
  static constexpr const char* what = "input";
  caf::typed_response_promise<done> promise;
  std::string exec_id;
  shared_text data;
};
struct token {
  static constexpr const char* what = "token";
  caf::typed_response_promise<session_token> promise;
  std::string secret; // to be handed out once it counts
};
struct transfer {
  static constexpr const char* what = "transfer";
  caf::typed_response_promise<transfer_grant> promise;
  git_edge_actor edge;
};
struct question { // to git
  static constexpr const char* what = "question to git";
  caf::typed_response_promise<git_answer> promise;
  ask_git what_to_ask;
};

struct connection {
  static constexpr const char* what = "connection to a port";
  caf::typed_response_promise<port_connection> promise;
};

struct noted { // that the upstream has the rescue refs
  static constexpr const char* what = "note of rescue refs";
  caf::typed_response_promise<done> promise;
};

using request =
  std::variant<created, extended, checkin, termination, exec, page, input,
               token, transfer, question, connection, noted>;

} // namespace pending

class pending_requests {
public:
  using clock = std::chrono::steady_clock;
  using ticket = std::uint64_t;

  /// How long after its deadline a request counts as overdue.
  static constexpr std::chrono::seconds slack{30};

  pending_requests() = default;
  pending_requests(const pending_requests&) = delete;
  pending_requests& operator=(const pending_requests&) = delete;
  ~pending_requests();

  /// Where overdue requests are counted; may be null.
  void count_in(overdue_requests* counter) noexcept {
    counter_ = counter;
  }

  /// Tickets are greater than this one. Runners, which outlive an actor, are
  /// told of tickets: those of the session's next actor have to be others.
  void begin_after(ticket last) noexcept {
    last_ = last;
  }

  ticket add(pending::request what, clock::time_point deadline);

  /// The request, to be answered now. Nothing where it is of another kind or
  /// has been answered.
  template <class Kind>
  std::optional<Kind> take(ticket who) {
    if (find<Kind>(who) == nullptr)
      return std::nullopt;
    return std::get<Kind>(remove(who).what);
  }

  template <class Kind>
  Kind* find(ticket who) {
    auto found = entries_.find(who);
    return found == entries_.end() ? nullptr
                                   : std::get_if<Kind>(&found->second.what);
  }

  /// Calls `f(ticket, Kind&)` for all of that kind.
  template <class Kind, class F>
  void each(F f) {
    for (auto& [who, entry] : entries_)
      if (auto* request = std::get_if<Kind>(&entry.what))
        f(who, *request);
  }

  bool contains(ticket who) const {
    return entries_.contains(who);
  }
  bool empty() const noexcept {
    return entries_.empty();
  }

  void refuse(ticket who, const caf::error& why);
  void refuse_all(const caf::error& why);

  /// What each request is that has become overdue since the last time.
  /// `may_wait` says that it may go on waiting.
  template <class F>
  std::vector<std::string> newly_overdue(clock::time_point now, F may_wait) {
    std::vector<std::string> result;
    for (auto& [who, entry] : entries_)
      if (!entry.overdue && entry.deadline + slack <= now
          && !may_wait(entry.what))
        result.push_back(report(entry, now));
    return result;
  }

private:
  struct held {
    pending::request what;
    clock::time_point deadline;
    bool overdue = false;
  };

  held remove(ticket who);
  std::string report(held& late, clock::time_point now);
  void count(std::int64_t change) const noexcept;

  std::map<ticket, held> entries_;
  ticket last_ = 0;
  overdue_requests* counter_ = nullptr;
};

} // namespace greenroom
