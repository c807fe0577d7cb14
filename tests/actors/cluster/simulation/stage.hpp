// What a simulated world consists of beside the actors: network, store,
// machines with their disks and runners, and who of the processes is up.
//
// A machine outlives its processes: its disk and its runners stay when the
// server is killed, and go on while it stands still.
#pragma once

#include "actors/session/journal/requests.hpp"
#include "messages/runner.hpp"
#include "runtime/runner/protocol/run_lease.hpp"
#include "tests/actors/cluster/simulation/agenda.hpp"
#include "tests/actors/cluster/simulation/chance.hpp"
#include "tests/actors/cluster/simulation/clock.hpp"
#include "tests/actors/cluster/simulation/flaws.hpp"
#include "tests/actors/cluster/simulation/invariants.hpp"
#include "tests/actors/cluster/simulation/links.hpp"
#include "tests/actors/cluster/simulation/store_model.hpp"

#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace greenroom::simulation {

inline constexpr millis lease = 6'000;

/// Of an exec, beside its session's timeline.
struct exec_files {
  exec_spec spec;
  bool sent = false;
  bool has_run = false;
  std::optional<exec_outcome> end;
};

/// A session's directory.
struct session_disk {
  std::vector<timeline_entry> timeline;
  std::uint64_t epoch = 0; // of the last actor that was here
  std::map<std::string, exec_files> execs;
  bool checkout = false;
};

/// A session's runner, while it is there.
struct runner_model {
  bool is_up = false;
  std::map<std::string, millis> execs; // when they began
  runner_user_actor user;
  int life = 0; // of the process that is attached; 0: none is
};

struct machine {
  std::string name;
  double rate = 1; // so long is a second here
  millis offset = 0;
  std::map<std::string, session_disk> disks;
  std::map<std::string, runner_model> runners;
  runner::run_lease run_lease;

  // -- its server
  bool is_up = false;
  int life = 0; // grows with each start
  millis paused_until = 0;
  millis disk_busy_until = 0;
  std::deque<agenda::task> disk_work; // that its server waits for
};

class stage {
public:
  stage(std::uint64_t seed, flaws what, std::size_t nodes);
  stage(const stage&) = delete;
  stage& operator=(const stage&) = delete;
  ~stage();

  millis steady_of(int node) const;
  clock_face face_of(int node) const;
  bool runs(int node) const;
  /// Nothing that this process began is of any use any more.
  bool is_over(int node, int life) const;

  /// Happens in the process that is there now, unless that ends first; after
  /// it stands still. Its clocks show.
  void in_process(int node, millis pause, agenda::task what);

  /// The same, behind all that its disk has to do.
  void on_disk(int node, agenda::task what);

  bool is_calm() const {
    return calm;
  }

  chance luck;
  agenda when;
  flaws planted;
  simulation::links links;
  invariants rules;
  store_model store;
  std::vector<machine> machines;
  int running = -1; // the node whose actors run; -1: none
  bool calm = false;
  std::map<std::string, std::uint64_t> checkpoints; // upstream: epochs
};

} // namespace greenroom::simulation
