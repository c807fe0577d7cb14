// What the ended sessions of each project keep on this node's disk, and what of
// it goes where that is too much: output, and where nothing else is left the
// sessions themselves. Without I/O.
#pragma once

#include "messages/upkeep.hpp"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace greenroom {

/// Of one session, or review, in bytes.
struct ended_size {
  std::uint64_t output = 0; // can be dropped by itself
  std::uint64_t rest = 0;   // its timeline; goes with the session
};

class ended_output {
public:
  /// `limit`: bytes for each project.
  explicit ended_output(std::uint64_t limit) : limit_(limit) {}

  bool knows(const ended_session& session) const {
    return known_.contains(place_of(session));
  }

  /// One that has ended, and what of it is on disk; once each.
  void add(const ended_session& session, ended_size size);

  /// What has to go, in each project that has too much, and counts no more.
  struct excess {
    std::vector<std::string> outputs;  // of those that ended first
    std::vector<std::string> sessions; // that ended first, where all output of
                                       // the project has gone
  };
  excess take_excess();

  /// Nobody asks any more whether it knows those that ended before.
  void forget_before(unix_ms ended_at);

private:
  using place = std::pair<unix_ms, std::string>; // when it ended, its id

  static place place_of(const ended_session& session) {
    return {session.ended_at, session.id};
  }

  struct project {
    std::map<place, std::uint64_t> outputs; // oldest first, none is 0
    std::map<place, std::uint64_t> rests;
    std::uint64_t bytes = 0; // of all of them
  };

  static void take_oldest(std::map<place, std::uint64_t>& from,
                          std::uint64_t& bytes, std::uint64_t limit,
                          std::vector<std::string>& to);

  std::uint64_t limit_;
  std::map<std::string, project> projects_;
  std::set<place> known_;
};

} // namespace greenroom
