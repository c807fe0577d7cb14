// Blocking work on repositories: mirrors, checkouts, check-ins, merges.
//
// Pools of threads for all projects of the node. One never speaks to upstreams,
// so that a slow upstream holds up nobody who only asks or needs a checkout. Of
// one project a single request at a time looks at its upstream, and another one
// saves work or merges, each in order of arrival; the others wait without a
// thread. So a dead upstream costs two threads, of two pools, for the time-outs
// of runtime/git, merges never meet, and a create does not wait until a large
// session is rescued. Two kinds do not wait for one another: checkouts that are
// restored, for which their sessions ask a few at a time, and checkpoints of
// different sessions that follow on one another in line, of which a few are
// saved at once lest a node that is drained saves hundreds one by one. Both
// have threads of their own, so that they take none of those that all projects
// share.
//
// Questions, about sessions and reviews, take as long as what lies there has
// git take: they have threads of their own too, of which one project gets some
// and one session a single one, and which projects take in turns: who has none
// under way waits for 5 s, mostly, and never behind all that another one asks
// (question_turns.hpp).
//
// Of questions about sessions one at a time has the upstream looked at for all
// that come meanwhile. Work that must not be lost because of others, a rescue,
// always gets its place, and waits longer for its turn. What moves references
// of the upstream begins only where the node has had its lease all the time
// since it was asked for it.
//
// Upstreams are asked at most once in a few seconds per project, however many
// sessions are created.
#pragma once

#include "actors/base/lease_gate.hpp"
#include "actors/git/question_turns.hpp"
#include "messages/git.hpp"
#include "runtime/git/session/git_service.hpp"

#include <caf/typed_event_based_actor.hpp>
#include <caf/typed_response_promise.hpp>

#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace greenroom {

struct git_limits {
  /// Threads in each pool.
  std::size_t workers = 4;
  /// Requests that may wait for a thread that does without upstreams, and as
  /// many in each line of a project, beside the checkpoints of its sessions;
  /// what is more is refused with `overloaded`.
  std::size_t queue = 256;

  // How long a request may wait until its project's upstream is free, and then
  // for a thread. With the 60 minutes that it may take itself, that is less
  // than whoever asks for it waits (git_timeout, rescue_timeout): nothing is
  // begun that nobody hears of. A rescue is tried once, and may wait longer.
  std::chrono::milliseconds for_upstream{std::chrono::minutes{8}};
  std::chrono::milliseconds for_thread{std::chrono::minutes{5}};
  std::chrono::milliseconds for_questions{std::chrono::seconds{30}};
  std::chrono::milliseconds share{question_share};
  std::chrono::milliseconds rescue_for_upstream{std::chrono::minutes{60}};
  std::chrono::milliseconds rescue_for_thread{std::chrono::minutes{40}};
};

/// The state of the actor that hands requests to the pools.
struct git_dispatcher_state {
  git_dispatcher_state() = default;
  git_dispatcher_state(const git_dispatcher_state&) = delete;
  git_dispatcher_state& operator=(const git_dispatcher_state&) = delete;

  struct job {
    // What it has waited for until then.
    std::function<void(std::chrono::steady_clock::duration waited)> run;
    std::chrono::steady_clock::time_point since;
    // The session that it saves a checkpoint of, or what it is a question
    // about; empty: it runs alone.
    std::string of = {};
  };

  struct running_job {
    std::string of;
    std::chrono::steady_clock::time_point began;
  };

  struct project_queue {
    bool busy = false;                // with one that runs alone
    std::vector<running_job> running; // others, by what they are of
    std::deque<job> waiting;
    std::chrono::steady_clock::time_point ended{}; // the last of those
  };

  /// What only looks at a project's upstream, what saves and merges, and what
  /// asks about its sessions and reviews.
  enum class line_kind : std::uint8_t { looks, saves, questions };

  /// Who stands in one line.
  struct line {
    std::string project_id;
    line_kind kind = line_kind::saves;
    friend auto operator<=>(const line&, const line&) = default;
  };

  using news_promise = caf::typed_response_promise<found_target>;

  git_actor looks;
  git_actor upstream;
  git_actor local;
  git_actor questions;
  git_actor restores;    // null before the first
  git_actor checkpoints; // likewise
  git_limits limits;
  std::map<line, project_queue> queues;
  // Likewise: who waits for the look at the upstream that is under way.
  std::map<std::string, std::vector<news_promise>> news;
  std::shared_ptr<git_service> work;
  std::string hurried; // the key of the question that has to end; empty: none
  const char* name = "git-workers";
};

// Of one project: they leave a thread to others.
inline constexpr std::size_t most_checkpoints_at_once = 3;
inline constexpr std::size_t most_questions_at_once = 3;

/// Where the node has a `gate`, what moves references looks at it.
git_actor::behavior_type
git_dispatcher(git_actor::stateful_pointer<git_dispatcher_state> self,
               const std::shared_ptr<git_service>& work,
               const git_limits& limits,
               const std::shared_ptr<const lease_gate>& gate);

} // namespace greenroom
