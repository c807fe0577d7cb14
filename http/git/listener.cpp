#include "http/git/listener.hpp"

#include "http/base/asio.hpp"
#include "http/base/flood_watch.hpp"
#include "http/edge/client_room.hpp"
#include "http/edge/conversation.hpp"
#include "http/git/client_connection.hpp"
#include "http/git/origin_server.hpp"
#include "http/wire/acceptor.hpp"
#include "messages/ids.hpp"
#include "runtime/git/session/git_service.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <spdlog/spdlog.h>

#include <malloc.h>
#include <pthread.h>

#include <csignal>
#include <optional>
#include <thread>
#include <unordered_set>
#include <utility>

namespace greenroom::http::git_http {

namespace {

constexpr std::size_t max_pending = 4096;

/// Threads that wait for upstreams' contents of Git LFS, and references.
constexpr std::size_t max_waiting = 24;

/// Threads that read and write such contents.
constexpr std::size_t disk_threads = 2;

/// How often deadlines are looked at.
constexpr std::chrono::milliseconds watch_period{100};

constexpr std::chrono::seconds memory_period{1};

constexpr std::string_view too_many =
  "greenroom: too many connections by git are open, try again\n";

} // namespace

struct listener::state {
  std::shared_ptr<http::loop> loop;
  edge_actor handle; // keeps the bridge
  std::shared_ptr<git_context> around;
  std::optional<http::acceptor> acceptor; // of git.listen
  std::unique_ptr<origin_server> origin;  // null: it is not served
  std::unordered_set<std::shared_ptr<client_connection>> clients;
  client_room room;
  flood_watch flood;
  const std::string id_prefix = random_hex(8);
  std::uint64_t next_id = 0;
  std::chrono::steady_clock::time_point stop_at;
  bool ended = false;
  std::thread thread;

  state(const options& opts, listener_parts parts);
  void take(handed_connection what);
  void tick();
  void trim_memory();
  void begin_to_stop(std::chrono::milliseconds grace);
  void end_upstream_calls();
};

listener::state::state(const options& opts, listener_parts parts)
  : loop(std::make_shared<http::loop>(parts.system)),
    handle(http::bridge::spawn(parts.system, *loop, max_pending,
                               [](const std::string&) {})),
    around(new git_context{
      opts, parts.system, std::move(parts.directory), std::move(parts.sandbox),
      std::move(parts.log), loop, http::bridge::behind(handle),
      std::move(parts.workers), std::move(parts.peers), parts.git,
      std::make_shared<asio::thread_pool>(max_waiting),
      std::make_shared<asio::thread_pool>(disk_threads)}),
    room(parts.max_connections, opts.max_connections_of_address) {
  around->audit.emplace(around->bridge, around->log, parts.operations,
                        parts.node, opts.ordinary);
  if (parts.git && parts.keys != nullptr)
    origin = std::make_unique<origin_server>(
      origin_parts{around->system, around->directory, *parts.keys,
                   std::move(parts.git), around->log, opts.max_push,
                   std::move(parts.operations), std::move(parts.node)});
}

void listener::state::take(handed_connection what) {
  auto room_taken =
    around->stopping ? nullptr : room.take(what.socket, clients, what.of_peer);
  if (!room_taken) {
    turn_away(what.socket, too_many);
    return;
  }
  auto id = id_prefix + "-g" + std::to_string(next_id++);
  auto place = std::move(what.place);
  auto client =
    std::make_shared<client_connection>(around, std::move(what), std::move(id));
  clients.insert(client);
  auto done = [this, client, room_taken, place](const std::exception_ptr&) {
    clients.erase(client);
  };
  asio::co_spawn(loop->context(), client_connection::run(client), done);
}

void listener::state::tick() {
  around->bridge.tick();
  const auto now = wire::byte_stream::clock::now();
  for (auto& client : clients)
    client->check_deadlines(now);
  if (!around->stopping || ended)
    return;
  if (now >= stop_at) {
    end_upstream_calls();
    for (auto& client : clients)
      client->stop();
  }
  if (!clients.empty() && now < stop_at + std::chrono::seconds{5})
    return;
  ended = true;
  end_upstream_calls(); // of sessions, too
  around->bridge.end();
  loop->post([this] { loop->stop(); });
}

void listener::state::trim_memory() {
  if (flood.is_over(clients.size()))
    asio::post(*around->disk, [] { ::malloc_trim(0); });
}

// Those for contents of Git LFS; each may take minutes.
void listener::state::end_upstream_calls() {
  around->turns.close();
  if (around->git)
    around->git->stop_lfs();
}

void listener::state::begin_to_stop(std::chrono::milliseconds grace) {
  around->stopping = true;
  stop_at = wire::byte_stream::clock::now() + grace;
  if (acceptor)
    acceptor->close();
  for (auto& client : clients)
    client->stop_if_idle();
}

listener::listener(const options& opts, listener_parts parts)
  : state_(std::make_unique<state>(opts, std::move(parts))) {}

listener::~listener() {
  if (state_->thread.joinable())
    stop(std::chrono::milliseconds{0});
  join();
}

std::uint16_t listener::listen(const std::string& address, std::uint16_t port) {
  auto& s = *state_;
  s.acceptor.emplace(s.loop->context(), "git.listen", s.around->log);
  return s.acceptor->listen(address, port);
}

void listener::start() {
  auto& s = *state_;
  s.loop->every(watch_period, [&s] { s.tick(); });
  s.loop->every(memory_period, [&s] { s.trim_memory(); });
  if (s.origin)
    s.origin->start();
  if (s.acceptor)
    s.acceptor->start([&s](unique_fd socket) {
      s.take({std::move(socket), {}});
    });
  s.thread = std::thread{[&s] {
    ::pthread_setname_np(::pthread_self(), "git");
    // git may end before it has read all that is written to it.
    sigset_t broken_pipe;
    ::sigemptyset(&broken_pipe);
    ::sigaddset(&broken_pipe, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
    s.loop->run();
  }};
}

void listener::adopt(handed_connection what) {
  auto held = std::make_shared<handed_connection>(std::move(what));
  state_->loop->post([s = state_.get(), held] { s->take(std::move(*held)); });
}

void listener::stop(std::chrono::milliseconds grace) {
  state_->loop->post([s = state_.get(), grace] { s->begin_to_stop(grace); });
}

void listener::join() {
  auto& s = *state_;
  if (s.origin)
    s.origin->stop();
  if (s.thread.joinable())
    s.thread.join();
  s.around->waiting->join();
  s.around->disk->join();
  s.clients.clear();
  s.loop->drop_all();
  s.acceptor.reset();
}

} // namespace greenroom::http::git_http
