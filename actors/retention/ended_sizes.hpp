// What the ended sessions and reviews of each project keep on this node's disk,
// and what of it has to go where that is too much. Without I/O.
#pragma once

#include "messages/upkeep.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace greenroom {

/// Of one of them, in bytes.
struct ended_size {
  std::uint64_t output = 0; // can be dropped by itself
  std::uint64_t rest = 0;   // its timeline; goes with the session
};

class ended_sizes {
public:
  /// `limit`: bytes for each project.
  explicit ended_sizes(std::uint64_t limit) : limit_(limit) {}

  /// One that has ended at that very time is in it.
  bool knows(const ended_session& one) const;

  /// What of it is on disk. One that has ended again takes its own place.
  void put(const ended_session& one, ended_size size);

  /// What has to go, in each project that has too much, and counts no more.
  struct excess {
    std::vector<ended_session> outputs; // of those that ended first
    std::vector<std::string> sessions;  // that ended first, where no output is
                                        // left in the project
  };
  excess take_excess();

private:
  struct entry {
    ended_session of;
    ended_size size;
  };

  std::uint64_t limit_;
  std::map<std::string, std::map<std::string, entry>> projects_; // by id
};

} // namespace greenroom
