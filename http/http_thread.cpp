#include "http/http_thread.hpp"

#include "http/accept_limit.hpp"
#include "http/bridge.hpp"
#include "http/exchange.hpp"
#include "http/loop.hpp"
#include "http/output/log_watch.hpp"
#include "http/parse.hpp"
#include "http/polite_socket.hpp"
#include "http/request_log.hpp"
#include "http/routes.hpp"
#include "http/server.hpp"
#include "http/sse/fans.hpp"
#include "http/sse/stream_table.hpp"
#include "http/ws/upgrade.hpp"
#include "messages/ids.hpp"

#include <caf/send.hpp>
#include <restinio/all.hpp>
#include <spdlog/spdlog.h>

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

/// The library's messages: of interest only to who looks for its faults.
class library_log {
public:
  explicit library_log(std::shared_ptr<spdlog::logger> to)
    : to_(std::move(to)) {}
  template <class Message>
  void trace(Message&&) const noexcept {}
  template <class Message>
  void info(Message&&) const noexcept {}
  template <class Message>
  void warn(Message&& message) const {
    write(std::forward<Message>(message));
  }
  template <class Message>
  void error(Message&& message) const {
    write(std::forward<Message>(message));
  }

private:
  template <class Message>
  void write(Message&& message) const {
    if (to_->should_log(spdlog::level::debug))
      to_->debug("http: {}", message());
  }
  std::shared_ptr<spdlog::logger> to_;
};

struct connection_watch {
  std::function<void(std::uint64_t)> closed;
  std::uint64_t accepted = 0;
  std::uint64_t open = 0;

  void
  state_changed(const restinio::connection_state::notice_t& notice) noexcept {
    using namespace restinio::connection_state;
    if (restinio::holds_alternative<accepted_t>(notice.cause())) {
      ++accepted;
      ++open;
    } else if (restinio::holds_alternative<closed_t>(notice.cause())) {
      --open;
      closed(notice.connection_id());
    }
  }
};

struct handler {
  std::function<void(const restinio::request_handle_t&)> handle;
  restinio::request_handling_status_t
  operator()(const restinio::request_handle_t& request) const {
    handle(request);
    return restinio::request_accepted();
  }
};

struct traits;

} // namespace

} // namespace greenroom::http

template <>
struct restinio::connection_count_limit_types<greenroom::http::traits> {
  using limiter_t = greenroom::http::accept_limit;
  using lifetime_monitor_t =
    connection_count_limits::connection_lifetime_monitor_t<limiter_t>;
};

namespace greenroom::http {

namespace {

struct traits
  : restinio::traits_t<restinio::asio_timer_manager_t, library_log, handler,
                       restinio::noop_strand_t, polite_socket> {
  using connection_state_listener_t = connection_watch;
  static constexpr bool use_connection_count_limiter = true;
};

using library_server = restinio::http_server_t<traits>;

restinio::http_status_line_t status_line(int status) {
  return {restinio::http_status_code_t{static_cast<std::uint16_t>(status)},
          std::string{reason_of(status)}};
}

template <class Builder>
void add_headers(Builder& to, const response& answer, std::string_view id) {
  if (!answer.content_type.empty())
    to.append_header("Content-Type", std::string{answer.content_type});
  to.append_header("Cache-Control", "no-store");
  to.append_header("X-Content-Type-Options", "nosniff");
  to.append_header("X-Request-Id", std::string{id});
  if (answer.close)
    to.connection_close();
  for (auto& [name, value] : answer.headers)
    to.append_header(std::string{name}, value);
}

/// A body in chunks (`chunked_output_t`) or of known length
/// (`user_controlled_output_t`).
template <class Output>
class body_in_parts final : public body_writer {
public:
  using builder = restinio::response_builder_t<Output>;

  explicit body_in_parts(builder to) : to_(std::move(to)) {}

  void write(std::vector<slice> parts,
             std::function<void(bool)> done) override {
    for (auto& part : parts)
      append(restinio::writable_item_t{std::move(part)});
    if (done)
      to_.flush([done = std::move(done)](const asio::error_code& error) {
        done(!error);
      });
    else
      to_.flush();
  }

  void finish() override {
    if (!std::exchange(finished_, true))
      to_.done();
  }

private:
  void append(restinio::writable_item_t part) {
    if constexpr (std::is_same_v<Output, restinio::chunked_output_t>)
      to_.append_chunk(std::move(part));
    else
      to_.append_body(std::move(part));
  }

  builder to_;
  bool finished_ = false;
};

verb verb_of(const restinio::http_method_id_t& method) {
  if (method == restinio::http_method_get()
      || method == restinio::http_method_head())
    return verb::get;
  if (method == restinio::http_method_post())
    return verb::post;
  if (method == restinio::http_method_put())
    return verb::put;
  if (method == restinio::http_method_patch())
    return verb::patch;
  if (method == restinio::http_method_delete())
    return verb::del;
  return verb::other;
}

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

/// `http://host/path`, the form that proxies are sent, is the path to us.
std::string_view without_origin(std::string_view target) {
  if (target.starts_with('/'))
    return target;
  auto origin = target.find("://");
  if (origin == std::string_view::npos)
    return target;
  auto path = target.find('/', origin + 3);
  return path == std::string_view::npos ? "/" : target.substr(path);
}

/// The library forgets where it is in a connection when a request is answered
/// before its handler has returned and another one is on its way. So such
/// answers wait until it has.
class library_exchange final : public exchange {
public:
  /// `inside` is true while the handler runs.
  library_exchange(http::edge& thread, restinio::request_handle_t request,
                   const bool& inside)
    : exchange(thread), request_(std::move(request)), inside_(inside) {
    auto& header = request_->header();
    in.verb = verb_of(header.method());
    in.head = header.method() == restinio::http_method_head();
    in.method = header.method().c_str();
    auto path = header.path();
    auto query = header.query();
    in.path = without_origin({path.data(), path.size()});
    in.query = {query.data(), query.size()};
    in.body = request_->body();
    header.for_each_field([this](const auto& field) {
      if (auto to = place_of(field))
        *to = field.value();
    });
    // What is asked for without this is not asked for.
    if (header.connection() != restinio::http_connection_header_t::upgrade)
      in.upgrade = {};
  }

  ~library_exchange() override {
    abandon();
  }

  std::uint64_t connection_id() const noexcept override {
    return request_->connection_id();
  }

protected:
  void transmit(response&& answer) override {
    auto self =
      std::static_pointer_cast<library_exchange>(weak_from_this().lock());
    if (!inside_ || !self) {
      write(std::move(answer));
      return;
    }
    waiting_ = std::move(answer);
    env.loop.post([self] { self->write(std::move(self->waiting_)); });
  }

  std::unique_ptr<body_writer> transmit_head(response&& head) override {
    if (head.content_length) {
      using output = restinio::user_controlled_output_t;
      auto to = request_->create_response<output>(status_line(head.status));
      to.set_content_length(*head.content_length);
      add_headers(to, head, id);
      return std::make_unique<body_in_parts<output>>(std::move(to));
    }
    using output = restinio::chunked_output_t;
    auto to = request_->create_response<output>(status_line(head.status));
    add_headers(to, head, id);
    return std::make_unique<body_in_parts<output>>(std::move(to));
  }

  std::shared_ptr<web_socket>
  transmit_upgrade(std::string_view protocol,
                   web_socket_events&& events) override {
    return upgrade_connection<traits>(*request_, protocol, id, env.options,
                                      std::move(events));
  }

private:
  void write(response&& answer) {
    if (in.head || answer.status == 204) {
      auto to = request_->create_response<restinio::user_controlled_output_t>(
        status_line(answer.status));
      to.set_content_length(answer.content_length.value_or(answer.body.size()));
      add_headers(to, answer, id);
      to.done();
      return;
    }
    auto to = request_->create_response(status_line(answer.status));
    add_headers(to, answer, id);
    to.set_body(std::move(answer.body));
    to.done();
  }

  std::string_view* place_of(const restinio::http_header_field_t& field) {
    switch (field.field_id()) {
      case restinio::http_field::authorization:
        return &in.authorization;
      case restinio::http_field::content_type:
        return &in.content_type;
      case restinio::http_field::range:
        return &in.range;
      case restinio::http_field::origin:
        return &in.origin;
      case restinio::http_field::upgrade:
        return &in.upgrade;
      case restinio::http_field::sec_websocket_key:
        return &in.web_socket_key;
      case restinio::http_field::sec_websocket_version:
        return &in.web_socket_version;
      case restinio::http_field::sec_websocket_protocol:
        return &in.web_socket_protocol;
      default:
        break;
    }
    using restinio::impl::is_equal_caseless;
    auto is = [&](std::string_view name) {
      auto& sent = field.name();
      return sent.size() == name.size()
             && is_equal_caseless(sent.data(), name.data(), name.size());
    };
    if (is("x-api-key"))
      return &in.api_key;
    if (is("x-request-id"))
      return &in.request_id;
    if (is("last-event-id"))
      return &in.last_event_id;
    if (is("idempotency-key"))
      return &in.idempotency_key;
    return nullptr;
  }

  restinio::request_handle_t request_;
  const bool& inside_;
  response waiting_;
};

asio::ip::tcp protocol_of(const asio::ip::address& address) {
  return address.is_v6() ? asio::ip::tcp::v6() : asio::ip::tcp::v4();
}

template <class Options>
void share_port(Options& of) {
  using reuse_port =
    asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;
  of.set_option(asio::ip::tcp::acceptor::reuse_address{true});
  of.set_option(reuse_port{true});
}

} // namespace

std::string address_of(const std::string& host) {
  asio::error_code error;
  auto address = asio::ip::make_address(host, error);
  if (!error)
    return address.to_string();
  asio::io_context context;
  asio::ip::tcp::resolver resolver{context};
  auto found =
    resolver.resolve(host, "0", asio::ip::tcp::resolver::passive, error);
  if (error || found.empty())
    throw std::runtime_error("http.listen: \"" + host
                             + "\" is no address of this machine: "
                             + error.message());
  return found.begin()->endpoint().address().to_string();
}

void check_free(const std::string& address, const std::string& host,
                std::uint16_t port) {
  asio::io_context context;
  asio::ip::tcp::endpoint there{asio::ip::make_address(address), port};
  asio::ip::tcp::acceptor probe{context};
  asio::error_code error;
  probe.open(there.protocol(), error);
  if (!error)
    probe.set_option(asio::ip::tcp::acceptor::reuse_address{true}, error);
  if (!error)
    probe.bind(there, error);
  if (!error)
    probe.listen(1, error);
  auto text = host + ":" + std::to_string(port);
  if (error == asio::error::address_in_use)
    throw std::runtime_error(
      "http.listen " + text
      + " is in use by another program; stop it or choose another with --set "
        "http.listen="
      + host + ":0");
  if (error)
    throw std::runtime_error("cannot listen on http.listen " + text + ": "
                             + error.message());
}

struct http_thread::state {
  const options& opts;
  const server_parts parts;
  const asio::ip::address address;
  const std::size_t max_connections;
  const std::shared_ptr<http::loop> loop_owner;
  http::loop& loop = *loop_owner;
  request_log requests;
  stream_table streams;
  log_watch logs{loop};
  http::fans fans;
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

  const std::string id_prefix = random_hex(8);
  std::uint64_t next_id = 0;

  bool inside = false; // a request's handler
  bool stopping = false;
  std::chrono::steady_clock::time_point stop_at;

  state(const options& o, const server_parts& p, const std::string& where,
        std::size_t connections)
    : opts(o), parts(p), address(asio::ip::make_address(where)),
      max_connections(connections),
      loop_owner(std::make_shared<http::loop>(p.system)),
      requests(p.log, loop) {}

  void open();
  void spawn_bridge();
  void serve(const restinio::request_handle_t& request);
  bool serves_git();
  std::string request_id(std::string_view sent);
  void watch_accepting();
  void tick();
};

void http_thread::state::spawn_bridge() {
  handle = http::bridge::spawn(
    parts.system, loop, opts.max_in_flight,
    [this](const std::string& key_id) { streams.end_key(key_id); });
  bridge = &http::bridge::behind(handle);
  edge.reset(new http::edge{opts, parts.system, parts.keys, parts.directory,
                            parts.registry, parts.store, parts.ready,
                            parts.warnings, parts.log, requests, loop,
                            loop_owner, *bridge, streams, fans, logs});
}

void http_thread::state::open() {
  // The library keeps the port that it is made with, so one that the kernel
  // chooses is chosen before.
  asio::ip::tcp::acceptor chosen{loop.context()};
  chosen.open(protocol_of(address));
  share_port(chosen);
  chosen.bind({address, port});
  port = chosen.local_endpoint().port();
  asio::use_service<intake>(loop.context()).max_of_one =
    opts.max_body * max_body_factor + max_heads;
  watch->closed = [this](std::uint64_t id) { streams.connection_closed(id); };
  library = std::make_unique<library_server>(
    restinio::external_io_context(loop.context()), [this](auto& settings) {
      settings.address(address)
        .protocol(protocol_of(address))
        .port(port)
        .logger(parts.log)
        .connection_state_listener(watch)
        .request_handler(
          handler{[this](const restinio::request_handle_t& r) { serve(r); }})
        .max_parallel_connections(max_connections)
        // With one, a client that leaves shows only at the next write.
        .max_pipelined_requests(2)
        .separate_accept_and_create_connect(false)
        .read_next_http_message_timelimit(opts.read_patience)
        // Actors have their own deadlines; this one is beyond all of them, and
        // a stream's heartbeats keep it away.
        .handle_request_timeout(2 * opts.change + opts.wait_slack)
        .write_http_response_timelimit(opts.write_patience)
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
            user_timeout{static_cast<int>(2 * opts.write_patience.count())});
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

void http_thread::state::tick() {
  bridge->tick();
  if (!stopping
      || (bridge->pending() != 0 && std::chrono::steady_clock::now() < stop_at))
    return;
  bridge->end();
  loop.post([this] { loop.stop(); });
}

http_thread::http_thread(const options& opts, const server_parts& parts,
                         std::string address, std::size_t max_connections)
  : state_(std::make_unique<state>(opts, parts, address, max_connections)) {}

http_thread::~http_thread() {
  join();
}

std::uint16_t http_thread::listen(std::uint16_t port) {
  state_->port = port;
  state_->open();
  return state_->port;
}

void http_thread::give_git_to(std::function<void(int, std::string)> take) {
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
  s.loop.every(accept_watch, [&s] { s.watch_accepting(); });
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
