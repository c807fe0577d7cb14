#include "tests/runtime/peer/mesh_node.hpp"

#include <spdlog/sinks/null_sink.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <atomic>
#include <utility>

namespace greenroom::test {

mesh_node::mesh_node(cluster_certificates& certificates,
                     const std::string& name, const changes& change)
  : name_(name) {
  static std::atomic<int> lives{0};
  peer::mesh_options options;
  options.node = name;
  options.cluster = "test";
  options.incarnation = std::to_string(++lives);
  options.actor_system = name;
  options.host = "127.0.0.1";
  options.tls = certificates.of(name);
  options.first_pause = std::chrono::milliseconds{10};
  options.longest_pause = std::chrono::milliseconds{100};
  if (change)
    change(options);
  auto silent = std::make_shared<spdlog::logger>(
    "mesh", std::make_shared<spdlog::sinks::null_sink_mt>());
  mesh_ = std::make_unique<peer::mesh>(std::move(options), silent);
  port_ = mesh_->listen();
  mesh_->start(listener());
}

peer::mesh_listener mesh_node::listener() {
  return {
    [this](const peer::link_info& link) {
      std::lock_guard lock{mutex_};
      links_[link.node] = link;
      ++made_;
    },
    [this](const peer::link_info& link, const std::string& why) {
      std::lock_guard lock{mutex_};
      links_.erase(link.node);
      reasons_.push_back(why);
    },
    [this](const std::string&, const std::string& why) {
      std::lock_guard lock{mutex_};
      troubles_.push_back(why);
    },
    [this](const std::string& node, const std::string& service) {
      int ends[2];
      if (service != "echo"
          || ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return unique_fd{};
      std::lock_guard lock{mutex_};
      streams_.emplace_back(node, unique_fd{ends[0]});
      return unique_fd{ends[1]};
    },
    [this](const std::string& node) {
      std::lock_guard lock{mutex_};
      arrivals_.push_back(node);
    },
  };
}

peer::link_info mesh_node::link_with(const std::string& node) {
  std::lock_guard lock{mutex_};
  auto found = links_.find(node);
  return found == links_.end() ? peer::link_info{} : found->second;
}

std::size_t mesh_node::links_made() {
  std::lock_guard lock{mutex_};
  return made_;
}

std::vector<std::string> mesh_node::reasons() {
  std::lock_guard lock{mutex_};
  return reasons_;
}

std::vector<std::string> mesh_node::troubles() {
  std::lock_guard lock{mutex_};
  return troubles_;
}

std::vector<std::string> mesh_node::arrivals() {
  std::lock_guard lock{mutex_};
  return arrivals_;
}

std::vector<std::pair<std::string, unique_fd>> mesh_node::take_streams() {
  std::lock_guard lock{mutex_};
  return std::exchange(streams_, {});
}

void introduce(const std::vector<mesh_node*>& nodes) {
  std::vector<peer::known_node> all;
  for (auto* node : nodes)
    all.push_back(node->where());
  for (auto* node : nodes)
    node->mesh().set_nodes(all);
}

void await_link(mesh_node& a, mesh_node& b) {
  await("a link", [&] {
    return a.link_with(b.where().node).number != 0
           && b.link_with(a.where().node).number != 0;
  });
}

} // namespace greenroom::test
