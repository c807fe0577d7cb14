// How much output the ended sessions of each project keep on this node, and
// whose goes where that is too much. Without I/O.
#pragma once

#include "messages/upkeep.hpp"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace greenroom {

class ended_output {
public:
  /// `limit`: bytes for each project.
  explicit ended_output(std::uint64_t limit) : limit_(limit) {}

  bool knows(const ended_session& session) const {
    return known_.contains(place_of(session));
  }

  /// One that has ended, and what is on disk of its output; once each.
  void add(const ended_session& session, std::uint64_t bytes);

  /// Whose output has to go: in each project that has too much, of those that
  /// ended first. They count no more.
  std::vector<std::string> take_excess();

  /// Nobody asks any more whether it knows those that ended before.
  void forget_before(unix_ms ended_at);

private:
  using place = std::pair<unix_ms, std::string>; // when it ended, its id

  static place place_of(const ended_session& session) {
    return {session.ended_at, session.id};
  }

  struct project {
    std::map<place, std::uint64_t> sessions; // with output, oldest first
    std::uint64_t bytes = 0;                 // of all of them
  };

  std::uint64_t limit_;
  std::map<std::string, project> projects_;
  std::set<place> known_;
};

} // namespace greenroom
