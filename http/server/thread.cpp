#include "http/server/thread.hpp"

#include "http/api/routes.hpp"
#include "http/base/parse.hpp"
#include "http/edge/bridge.hpp"
#include "http/edge/loop.hpp"
#include "http/edge/request_log.hpp"
#include "http/restinio/exchange.hpp"
#include "http/server/listening.hpp"
#include "http/server/server.hpp"
#include "http/streams/file_readers.hpp"
#include "http/streams/inotify_watcher.hpp"
#include "http/streams/response_registry.hpp"
#include "http/streams/session_subscriptions.hpp"
#include "messages/ids.hpp"
#include "runtime/auth/api_keys.hpp"

#include <caf/send.hpp>

#include <malloc.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>

#include <algorithm>
#include <stdexcept>
#include <thread>
#include <utility>

namespace greenroom::http {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// The library's own bounds. What exceeds them is closed unanswered, so they lie
// above ours.
constexpr std::size_t max_url = 16 * 1024;
constexpr std::size_t max_field_name = 256;
constexpr std::size_t max_field_value = 16 * 1024;
constexpr std::size_t max_fields = 100;
constexpr std::uint64_t max_body_factor = 4;
/// Of requests that come one after the other before the first is answered.
constexpr std::size_t max_heads = 1024 * 1024;

/// Bytes in the kernel that a client has not made room for.
constexpr int max_unsent = 128 * 1024;

/// Connections that wait to be accepted are looked at this often.
constexpr seconds accept_watch{1};

/// As many connections are a flood, after which memory is given back.
constexpr std::size_t flood = 500;

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

} // namespace

struct http_thread::state {
  const options& opts;
  const server_parts parts;
  const asio::ip::address address;
  const std::size_t max_connections;
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
  std::unique_ptr<library_server> library;
  std::shared_ptr<connection_watch> watch =
    std::make_shared<connection_watch>();
  std::thread thread;

  std::uint16_t port = 0;
  int listener = -1; // the library's
  std::uint64_t accepted_before = 0;
  bool starved = false;
  std::size_t most_open = 0; // connections, since memory was given back

  const std::string id_prefix = random_hex(8);
  std::uint64_t next_id = 0;

  bool inside = false; // a request's handler
  bool stopping = false;
  std::chrono::steady_clock::time_point stop_at;

  state(const options& o, const server_parts& p, shared_parts shared,
        const std::string& where, std::size_t connections)
    : opts(o), parts(p), address(asio::ip::make_address(where)),
      max_connections(connections),
      loop_owner(std::make_shared<http::loop>(p.system)), requests(p.log, loop),
      files(shared.files), streams(shared.shares, shared.files) {}

  void open();
  void spawn_bridge();
  void serve(const restinio::request_handle_t& request);
  bool serves_git();
  std::string request_id(std::string_view sent);
  void watch_accepting();
  void trim_memory();
  void tick();
};

void http_thread::state::spawn_bridge() {
  handle = http::bridge::spawn(
    parts.system, loop, opts.max_in_flight,
    [this](const std::string& key_id) { streams.end_key(key_id); });
  bridge = &http::bridge::behind(handle);
  edge.reset(new http::edge{
    opts, parts.system, parts.keys, parts.directory, parts.registry,
    parts.store, parts.ready, parts.warnings, parts.log, requests, loop,
    loop_owner, *bridge, streams, session_subscriptions, logs});
}

void http_thread::state::open() {
  // The library keeps the port that it is made with, so one that the kernel
  // chooses is chosen before.
  asio::ip::tcp::acceptor chosen{loop.context()};
  chosen.open(protocol_of(address));
  share_port(chosen);
  chosen.bind({address, port});
  port = chosen.local_endpoint().port();
  asio::use_service<read_budget>(loop.context()).max_of_one =
    opts.max_body * max_body_factor + max_heads;
  auto& heads = asio::use_service<first_heads>(loop.context());
  heads.rules.max_body = opts.max_body;
  heads.rules.knows = [&keys = parts.keys](std::string_view secret) {
    auto all = keys.snapshot();
    return !secret.empty() && all->find(secret, now_ms()) != nullptr;
  };
  heads.request_id = [this](std::string_view sent) { return request_id(sent); };
  watch->closed = [this](std::uint64_t id) { streams.connection_closed(id); };
  library = std::make_unique<library_server>(
    restinio::external_io_context(loop.context()), [this](auto& settings) {
      settings.address(address)
        .protocol(protocol_of(address))
        .port(port)
        .logger(parts.log)
        .connection_state_listener(watch)
        .request_handler(library_handler{
          [this](const restinio::request_handle_t& r) { serve(r); }})
        .max_parallel_connections(max_connections)
        // With one, a client that leaves shows only at the next write.
        .max_pipelined_requests(2)
        .separate_accept_and_create_connect(false)
        .read_next_http_message_timelimit(opts.read_timeout)
        // Actors have their own deadlines; this one is beyond all of them, and
        // a stream's heartbeats keep it away.
        .handle_request_timeout(2 * opts.change + opts.wait_slack)
        .write_http_response_timelimit(opts.write_timeout)
        .incoming_http_msg_limits(
          restinio::incoming_http_msg_limits_t{}
            .max_url_size(max_url)
            .max_field_name_size(max_field_name)
            .max_field_value_size(max_field_value)
            .max_field_count(max_fields)
            .max_body_size(opts.max_body * max_body_factor))
        .acceptor_options_setter(
          [](restinio::acceptor_options_t& o) { share_port(o); })
        .acceptor_post_bind_hook([this](asio::ip::tcp::acceptor& acceptor) {
          listener = acceptor.native_handle();
        })
        .socket_options_setter([this](restinio::socket_options_t& o) {
          using unsent =
            asio::detail::socket_option::integer<IPPROTO_TCP,
                                                 TCP_NOTSENT_LOWAT>;
          o.set_option(asio::ip::tcp::no_delay{true});
          o.set_option(unsent{max_unsent});
          // Also for connections of which the library keeps no time, as it
          // does where a client asks for another protocol.
          using user_timeout =
            asio::detail::socket_option::integer<IPPROTO_TCP, TCP_USER_TIMEOUT>;
          o.set_option(
            user_timeout{static_cast<int>(2 * opts.write_timeout.count())});
        });
    });
  library->open_sync();
}

std::string http_thread::state::request_id(std::string_view sent) {
  if (is_sane_request_id(sent))
    return std::string{sent};
  return id_prefix + '-' + std::to_string(next_id++);
}

bool http_thread::state::serves_git() {
  return asio::use_service<git_handover>(loop.context()).take != nullptr;
}

void http_thread::state::serve(const restinio::request_handle_t& request) {
  inside = true;
  auto ex = std::make_shared<library_exchange>(*edge, request, inside);
  ex->id = request_id(ex->in.request_id);
  if (stopping)
    ex->refuse(errc::unavailable, "the server is stopping, try again");
  else if (serves_git() && ex->in.path.starts_with("/git/"))
    ex->send(misdirected());
  else
    dispatch(ex);
  inside = false;
}

/// The library gives up accepting when an accept fails, as it does while there
/// are no descriptors. Connections that wait for long show it; a new listening
/// socket is the remedy.
void http_thread::state::watch_accepting() {
  if (stopping)
    return;
  if (listener >= 0) {
    pollfd waiting{listener, POLLIN, 0};
    auto has_room = watch->open < max_connections; // else they wait for it
    auto stuck = has_room && watch->accepted == accepted_before
                 && ::poll(&waiting, 1, 0) > 0;
    accepted_before = watch->accepted;
    if (!std::exchange(starved, stuck) || !stuck)
      return;
    parts.log->warn("connections were not accepted, opening port {} again",
                    port);
    starved = false;
    listener = -1;
    library->close_sync();
  }
  try {
    library->open_sync();
  } catch (const std::exception& e) {
    parts.log->error("port {} cannot be opened yet: {}", port, e.what());
  }
}

/// The allocator keeps what a flood of connections took; most of it can be
/// given back once they have gone.
void http_thread::state::trim_memory() {
  most_open = std::max<std::size_t>(most_open, watch->open);
  if (most_open < flood || watch->open > most_open / 4)
    return;
  most_open = watch->open;
  files.run([] { ::malloc_trim(0); });
}

void http_thread::state::tick() {
  bridge->tick();
  if (!stopping
      || (bridge->pending() != 0 && std::chrono::steady_clock::now() < stop_at))
    return;
  bridge->end();
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
  state_->port = port;
  state_->open();
  return state_->port;
}

void http_thread::set_git_handoff(std::function<void(int, std::string)> take) {
  asio::use_service<git_handover>(state_->loop.context()).take =
    std::move(take);
}

void http_thread::start() {
  auto& s = *state_;
  s.spawn_bridge();
  auto stream_tick =
    std::clamp(s.opts.heartbeat / 5, milliseconds{20}, milliseconds{1000});
  s.loop.every(bridge::tick_period, [&s] { s.tick(); });
  s.loop.every(stream_tick, [&s] { s.streams.tick(); });
  s.loop.every(accept_watch, [&s] {
    s.watch_accepting();
    s.trim_memory();
  });
  caf::anon_send(s.parts.registry, join_edge{s.handle});
  s.thread = std::thread{[&s] {
    ::pthread_setname_np(::pthread_self(), "http");
    s.loop.run();
  }};
}

void http_thread::stop(milliseconds grace) {
  state_->loop.post([s = state_.get(), grace] {
    s->stopping = true;
    s->stop_at = std::chrono::steady_clock::now() + grace;
    s->library->close_sync();
    s->streams.end_all();
  });
}

void http_thread::join() {
  auto& s = *state_;
  if (s.thread.joinable())
    s.thread.join();
  // Connections refer to the library's acceptor, so they go first.
  s.loop.drop_all();
}

} // namespace greenroom::http
