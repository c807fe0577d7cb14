// Meshes of several nodes in one process: real sockets, real certificates.
#pragma once

#include "runtime/peer/mesh.hpp"
#include "tests/support/cluster_certificates.hpp"
#include "tests/support/eventually.hpp"

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace greenroom::test {

/// One node's mesh, and what it told.
class mesh_node {
public:
  using changes = std::function<void(peer::mesh_options&)>;

  mesh_node(cluster_certificates& certificates, const std::string& name,
            const changes& change = {});

  peer::known_node where() const {
    return {name_, "127.0.0.1", port_};
  }

  /// The newest link with `node` that is up; number 0: none.
  peer::link_info link_with(const std::string& node);
  std::size_t links_made();
  std::vector<std::string> reasons(); // why links went down
  std::vector<std::string> troubles();
  std::vector<std::string> arrivals(); // nodes that said that they are there
  std::vector<std::pair<std::string, unique_fd>> take_streams();

  peer::mesh& mesh() {
    return *mesh_;
  }

private:
  peer::mesh_listener listener();

  std::string name_;
  std::mutex mutex_;
  std::map<std::string, peer::link_info> links_;
  std::size_t made_ = 0;
  std::vector<std::string> reasons_;
  std::vector<std::string> troubles_;
  std::vector<std::string> arrivals_;
  std::vector<std::pair<std::string, unique_fd>> streams_;
  std::unique_ptr<peer::mesh> mesh_;
  std::uint16_t port_ = 0;
};

/// Tells each of them of all.
void introduce(const std::vector<mesh_node*>& nodes);

/// Waits for a link between the two.
void await_link(mesh_node& a, mesh_node& b);

} // namespace greenroom::test
