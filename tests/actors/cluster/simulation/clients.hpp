// The clients of a simulated cluster: they ask any node for anything, repeat
// what they have no answer to, and remember what they were told.
#pragma once

#include "tests/actors/cluster/simulation/process.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace greenroom::simulation {

class clients {
public:
  /// `at` gives the process of a node, null where there is none.
  clients(stage& world, std::function<process*(int)> at)
    : stage_(world), at_(std::move(at)) {}

  /// One of them may do something.
  void act();

  /// Sessions are asked for once more of which nobody was told.
  void create_again();

  /// All is to be well by now: everything is asked once more.
  void ask_again();
  /// What of that has no answer, or nothing.
  std::string unanswered() const;

private:
  struct known_session {
    std::string id;
    std::string project;
    std::string branch;
  };
  /// Somebody who follows a session's events from node to node.
  struct follower {
    std::string session_id;
    std::uint64_t seq = 0; // all up to it is known
    int turn = 0;          // grows with each node that is asked
  };
  using handler =
    std::function<void(caf::event_based_actor*, const session_actor&)>;

  void create();
  void send_create(const known_session& what);
  void ask_session(const known_session& what, handler then);
  void run_exec(const known_session& what);
  void cancel(const known_session& what);
  void finish(const known_session& what);
  void follow(const known_session& what);
  void upset(const known_session& what);
  void drain();
  void hint();
  void send(int node, process::request what);
  int node_for(const std::string& project);
  void read_log(int node, follower& who) const;

  stage& stage_;
  std::function<process*(int)> at_;
  std::vector<known_session> sessions_;
  std::vector<std::shared_ptr<follower>> followers_;
  int last_exec_ = 0;
  std::shared_ptr<std::vector<std::string>> missing_ =
    std::make_shared<std::vector<std::string>>();
};

} // namespace greenroom::simulation
