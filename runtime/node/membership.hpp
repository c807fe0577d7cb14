// A node's place among others that share its store: its lease, and what it owns
// by it.
//
// Owned by the composition root. Where the node is alone there is none.
#pragma once

#include "actors/cluster/member.hpp"
#include "actors/directory.hpp"
#include "runtime/config/config.hpp"
#include "runtime/store/nodes.hpp"

#include <caf/actor_system.hpp>
#include <chrono>

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace greenroom {

class node_membership {
public:
  /// `address` and `http` are where other nodes reach its link and its API.
  node_membership(const config& settings, const std::filesystem::path& data_dir,
                  const std::string& incarnation, const std::string& address,
                  const std::string& http);

  /// Begins the lease, before anything of this node's is touched. Throws
  /// std::runtime_error, with a sentence, where another node has the name.
  void join(store::connection& db);

  /// Gives back what join() has begun, if it has, for a node that does not
  /// start after all: the lease is what was left of the one before, or of what
  /// start() has renewed, under which commands may still run. Not while the
  /// actors of start() are there.
  void undo_join(store::connection& db) const;

  /// The projects that are this node's since join().
  std::vector<project_record>
  owned_among(const std::vector<project_record>& all) const;

  /// What the configuration file says of projects that others have: told to the
  /// directory when one of them becomes this node's. Before start().
  void configure_later(std::vector<project_record> projects);

  /// Keeps the lease from now on, and tells the directory what it owns. Takes
  /// both connections over: that of the lease, and that of what clients ask
  /// for.
  cluster_member_actor start(caf::actor_system& system,
                             std::unique_ptr<store::connection> db,
                             std::unique_ptr<store::connection> look_up_db,
                             const own_directory_actor& directory,
                             const session_supervisor_full& supervisor,
                             const store_reader_actor& reader);

  /// When the sessions of before have their actors, after start(): those that
  /// live only to end do, as those do that come later.
  void end_lost_sessions() const;

  /// Its actors, in the order in which they were started.
  const std::vector<caf::actor>& parts() const noexcept {
    return parts_;
  }

  std::shared_ptr<const lease_gate> gate() const noexcept {
    return gate_;
  }
  const cluster::arrival& arrival() const noexcept {
    return *arrival_;
  }

private:
  std::filesystem::path data_dir_;
  store::joining self_;
  std::vector<owner_record> owned_;
  std::optional<std::chrono::steady_clock::time_point> lease_before_; // its end
  std::shared_ptr<lease_gate> gate_ = std::make_shared<lease_gate>();
  std::shared_ptr<cluster::arrival> arrival_ =
    std::make_shared<cluster::arrival>();
  std::vector<project_record> configured_; // see configure_later
  std::function<void(const std::string& project_id)> end_lost_sessions_;
  std::vector<caf::actor> parts_;
};

} // namespace greenroom
