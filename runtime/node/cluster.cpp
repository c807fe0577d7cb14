#include "runtime/node/cluster.hpp"

#include "actors/cluster/finder.hpp"
#include "actors/cluster/shared_keys.hpp"
#include "http/edge/peers.hpp"
#include "http/server/listening.hpp"
#include "runtime/metrics/page.hpp"

#include <caf/send.hpp>
#include <netdb.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

namespace greenroom {

namespace {

// Nodes of another cluster have other certificates; this tells apart those that
// have not.
constexpr const char* cluster_name = "greenroom";

// How often a node looks whether keys were changed by one that could not say
// so.
constexpr millis reads_in_a_lease = 3;

peer::mesh_options options_for(const config& settings,
                               const std::string& incarnation,
                               const caf::actor_system& system) {
  auto& own = settings.cluster;
  if (!own.tls)
    throw std::runtime_error("cluster.listen needs cluster.tls: certificate, "
                             "key and the nodes' authority; "
                             "config/cluster/certificates.sh makes them");
  peer::mesh_options result;
  result.node = settings.node.name;
  result.cluster = cluster_name;
  result.incarnation = incarnation;
  result.actor_system = to_string(system.node());
  result.host = own.listen->host;
  result.port = own.listen->port;
  result.tls = {own.tls->cert, own.tls->key, own.tls->ca};
  result.heartbeat = std::chrono::milliseconds{own.heartbeat};
  result.timeout = std::chrono::milliseconds{own.timeout};
  return result;
}

// An address for all of the machine's is none to connect to.
std::string reachable(const std::string& host) {
  return host == "0.0.0.0" ? "127.0.0.1" : host == "::" ? "::1" : host;
}

} // namespace

node_cluster::node_cluster(const config& settings,
                           const std::string& incarnation,
                           caf::actor_system& system)
  : settings_(settings), incarnation_(incarnation), system_(system),
    mesh_(std::make_shared<peer::mesh>(
      options_for(settings, incarnation, system), spdlog::default_logger())),
    arriving_(std::make_shared<http::peer_connections>(
      http::affordable(settings.http.max_connections, true).arriving)) {
  auto port = mesh_->listen();
  address_ =
    settings.cluster.advertise.empty()
      ? to_string(endpoint{reachable(settings.cluster.listen->host), port})
      : settings.cluster.advertise;
}

node_cluster::~node_cluster() {
  stop();
}

void node_cluster::start(own_parts own) {
  auto node = settings_.node.name;
  links_ = system_.spawn(greenroom::links,
                         links_options{node, incarnation_, own.directory,
                                       own.registry, own.member, mesh_});
  directory_ = system_.spawn(
    finder, finder_options{node, own.directory, own.member, links(),
                           std::move(own.read_projects)});
  registry_ = system_.spawn(
    shared_keys, own.registry, links(),
    std::chrono::milliseconds{settings_.cluster.timeout / reads_in_a_lease});
  auto others = std::make_shared<http::peers>();
  others->node = node;
  others->member = own.member;
  others->reader = own.reader;
  others->arriving = arriving_;
  others->open = [mesh = mesh_](const std::string& to,
                                const std::string& service,
                                http::peers::opened then) {
    mesh->open_stream(to, service, std::move(then));
  };
  peers_ = std::move(others);
  mesh_->start(tell_links(
    links_, node, [this](const std::string&, const std::string& service) {
      return connect(service);
    }));
  caf::anon_send(own.member,
                 watch_nodes{caf::actor_cast<node_watcher_actor>(links_)});
}

links_actor node_cluster::links() const {
  return caf::actor_cast<links_actor>(links_);
}

void node_cluster::serve(std::uint16_t api, std::uint16_t previews) {
  api_port_ = api;
  preview_port_ = previews;
}

unique_fd node_cluster::connect(const std::string& service) const {
  auto of_previews = service == http::service::previews;
  if (!of_previews && service != http::service::api)
    return {};
  auto port = of_previews ? preview_port_.load() : api_port_.load();
  if (port == 0)
    return {};
  auto host = reachable(of_previews ? settings_.preview.listen->host
                                    : settings_.http.listen.host);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found)
      != 0)
    return {};
  std::unique_ptr<addrinfo, void (*)(addrinfo*)> held{found, ::freeaddrinfo};
  // An own listener, which may have too much to do: it is not waited for, since
  // all links with other nodes are this thread's.
  return arriving_->connect(*found->ai_addr, found->ai_addrlen);
}

void node_cluster::add_figures(metrics_page& page) const {
  auto now = mesh_->counters();
  page.counter("greenroom_peer_strangers_total",
               "Connections to cluster.listen that were refused, for no node "
               "of this cluster made them or it was too slow to say so.",
               static_cast<double>(now.strangers));
  page.counter("greenroom_peer_refused_nodes_total",
               "Nodes of this cluster that were refused, for their version or "
               "settings do not fit.",
               static_cast<double>(now.objected));
}

void node_cluster::stop() {
  mesh_->stop();
  caf::anon_send_exit(links_, caf::exit_reason::user_shutdown);
  caf::anon_send_exit(directory_, caf::exit_reason::user_shutdown);
  caf::anon_send_exit(registry_, caf::exit_reason::user_shutdown);
  links_ = links_core{};
  directory_ = directory_actor{};
  registry_ = key_registry_actor{};
  peers_.reset();
}

} // namespace greenroom
