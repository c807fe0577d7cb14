#include "actors/cluster/lease_store.hpp"

#include "actors/base/error_boundary.hpp"
#include "actors/cluster/machine/member.hpp"
#include "runtime/base/steady_ms.hpp"
#include "runtime/store/projects.hpp"
#include "runtime/store/sessions.hpp"

#include <algorithm>

namespace greenroom {

namespace {

std::map<std::string, placement_rules> rules(store::connection& db) {
  std::map<std::string, placement_rules> result;
  for (auto& project : store::projects(db))
    result[project.id] = std::move(project.placement);
  return result;
}

// Without what waits for a lost node that owns it, and what cannot be read: its
// rules may say that it waits, and where it may go.
kept_lease look(store::connection& db) {
  kept_lease result{true, store::nodes(db), store::owners(db), rules(db)};
  auto lost = store::lost_nodes(db);
  auto is_free = [&](const owner_record& owner) {
    auto node = std::ranges::find(result.nodes, owner.node, &node_record::name);
    return node == result.nodes.end() || node->lease_left <= 0;
  };
  std::erase_if(result.owners, [&](const owner_record& owner) {
    auto rule = result.rules.find(owner.project_id);
    return is_free(owner)
           && (rule == result.rules.end()
               || cluster::waits_for_owner(owner, rule->second, lost));
  });
  return result;
}

kept_lease keep(lease_store_state& state, const keep_lease& x) {
  auto& db = *state.connection;
  auto& node = state.self;
  const auto begun = steady_ms();
  node.node.incarnation = x.incarnation;
  if (x.joins)
    store::join(db, node);
  else if (!store::renew(db, node.node.name, x.incarnation, node.lease, x.load))
    return {};
  auto result = look(db);
  auto delay = cluster::delay_of(node.node.name, result.owners, result.rules);
  state.run_lease->write(runner::run_lease_of(begun, node.lease, delay));
  return result;
}

// It also holds where the lease is lost and begun anew.
void declare(store::connection& db, node_record& self, node_state state) {
  if (!store::set_node_state(db, self.name, state))
    throw refused(errc::unavailable,
                  "node " + self.name + " is not in the store, try again");
  self.state = state;
}

project_record read_project(store::connection& db, const std::string& id) {
  auto all = store::projects(db);
  auto found = std::ranges::find(all, id, &project_record::id);
  if (found == all.end())
    throw refused(errc::not_found, "project not found");
  return std::move(*found);
}

session_record read_session(store::connection& db, const std::string& id) {
  auto found = store::find_session(db, id);
  if (!found)
    throw refused(errc::not_found, "session not found");
  return std::move(*found);
}

void take(store::connection& db, node_record taker, const take_projects& x) {
  taker.incarnation = x.incarnation;
  store::take_over(db, taker, x.projects);
}

auto read_owner(store::connection& db, const find_owner& x) {
  auto owner = store::owner_of(db, x);
  if (!owner)
    throw refused(errc::not_found, x.session_id.empty() ? "project not found"
                                                        : "session not found");
  return std::move(*owner);
}

} // namespace

full_lease_store_actor::behavior_type
lease_store(full_lease_store_actor::stateful_pointer<lease_store_state> self,
            std::shared_ptr<std::unique_ptr<store::connection>> connection,
            store::joining node, const std::filesystem::path& data_dir) {
  self->state.connection = std::move(*connection);
  self->state.self = std::move(node);
  self->state.run_lease = std::make_unique<runner::run_lease_writer>(data_dir);
  auto& db = *self->state.connection;
  return {
    [self](const keep_lease& x) {
      return guarded("renewing the lease",
                     [&] { return keep(self->state, x); });
    },
    [self, &db](const take_projects& x) {
      return guarded("taking projects over",
                     [&] { take(db, self->state.self.node, x); });
    },
    [&db](list_nodes) {
      return guarded("listing nodes",
                     [&] { return node_list{store::nodes(db)}; });
    },
    [&db](const find_owner& x) {
      return guarded("finding an owner", [&] { return read_owner(db, x); });
    },
    [&db](list_owners) {
      return guarded("listing owners", [&] {
        return owner_list{store::owners(db), rules(db)};
      });
    },
    [self, &db](const declare_state& x) {
      return guarded("saying what the node takes", [&] {
        declare(db, self->state.self.node, x.state);
        return done{};
      });
    },
    [self, &db](const give_project& x) {
      return guarded("giving a project away", [&] {
        auto& name = self->state.self.node.name;
        return given_project{store::hand_over(db, name, x.project, x.to)};
      });
    },
    [&db](const load_session& x) {
      return guarded("reading a session",
                     [&] { return read_session(db, x.session_id); });
    },
    [&db](const get_project& x) {
      return guarded("reading a project",
                     [&] { return read_project(db, x.project_id); });
    },
  };
}

} // namespace greenroom
