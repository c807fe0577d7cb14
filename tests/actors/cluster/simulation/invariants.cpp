#include "tests/actors/cluster/simulation/invariants.hpp"

#include "tests/actors/cluster/simulation/store_model.hpp"

namespace greenroom::simulation {

void invariants::wrote(const session_record& before,
                       const session_record& after) const {
  require(before.epoch == after.epoch && before.node == after.node, "session ",
          after.id, ": a write went in that was not the owner's");
  require(before.version + 1 == after.version, "session ", after.id,
          ": a change was written over");
  require(is_live(before.status) || before.status == after.status, "session ",
          after.id, " is over, and goes on");
}

void invariants::acts(const std::string& node, const std::string& session_id,
                      const char* what) const {
  auto owner = store_->node_of(session_id);
  require(owner == node, "session ", session_id, ": ", what, " on node ", node,
          ", and it is ", owner, "'s");
}

void invariants::speaks(const std::string& node, bool does) const {
  require(!does || store_->has_lease(node), "node ", node,
          " speaks, and its lease is over");
}

void invariants::numbered(const std::string& node,
                          const std::string& session_id,
                          const timeline_entry& event) {
  auto of_store = event.version == 0
                    ? "on node " + node
                    : "of change " + std::to_string(event.version);
  auto what = std::string{to_string(event.kind)} + ' ' + of_store;
  auto [known, fresh] =
    numbers_.emplace(std::pair{session_id, event.id.seq}, what);
  require(fresh || known->second == what, "session ", session_id, ": event ",
          std::to_string(event.id.seq), " is ", what, " on node ", node,
          ", and was ", known->second);
}

void invariants::sent(const std::string& session_id, std::uint64_t after,
                      std::uint64_t seq) const {
  require(seq > after, "session ", session_id, ": after event ",
          std::to_string(after), " a watcher is sent ", std::to_string(seq));
}

void invariants::told_created(const session_record& made) {
  ++told_;
  created_[made.id] = made.version;
}

void invariants::told_over(const std::string& session_id) {
  ++told_;
  over_.insert(session_id);
}

void invariants::told_exec(const std::string& session_id,
                           const std::string& exec_id) {
  execs_[session_id].insert(exec_id);
}

void invariants::check() const {
  auto now = store_->changes() + told_;
  if (std::exchange(checked_, now) == now)
    return;
  for (auto& [id, project] : store_->projects()) {
    std::set<std::uint32_t> slots;
    std::set<std::string> branches;
    std::size_t live = 0;
    for (auto& [session_id, row] : store_->sessions()) {
      if (row.record.project_id != id || !is_live(row.record.status))
        continue;
      ++live;
      require(slots.insert(row.slot).second, "two sessions have a slot");
      require(branches.insert(row.record.branch).second,
              "two sessions have branch ", row.record.branch);
    }
    require(live <= project.rules.max_active_sessions, "project ", id,
            " has too many sessions");
  }
  for (auto& [id, version] : created_) {
    auto* row = store_->row_of(id);
    require(row != nullptr && row->record.version >= version, "session ", id,
            " was promised, and is not there");
  }
  for (auto& id : over_)
    require(!is_live(store_->row_of(id)->record.status), "session ", id,
            " was said to be over, and is not");
}

} // namespace greenroom::simulation
