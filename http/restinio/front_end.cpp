#include "http/restinio/front_end.hpp"

#include "http/edge/thread_context.hpp"
#include "http/restinio/exchange.hpp"

#include <netinet/tcp.h>
#include <poll.h>

#include <algorithm>
#include <chrono>
#include <utility>

namespace greenroom::http {

namespace {

// RESTinio's own bounds. What exceeds them is closed unanswered, so they lie
// above ours.
constexpr std::size_t max_url = 16 * 1024;
constexpr std::size_t max_field_name = 256;
constexpr std::size_t max_field_value = 16 * 1024;
constexpr std::size_t max_fields = 100;
constexpr std::uint64_t max_body_factor = 4;
/// Of requests that come one after the other before the first is answered.
constexpr std::size_t max_heads = 1024 * 1024;

/// Of connections that wait to be accepted, how many are in each turn of the
/// loop. With one, whoever comes behind hundreds waits for as many turns, in
/// which all others are served.
constexpr std::size_t accepts_at_once = 32;

/// How long a stranger who is refused is held in a crowd.
constexpr std::chrono::seconds hold_of_refused{1};

/// Bytes in the kernel that a stranger has not made room for; the socket lets
/// clients that have shown a key have more.
constexpr int max_unsent = 16 * 1024;

asio::ip::tcp protocol_of(const asio::ip::address& address) {
  return address.is_v6() ? asio::ip::tcp::v6() : asio::ip::tcp::v4();
}

/// Lets each thread have a listening socket of its own at one port.
template <class Options>
void share_port(Options& of) {
  using reuse_port =
    asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;
  of.set_option(asio::ip::tcp::acceptor::reuse_address{true});
  of.set_option(reuse_port{true});
}

} // namespace

struct front_end::state {
  http::loop& loop;
  const options& opts;
  const asio::ip::address address;
  const std::size_t max_connections;
  std::shared_ptr<spdlog::logger> log;
  events heard;
  http::edge* edge = nullptr;
  front_desk& desk = asio::use_service<front_desk>(loop.context());

  std::unique_ptr<library_server> library;
  std::shared_ptr<connection_watch> watch =
    std::make_shared<connection_watch>(loop.context());
  std::uint16_t port = 0;
  int listener = -1; // RESTinio's
  std::uint64_t accepted_before = 0;
  bool starved = false;
  bool inside = false; // a request's handler

  void configure(restinio::server_settings_t<library_traits>& to);
  void set_socket_options(restinio::socket_options_t& to) const;
  void serve(const restinio::request_handle_t& request);
};

void front_end::state::serve(const restinio::request_handle_t& request) {
  inside = true;
  heard.request(std::make_shared<library_exchange>(*edge, request, inside));
  inside = false;
}

void front_end::state::configure(
  restinio::server_settings_t<library_traits>& to) {
  to.address(address)
    .protocol(protocol_of(address))
    .port(port)
    .logger(log)
    .connection_state_listener(watch)
    .request_handler(
      library_handler{[this](const auto& request) { serve(request); }})
    .max_parallel_connections(max_connections)
    .concurrent_accepts_count(accepts_at_once)
    // With one, a client that leaves shows only at the next write.
    .max_pipelined_requests(2)
    .separate_accept_and_create_connect(false)
    .read_next_http_message_timelimit(opts.read_timeout)
    // Actors have their own deadlines; this one is beyond all of them, and a
    // stream's heartbeats keep it away.
    .handle_request_timeout(2 * opts.change + opts.wait_slack)
    .write_http_response_timelimit(opts.write_timeout)
    .incoming_http_msg_limits(restinio::incoming_http_msg_limits_t{}
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
    .socket_options_setter(
      [this](restinio::socket_options_t& o) { set_socket_options(o); });
}

void front_end::state::set_socket_options(
  restinio::socket_options_t& to) const {
  using unsent =
    asio::detail::socket_option::integer<IPPROTO_TCP, TCP_NOTSENT_LOWAT>;
  // Also for connections of which RESTinio keeps no time, as it does where a
  // client asks for another protocol.
  using user_timeout =
    asio::detail::socket_option::integer<IPPROTO_TCP, TCP_USER_TIMEOUT>;
  to.set_option(asio::ip::tcp::no_delay{true});
  to.set_option(unsent{max_unsent});
  to.set_option(user_timeout{static_cast<int>(2 * opts.write_timeout.count())});
}

front_end::front_end(loop& home, const options& opts,
                     const std::string& address, std::size_t max_connections,
                     std::shared_ptr<spdlog::logger> log, events heard)
  : state_(new state{home, opts, asio::ip::make_address(address),
                     max_connections, std::move(log), std::move(heard)}) {}

front_end::~front_end() = default;

std::uint16_t front_end::open(std::uint16_t port) {
  auto& s = *state_;
  // RESTinio keeps the port that it is made with, so one that the kernel
  // chooses is chosen before.
  asio::ip::tcp::acceptor chosen{s.loop.context()};
  chosen.open(protocol_of(s.address));
  share_port(chosen);
  chosen.bind({s.address, port});
  s.port = chosen.local_endpoint().port();
  s.desk.memory.set_max_of_one(s.opts.max_body * max_body_factor + max_heads);
  s.desk.rules.max_body = s.opts.max_body;
  s.desk.rules.knows = s.heard.knows;
  s.desk.request_id = s.heard.request_id;
  s.desk.refused = [&s](std::string_view line, const std::string& id,
                        const std::string& address, int status) {
    auto blank = line.find(' ');
    auto target = blank == line.npos ? "" : line.substr(blank + 1);
    s.heard.refused({std::string{line.substr(0, blank)},
                     std::string{target.substr(0, target.find(' '))}, id,
                     address, status});
  };
  const auto reserve = s.max_connections / 16;
  s.desk.is_nearly_full = [&s, reserve] {
    return s.watch->open.size() > s.max_connections - reserve;
  };
  s.desk.max_on_trial = std::clamp<std::size_t>(reserve / 4, 1, 256);
  // Leaves room for all on trial and one more, who ends the trial of the first:
  // so whoever comes is accepted, and told.
  s.desk.has_spare_place = [&s] {
    return s.watch->open.size() + s.desk.max_on_trial
           < s.max_connections + s.desk.on_trial.size();
  };
  s.watch->closed = [&s](std::uint64_t id) { s.heard.closed(id); };
  s.library = std::make_unique<library_server>(
    restinio::external_io_context(s.loop.context()),
    [&s](auto& settings) { s.configure(settings); });
  s.library->open_sync();
  return s.port;
}

void front_end::serve(edge& thread) {
  state_->edge = &thread;
}

void front_end::set_shares(std::shared_ptr<address_shares> shares) {
  state_->desk.shares = std::move(shares);
}

void front_end::set_peer_check(
  std::function<bool(int)> is_of_peer,
  std::shared_ptr<address_shares> shares_of_nodes) {
  state_->desk.is_of_peer = std::move(is_of_peer);
  state_->desk.shares_of_nodes = std::move(shares_of_nodes);
}

void front_end::set_git_handoff(connection_taker take) {
  state_->desk.take_git = std::move(take);
}

bool front_end::hands_git_over() const {
  return state_->desk.take_git != nullptr;
}

/// RESTinio gives up accepting when an accept fails. Connections that wait for
/// long show it; a new listening socket is the remedy.
void front_end::watch_accepting() {
  auto& s = *state_;
  if (s.listener >= 0) {
    pollfd waiting{s.listener, POLLIN, 0};
    auto has_room =
      s.watch->open.size() < s.max_connections; // else they wait for it
    auto stuck = has_room && s.watch->accepted == s.accepted_before
                 && ::poll(&waiting, 1, 0) > 0;
    s.accepted_before = s.watch->accepted;
    if (!std::exchange(s.starved, stuck) || !stuck)
      return;
    s.log->warn("connections were not accepted, opening port {} again", s.port);
    s.starved = false;
    s.listener = -1;
    s.library->close_sync();
  }
  try {
    s.library->open_sync();
  } catch (const std::exception& e) {
    s.log->error("port {} cannot be opened yet: {}", s.port, e.what());
  }
}

void front_end::watch_strangers() {
  const auto now = newcomers::clock::now();
  state_->desk.held.look(now, hold_of_refused);
  state_->desk.on_trial.look(now, state_->opts.trial_of_strangers);
  state_->desk.strangers.look(now, state_->opts.idle_of_strangers);
}

std::size_t front_end::open_connections() const noexcept {
  return state_->watch->open.size();
}

void front_end::abandon() {
  state_->desk.waiting.let_go();
}

void front_end::close() {
  state_->library->close_sync();
}

} // namespace greenroom::http
