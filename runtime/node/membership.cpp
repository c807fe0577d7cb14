#include "runtime/node/membership.hpp"

#include "actors/cluster/lease_store.hpp"
#include "actors/cluster/lost_sessions.hpp"
#include "messages/directory.hpp"
#include "messages/ids.hpp"
#include "runtime/base/files.hpp"
#include "runtime/base/steady_ms.hpp"
#include "runtime/base/version.hpp"
#include "runtime/config/projects.hpp"
#include "runtime/runner/protocol/run_lease.hpp"

#include <caf/actor_cast.hpp>
#include <caf/send.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <stdexcept>

namespace greenroom {

namespace {

// By it a node is known again after a restart: who has the directory, and its
// lock, is the node, whatever became of the process before.
std::string home_of(const std::filesystem::path& data_dir) {
  auto file = data_dir / "node-id";
  if (auto known = read_file(file); known && !known->empty())
    return *known;
  auto fresh = make_id();
  write_file_atomic(file, fresh, 0600, true);
  return fresh;
}

// How long commands may run by the last renewal.
millis commands_left(const std::filesystem::path& data_dir) {
  runner::run_lease_reader file{(data_dir / runner::run_lease_file).string()};
  return file.read().kill_at - steady_ms();
}

} // namespace

node_membership::node_membership(const config& settings,
                                 const std::filesystem::path& data_dir,
                                 const std::string& incarnation,
                                 const std::string& address,
                                 const std::string& http)
  : data_dir_(data_dir) {
  auto& node = self_.node;
  node.name = settings.node.name;
  node.incarnation = incarnation;
  node.address = address;
  node.http = http;
  node.version = version();
  node.labels = settings.cluster.labels;
  self_.home = home_of(data_dir);
  self_.lease = settings.cluster.timeout;
}

void node_membership::join(store::connection& db) {
  try {
    auto left = std::chrono::milliseconds{store::join(db, self_)};
    lease_before_ = std::chrono::steady_clock::now() + left;
  } catch (const refused& e) {
    throw std::runtime_error(e.what());
  }
  for (auto& one : store::owners(db))
    if (one.node == self_.node.name)
      owned_.push_back(one);
}

void node_membership::undo_join(store::connection& db) const {
  if (!lease_before_)
    return;
  auto before = std::chrono::duration_cast<std::chrono::milliseconds>(
    *lease_before_ - std::chrono::steady_clock::now());
  auto left = std::max<millis>(before.count(), 0);
  // Who waits beyond the lease does so anyway.
  if (!parts_.empty())
    left = std::max(left, std::min(self_.lease, commands_left(data_dir_)));
  store::leave(db, self_.node.name, self_.node.incarnation, left);
}

std::vector<project_record>
node_membership::owned_among(const std::vector<project_record>& all) const {
  std::vector<project_record> result;
  for (auto& project : all)
    if (std::ranges::find(owned_, project.id, &owner_record::project_id)
        != owned_.end())
      result.push_back(project);
  return result;
}

void node_membership::configure_later(std::vector<project_record> projects) {
  configured_ = std::move(projects);
}

cluster_member_actor node_membership::start(
  caf::actor_system& system, std::unique_ptr<store::connection> db,
  std::unique_ptr<store::connection> look_up_db,
  const own_directory_actor& directory,
  const session_supervisor_full& supervisor, const store_reader_actor& reader) {
  using box = std::unique_ptr<store::connection>;
  member_options options;
  options.node = self_.node.name;
  options.incarnation = self_.node.incarnation;
  options.lease = self_.lease;
  options.owned = owned_;
  options.releaser = caf::actor_cast<releaser_actor>(directory);
  options.packer = caf::actor_cast<packer_actor>(supervisor);
  options.reviews = caf::actor_cast<review_reader_actor>(reader);
  options.gate = gate_;
  options.arrival = arrival_;
  options.store = system.spawn<caf::detached>(
    lease_store, std::make_shared<box>(std::move(db)), self_, data_dir_);
  options.look_ups = system.spawn<caf::detached>(
    lease_store, std::make_shared<box>(std::move(look_up_db)), self_,
    data_dir_);
  options.adopt = [directory,
                   left = std::move(configured_)](project_record project) {
    auto mine = std::ranges::find(left, project.id, &project_record::id);
    caf::anon_send(directory, adopt_project{std::move(project)});
    if (mine != left.end())
      caf::anon_send(caf::actor_cast<directory_actor>(directory),
                     change_project{mine->id,
                                    project_to_json(*mine).dump(),
                                    {{}, "the configuration file"}});
  };
  options.stop_runners = [supervisor] {
    caf::anon_send(supervisor, stop_all_runners{});
  };
  end_lost_sessions_ =
    [&system, reader = caf::actor_cast<lost_reader_actor>(reader),
     supervisor = caf::actor_cast<session_finder_actor>(supervisor),
     node = self_.node.name](const std::string& project_id) {
      greenroom::end_lost_sessions(system, supervisor, reader,
                                   {project_id, node});
    };
  options.end_lost_sessions = end_lost_sessions_;
  parts_.push_back(caf::actor_cast<caf::actor>(options.store));
  parts_.push_back(caf::actor_cast<caf::actor>(options.look_ups));
  auto member = system.spawn(cluster_member, std::move(options));
  parts_.push_back(caf::actor_cast<caf::actor>(member));
  return member;
}

void node_membership::end_lost_sessions() const {
  for (auto& one : owned_)
    end_lost_sessions_(one.project_id);
}

} // namespace greenroom
