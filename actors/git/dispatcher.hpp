// Blocking work on repositories: mirrors, checkouts, check-ins, merges.
//
// Two pools of threads for all projects of the node: one speaks to upstreams,
// the other never does, so that a slow upstream holds up nobody who only asks
// or needs a checkout. Of one project a single request at a time speaks to its
// upstream, in order of arrival; the others wait without a thread. So a dead
// upstream costs one thread, for the time-outs of runtime/git, and merges never
// meet. Only checkouts that are restored do not wait for one another: their
// sessions ask for a few at a time.
//
// Upstreams are asked at most once in a few seconds per project, however many
// sessions are created.
#pragma once

#include "messages/git.hpp"
#include "runtime/git/session/git_service.hpp"

#include <caf/typed_event_based_actor.hpp>

#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <memory>

namespace greenroom {

/// The state of the actor that hands requests to the two pools.
struct git_desk {
  struct job {
    std::function<void(bool late)> run; // late: only to be answered
    std::chrono::steady_clock::time_point since;
  };

  struct lane {
    bool busy = false;
    std::deque<job> waiting;
  };

  git_actor upstream;
  git_actor local;
  std::map<std::string, lane> lanes; // by project id
  const char* name = "git-workers";
};

/// `workers` threads in each pool. `queue` requests may wait for a thread that
/// does without upstreams, and as many for each project's upstream; what is
/// more is refused with `overloaded`.
git_actor::behavior_type
git_dispatcher(git_actor::stateful_pointer<git_desk> self,
               const std::shared_ptr<git_service>& work, std::size_t workers,
               std::size_t queue);

} // namespace greenroom
