#include "http/proxy/listener.hpp"

#include "http/base/flood_watch.hpp"
#include "http/edge/bridge.hpp"
#include "http/edge/client_room.hpp"
#include "http/edge/conversation.hpp"
#include "http/edge/loop.hpp"
#include "http/edge/request_log.hpp"
#include "http/proxy/access_watch.hpp"
#include "http/proxy/actor_ports.hpp"
#include "http/proxy/preview_client.hpp"
#include "http/wire/acceptor.hpp"
#include "messages/ids.hpp"
#include "runtime/metrics/counters.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <malloc.h>
#include <pthread.h>

#include <thread>
#include <utility>

namespace greenroom::http::proxy {

namespace {

constexpr std::size_t max_pending = 8192;

constexpr std::chrono::milliseconds deadline_period{100};
constexpr std::chrono::seconds access_period{1};

constexpr std::string_view too_many =
  "too many connections to previews are open, try again\n";

} // namespace

struct listener::state {
  std::shared_ptr<http::loop> loop;
  edge_actor handle; // keeps the bridge
  http::bridge& bridge;
  actor_ports sessions;
  request_log requests;
  std::shared_ptr<proxy_context> around;
  http::acceptor acceptor;
  access_watch::client_set clients;
  access_watch access;
  client_room room;
  flood_watch flood;
  disk_thread elsewhere;
  const std::string id_prefix = random_hex(8);
  std::uint64_t next_id = 0;
  bool ended = false;
  std::thread thread;

  state(const options& opts, listener_parts parts);
  void take(unique_fd socket);
  void check_deadlines();
  void check_access();
  void trim_memory();
  void begin_to_stop();
};

listener::state::state(const options& opts, listener_parts parts)
  : loop(std::make_shared<http::loop>(parts.system)),
    handle(http::bridge::spawn(parts.system, *loop, max_pending,
                               [](const std::string&) {})),
    bridge(http::bridge::behind(handle)),
    sessions(bridge, loop, std::move(parts.directory), parts.settings,
             opts.data_dir, parts.elsewhere, parts.peers),
    requests(parts.log, *loop),
    around(new proxy_context{
      opts,
      loop->context(),
      sessions,
      access_rules{parts.keys, parts.settings},
      &requests,
      {},
      false,
      parts.peers,
      loop,
      parts.counters ? parts.counters : std::make_shared<node_counters>()}),
    acceptor(loop->context(), "preview.listen", parts.log),
    access(loop->context(), sessions, clients),
    room(parts.max_clients, opts.max_connections_of_address),
    elsewhere(std::move(parts.elsewhere)) {}

void listener::state::take(unique_fd socket) {
  const auto of_peer = is_of_peer(around->peers.get(), socket.get());
  auto place = around->stopping ? nullptr : room.take(socket, clients, of_peer);
  if (!place) {
    turn_away(socket, too_many);
    return;
  }
  auto client = std::make_shared<preview_client>(
    around, std::move(socket), id_prefix + '-' + std::to_string(next_id++),
    of_peer);
  clients.insert(client);
  around->counters->preview_connections = std::ssize(clients);
  asio::co_spawn(loop->context(), preview_client::run(client),
                 [this, client, place](const std::exception_ptr&) {
                   clients.erase(client);
                   around->counters->preview_connections = std::ssize(clients);
                 });
}

void listener::state::check_deadlines() {
  bridge.tick();
  const auto now = preview_client::clock::now();
  for (auto& client : clients)
    client->check_deadlines(now);
  if (!around->stopping || ended || !clients.empty())
    return;
  ended = true;
  bridge.end();
  loop->post([this] { loop->stop(); });
}

void listener::state::check_access() {
  around->pool.expire(preview_client::clock::now());
  access.check(now_ms());
}

void listener::state::trim_memory() {
  if (flood.is_over(clients.size()))
    elsewhere([] { ::malloc_trim(0); });
}

void listener::state::begin_to_stop() {
  around->stopping = true;
  acceptor.close();
  around->pool.clear();
  for (auto& client : clients)
    client->stop();
}

listener::listener(const options& opts, listener_parts parts)
  : state_(std::make_unique<state>(opts, std::move(parts))) {}

listener::~listener() {
  if (state_->thread.joinable())
    stop();
  join();
}

std::uint16_t listener::listen(const std::string& address, std::uint16_t port) {
  return state_->acceptor.listen(address, port);
}

void listener::start() {
  auto& s = *state_;
  s.loop->every(deadline_period, [&s] { s.check_deadlines(); });
  s.loop->every(access_period, [&s] {
    s.check_access();
    s.trim_memory();
  });
  s.acceptor.start([&s](unique_fd socket) { s.take(std::move(socket)); });
  s.thread = std::thread{[&s] {
    ::pthread_setname_np(::pthread_self(), "previews");
    s.loop->run();
  }};
}

void listener::stop() {
  state_->loop->post([s = state_.get()] { s->begin_to_stop(); });
}

void listener::join() {
  auto& s = *state_;
  if (s.thread.joinable())
    s.thread.join();
  s.clients.clear();
  s.loop->drop_all();
}

} // namespace greenroom::http::proxy
