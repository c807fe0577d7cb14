// What must hold in a simulated world at each moment. Whoever does something
// that others can see says so here; the first thing that is wrong is kept, and
// ends the history.
#pragma once

#include "messages/records.hpp"
#include "runtime/timeline/timeline_entry.hpp"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>

namespace greenroom::simulation {

class store_model;

class invariants {
public:
  void watch(const store_model& store) {
    store_ = &store;
  }

  // -- effects of a node ------------------------------------------------------

  /// The store has taken a session's change.
  void wrote(const session_record& before, const session_record& after) const;

  /// `node` does `what` for a session at this moment: a command begins, or
  /// runs, or references are about to move.
  void acts(const std::string& node, const std::string& session_id,
            const char* what) const;

  /// Whether `node` would tell clients something at this moment.
  void speaks(const std::string& node, bool does) const;

  /// `node` has given an event of a session its number. What the store has of
  /// a session that is over may get the same number on several.
  void numbered(const std::string& node, const std::string& session_id,
                const timeline_entry& event);

  /// A watcher that has all up to `after` is sent this event.
  void sent(const std::string& session_id, std::uint64_t after,
            std::uint64_t seq) const;

  // -- what clients were told -------------------------------------------------

  void told_created(const session_record& made);
  bool was_promised(const std::string& session_id) const {
    return created_.contains(session_id);
  }
  void told_over(const std::string& session_id);
  void told_exec(const std::string& session_id, const std::string& exec_id);

  // -- the store --------------------------------------------------------------

  /// Limits of projects, and all that was promised.
  void check() const;

  /// The first thing that was wrong, or nothing.
  const std::string& wrong() const {
    return wrong_;
  }
  template <class... Parts>
  void require(bool holds, const Parts&... of_what) const {
    if (!holds && wrong_.empty())
      (wrong_.append(of_what), ...);
  }

  /// Commands of which clients were told.
  const std::map<std::string, std::set<std::string>>& execs() const {
    return execs_;
  }

private:
  mutable std::string wrong_;
  mutable std::uint64_t checked_ = UINT64_MAX; // changes until then
  std::uint64_t told_ = 0;
  const store_model* store_ = nullptr;
  std::map<std::pair<std::string, std::uint64_t>, std::string> numbers_;
  std::map<std::string, std::uint64_t> created_; // version, by session
  std::set<std::string> over_;
  std::map<std::string, std::set<std::string>> execs_; // by session
};

} // namespace greenroom::simulation
