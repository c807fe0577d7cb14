// What a node has besides, where it is one of several: its links, and the
// actors that stand before its own directory and key registry.
//
// Owned by the composition root; needs an actor system with a middleman. Others
// have none of it.
#pragma once

#include "actors/cluster/links.hpp"
#include "messages/cluster.hpp"
#include "messages/directory.hpp"
#include "messages/keys.hpp"
#include "runtime/config/config.hpp"

#include <caf/actor_system.hpp>

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace greenroom::http {
class peer_connections;
struct peers;
} // namespace greenroom::http

namespace greenroom {

class metrics_page;

class node_cluster {
public:
  /// Reads the certificates and binds cluster.listen. Throws
  /// std::runtime_error with a sentence.
  node_cluster(const config& settings, const std::string& incarnation,
               caf::actor_system& system);
  node_cluster(const node_cluster&) = delete;
  node_cluster& operator=(const node_cluster&) = delete;

  /// Ends all links.
  ~node_cluster();

  /// Where other nodes reach this one, HOST:PORT.
  const std::string& address() const noexcept {
    return address_;
  }

  /// What the links stand on, all of this node.
  struct own_parts {
    directory_actor directory;
    shared_registry_actor registry;
    cluster_member_actor member;
    store_reader_actor reader;
    std::function<std::vector<project_record>()> read_projects;
  };
  void start(own_parts own);

  // After start(): for who is to serve any node's sessions.
  directory_actor directory() const {
    return directory_;
  }
  key_registry_actor registry() const {
    return registry_;
  }
  std::shared_ptr<const http::peers> peers() const {
    return peers_;
  }
  links_actor links() const;

  /// Of those who asked to be let in, for /metrics.
  void add_figures(metrics_page& page) const;

  /// Other nodes' requests are served from now on, at these ports of this
  /// node's http.listen and preview.listen; 0: there is none.
  void serve(std::uint16_t api, std::uint16_t previews);

  void stop();

private:
  unique_fd connect(const std::string& service) const;

  const config& settings_;
  const std::string incarnation_;
  caf::actor_system& system_;
  std::shared_ptr<peer::mesh> mesh_;
  std::string address_;
  links_core links_;
  directory_actor directory_;
  key_registry_actor registry_;
  std::shared_ptr<const http::peers> peers_;
  std::shared_ptr<http::peer_connections> arriving_;
  std::atomic<std::uint16_t> api_port_{0};
  std::atomic<std::uint16_t> preview_port_{0};
};

} // namespace greenroom
