#include "runtime/peer/mesh.hpp"

#include "runtime/peer/mesh_loop.hpp"

#include <boost/asio/post.hpp>

#include <utility>

namespace greenroom::peer {

mesh::mesh(mesh_options options, std::shared_ptr<spdlog::logger> log)
  : loop_(std::make_shared<loop>(std::move(options), std::move(log))) {}

mesh::~mesh() {
  loop_->stop();
}

std::uint16_t mesh::listen() {
  return loop_->listen();
}

void mesh::start(mesh_listener listener) {
  loop_->start(std::move(listener));
}

void mesh::stop() {
  loop_->stop();
}

void mesh::set_nodes(std::vector<known_node> nodes) {
  loop_->post([to = loop_.get(), nodes = std::move(nodes)]() mutable {
    to->set_nodes(std::move(nodes));
  });
}

unique_fd mesh::take(std::uint64_t link) {
  return loop_->take(link);
}

void mesh::cut(std::uint64_t link, std::string why) {
  loop_->post(
    [to = loop_.get(), link, why = std::move(why)] { to->cut(link, why); });
}

void mesh::release(std::uint64_t link) {
  loop_->post([to = loop_.get(), link] { to->release(link); });
}

void mesh::open_stream(const std::string& node, const std::string& service,
                       opened then) {
  loop_->post(
    [to = loop_.get(), node, service, then = std::move(then)]() mutable {
      to->open_stream(node, service, std::move(then));
    });
}

mesh_counters mesh::counters() const {
  return loop_->counters();
}

} // namespace greenroom::peer
