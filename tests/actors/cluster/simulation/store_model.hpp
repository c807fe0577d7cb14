// The store of a simulated world: rows in memory, written under the conditions
// of runtime/store's SQL, each function one transaction. The database's clock
// is the world's.
#pragma once

#include "messages/cluster.hpp"
#include "messages/events.hpp"
#include "messages/moving.hpp"
#include "messages/records.hpp"
#include "tests/actors/cluster/simulation/agenda.hpp"
#include "tests/actors/cluster/simulation/flaws.hpp"
#include "tests/actors/cluster/simulation/invariants.hpp"

#include <map>
#include <optional>
#include <string>
#include <vector>

namespace greenroom::simulation {

class store_model {
public:
  struct node_row {
    node_record node;
    millis lease_until = 0; // not above 0: it was ended, or left
  };
  struct project_row {
    project_record rules;
    std::string owner;
    std::uint64_t epoch = 0;
  };
  struct session_row {
    session_record record;
    std::uint32_t slot = 0;
    std::uint64_t home_epoch = 0;
    std::vector<session_event> outbox;
    std::vector<std::pair<std::string, std::string>> notes; // exec, JSON
    std::string lost_node = {};
  };

  store_model(const agenda& when, flaws what, invariants& rules)
    : agenda_(&when), flaws_(what), rules_(&rules) {}

  void add_project(project_record rules) {
    projects_[rules.id].rules = std::move(rules);
  }

  // -- runtime/store/nodes.hpp ------------------------------------------------
  void join(const node_record& node, millis lease);
  bool renew(const std::string& name, const std::string& incarnation,
             millis lease);
  bool set_node_state(const std::string& name, node_state state);
  void take_over(const std::string& name, const std::string& incarnation,
                 const owner_record& wanted);
  bool hand_over(const std::string& as, const owner_record& project,
                 const std::string& to);
  std::vector<lost_session> lost_sessions(const std::string& project_id,
                                          const std::string& node) const;
  bool has_lease(const std::string& node) const;
  std::vector<node_record> nodes() const;
  std::vector<owner_record> owners() const;
  std::map<std::string, placement_rules> rules() const;
  /// As actors/cluster/lease_store.cpp answers a renewal.
  kept_lease look() const;
  owner_record owner_of(const find_owner& what) const;
  project_record project(const std::string& id) const;

  // -- runtime/store/sessions.hpp ---------------------------------------------
  void insert_session(const session_record& made, std::uint32_t max_active);
  void update_session(const session_record& next,
                      const std::vector<session_event>& events);
  session_record take_session(const std::string& id, const std::string& node);
  std::vector<session_record> take_live_sessions(const std::string& node);
  session_record find_session(const std::string& id) const;
  std::vector<session_record>
  live_sessions(const std::string& project_id) const;

  // -- runtime/store/execs.hpp ------------------------------------------------
  void note_exec(const greenroom::note_exec& what);
  std::vector<std::string> noted(const std::string& session_id) const;

  const std::map<std::string, session_row>& sessions() const {
    return sessions_;
  }
  /// Grows with each change of sessions.
  std::uint64_t changes() const noexcept {
    return changes_;
  }
  const session_row* row_of(const std::string& session_id) const;
  /// Of the session's project; empty: nobody's.
  std::string node_of(const std::string& session_id) const;
  const std::map<std::string, project_row>& projects() const {
    return projects_;
  }

private:
  millis left_of(const node_row& row) const;
  bool give(const owner_record& project, const std::string& to);
  void move(session_row& row, const std::string& to);

  const agenda* agenda_;
  flaws flaws_;
  invariants* rules_;
  std::uint64_t changes_ = 0;
  std::map<std::string, node_row> nodes_;
  std::map<std::string, project_row> projects_;
  std::map<std::string, session_row> sessions_;
};

} // namespace greenroom::simulation
