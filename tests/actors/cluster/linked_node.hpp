// Nodes of a cluster that are nothing but their links, in one process: an actor
// system each, real sockets between them, and a directory that says whose it
// is and has sessions that are nothing but actors.
#pragma once

#include "actors/cluster/links.hpp"
#include "tests/support/cluster_certificates.hpp"
#include "tests/support/eventually.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/scoped_actor.hpp>

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace greenroom::test {

class linked_node {
public:
  linked_node(cluster_certificates& certificates, const std::string& name);
  ~linked_node();

  node_record record() const;

  /// Tells its links of these nodes.
  void meet(const std::vector<linked_node*>& nodes);

  /// Empty where the node is not reachable; `why` says why not.
  std::optional<greenroom::linked_node> find(const std::string& node,
                                             std::string* why = nullptr);
  greenroom::linked_node await(const std::string& node);

  caf::actor_system& system() {
    return *system_;
  }
  const directory_actor& directory() const {
    return directory_;
  }
  links_actor links_handle() const {
    return caf::actor_cast<links_actor>(links_);
  }

  /// Gives it a session: get_session answers with the node's name, watchers get
  /// an event of the sequence N for each clock_tick{N}.
  void host(const std::string& session_id);

  struct hosting {
    std::mutex mutex;
    std::map<std::string, session_actor> sessions;
    int watchers = 0;                              // registered at sessions
    std::vector<std::string> shared;               // what share_keys named
    std::map<std::string, placement_rules> placed; // by project
    std::vector<std::uint64_t> taken;              // by watchers, as they say
    std::atomic<std::size_t> padding = 0;          // of the text of events
    int changes = 0;                               // of projects
    std::vector<std::string> dropped; // sessions' left work, and by whom
  };
  hosting& hosted() {
    return *hosted_;
  }
  int watchers();
  std::vector<std::string> shared();
  shared_registry_actor registry() const {
    return registry_;
  }
  void drop(const std::string& session_id);

private:
  std::string name_;
  std::string incarnation_;
  std::unique_ptr<caf::actor_system_config> settings_;
  std::unique_ptr<caf::actor_system> system_;
  std::shared_ptr<peer::mesh> mesh_;
  std::shared_ptr<hosting> hosted_ = std::make_shared<hosting>();
  directory_actor directory_;
  shared_registry_actor registry_;
  links_core links_;
  std::uint16_t port_ = 0;
};

/// Tells each of all, and waits until each is reachable by each.
void link_all(const std::vector<linked_node*>& nodes);

} // namespace greenroom::test
