#include "http/server/thread.hpp"

#include "http/api/request_records.hpp"
#include "http/api/routes.hpp"
#include "http/base/flood_watch.hpp"
#include "http/base/parse.hpp"
#include "http/edge/bridge.hpp"
#include "http/edge/loop.hpp"
#include "http/edge/node_monitor.hpp"
#include "http/edge/notify.hpp"
#include "http/edge/peers.hpp"
#include "http/edge/request_log.hpp"
#include "http/edge/session_subscriptions.hpp"
#include "http/restinio/front_end.hpp"
#include "http/server/server.hpp"
#include "http/streams/file_readers.hpp"
#include "http/streams/inotify_watcher.hpp"
#include "http/streams/response_registry.hpp"
#include "messages/ids.hpp"
#include "runtime/auth/api_keys.hpp"
#include "runtime/auth/logins.hpp"

#include <malloc.h>
#include <pthread.h>

#include <algorithm>
#include <stdexcept>
#include <thread>
#include <utility>

namespace greenroom::http {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// Connections that wait to be accepted are looked at this often.
constexpr seconds accept_watch{1};

/// What a request for git gets on a connection that has begun otherwise.
response misdirected() {
  response answer;
  answer.status = 421;
  answer.content_type = "text/plain; charset=utf-8";
  answer.body = "greenroom: git is served on connections of its own: open "
                "another one, or have your proxy send /git/ to git.listen\n";
  answer.close = true;
  return answer;
}

/// What another node says of a request that it passes on.
void read_passage_of(exchange& ex) {
  ex.by_way_of = passage_of_id(ex.id);
  if (!ex.by_way_of)
    return;
  auto client = read_passed_client(ex.in.passed_on_for);
  ex.client_address = std::move(client.address);
  // A node of an older version says no more than the mark.
  ex.id = is_sane_request_id(client.request_id) ? std::move(client.request_id)
                                                : without_passage(ex.id);
}

} // namespace

struct http_thread::state {
  const options& opts;
  const server_parts parts;
  proxy::preview_settings& previews;
  const console_files& console;
  node_monitor& monitor;
  create_rates& rates;
  request_counts& counts;
  const std::shared_ptr<http::loop> loop_owner;
  http::loop& loop = *loop_owner;
  request_log requests;
  file_readers& files;
  response_registry streams;
  inotify_watcher logs{loop};
  http::session_subscriptions session_subscriptions;
  edge_actor handle; // keeps the bridge
  http::bridge* bridge = nullptr;
  std::unique_ptr<http::edge> edge;
  std::unique_ptr<request_records> records;
  front_end front;
  std::thread thread;

  flood_watch connections;

  const std::string id_prefix = random_hex(8);
  std::uint64_t next_id = 0;

  bool stopping = false;
  std::chrono::steady_clock::time_point stop_at;

  state(const options& o, const server_parts& p, shared_parts shared,
        const std::string& where, std::size_t max_connections)
    : opts(o), parts(p), previews(shared.previews), console(shared.console),
      monitor(shared.monitor), rates(shared.rates), counts(shared.counts),
      loop_owner(std::make_shared<http::loop>(p.system)), requests(p.log, loop),
      files(shared.files), streams(shared.shares, shared.files),
      front(loop, o, where, max_connections, p.log,
            {[this](const exchange_ptr& ex) { serve(ex); },
             [this](std::uint64_t id) { streams.connection_closed(id); },
             [this](std::string_view sent) { return request_id(sent); },
             [this](std::string_view secret) { return knows(secret); },
             [this](unread_request what) {
               records->refused_unread(std::move(what));
             }}) {
    front.set_shares(shared.addresses);
    if (parts.others)
      front.set_peer_check(
        [all = parts.others](int accepted) {
          return is_of_peer(all.get(), accepted);
        },
        shared.other_nodes);
  }

  void spawn_bridge();
  void serve(const exchange_ptr& ex);
  std::string request_id(std::string_view sent);
  bool knows(std::string_view secret) const;
  void trim_memory();
  void tick();
};

void http_thread::state::spawn_bridge() {
  handle = http::bridge::spawn(
    parts.system, loop, opts.max_in_flight,
    [this](const std::string& key_id) { streams.end_key(key_id); });
  bridge = &http::bridge::behind(handle);
  edge.reset(new http::edge{opts,
                            parts.system,
                            parts.keys,
                            parts.directory,
                            parts.registry,
                            parts.store,
                            parts.ready,
                            parts.warnings,
                            parts.log,
                            requests,
                            loop,
                            loop_owner,
                            *bridge,
                            streams,
                            session_subscriptions,
                            logs,
                            previews,
                            console,
                            parts.others,
                            parts.nodes,
                            monitor,
                            rates});
  records = std::make_unique<request_records>(*edge, counts);
  edge->observer = records.get();
  front.serve(*edge);
}

std::string http_thread::state::request_id(std::string_view sent) {
  if (is_sane_request_id(sent))
    return std::string{sent};
  return id_prefix + '-' + std::to_string(next_id++);
}

void http_thread::state::serve(const exchange_ptr& ex) {
  ex->id = request_id(ex->in.request_id);
  if (ex->of_peer)
    read_passage_of(*ex);
  if (stopping)
    ex->refuse(errc::unavailable, "the server is stopping, try again");
  else if (front.hands_git_over() && ex->in.path.starts_with("/git/"))
    ex->send(misdirected());
  else
    dispatch(ex);
}

bool http_thread::state::knows(std::string_view secret) const {
  if (secret.empty())
    return false;
  auto keys = parts.keys.snapshot();
  return keys->find(secret, now_ms()) != nullptr
         || parts.keys.logins().find(secret, *keys, now_ms()) != nullptr;
}

void http_thread::state::trim_memory() {
  if (connections.is_over(front.open_connections()))
    files.run([] { ::malloc_trim(0); });
}

void http_thread::state::tick() {
  bridge->tick();
  if (!stopping)
    front.watch_strangers();
  counts.connections = front.open_connections();
  counts.streams = streams.size();
  counts.waiting = bridge->pending();
  if (stopping)
    records->flush();
  if (!stopping
      || (bridge->pending() != 0 && std::chrono::steady_clock::now() < stop_at))
    return;
  bridge->end();
  session_subscriptions.end();
  loop.post([this] { loop.stop(); });
}

http_thread::http_thread(const options& opts, const server_parts& parts,
                         shared_parts shared, std::string address,
                         std::size_t max_connections)
  : state_(
    std::make_unique<state>(opts, parts, shared, address, max_connections)) {}

http_thread::~http_thread() {
  join();
}

std::uint16_t http_thread::listen(std::uint16_t port) {
  return state_->front.open(port);
}

void http_thread::set_git_handoff(connection_taker take) {
  state_->front.set_git_handoff(std::move(take));
}

void http_thread::start() {
  auto& s = *state_;
  s.spawn_bridge();
  auto stream_tick =
    std::clamp(s.opts.heartbeat / 5, milliseconds{20}, milliseconds{1000});
  s.loop.every(bridge::tick_period, [&s] { s.tick(); });
  s.loop.every(stream_tick, [&s] { s.streams.tick(); });
  s.loop.every(accept_watch, [&s] {
    if (s.stopping)
      return;
    if (s.parts.others && s.parts.others->arriving)
      s.parts.others->arriving->forget_lost(std::chrono::steady_clock::now());
    s.front.watch_accepting();
    s.trim_memory();
  });
  notify(s.parts.registry, join_edge{s.handle});
  s.thread = std::thread{[&s] {
    ::pthread_setname_np(::pthread_self(), "http");
    s.loop.run();
  }};
}

void http_thread::stop(milliseconds grace) {
  state_->loop.post([s = state_.get(), grace] {
    s->stopping = true;
    s->stop_at = std::chrono::steady_clock::now() + grace;
    s->front.close();
    s->streams.end_all();
  });
}

void http_thread::join() {
  auto& s = *state_;
  if (s.thread.joinable())
    s.thread.join();
  // Connections refer to RESTinio's acceptor, so they go first.
  s.front.abandon();
  s.loop.drop_all();
}

} // namespace greenroom::http
