#include "runtime/peer/mesh_loop.hpp"

#include "runtime/base/guarded.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <netinet/tcp.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <future>
#include <utility>

namespace greenroom::peer {

namespace {

using boost::system::error_code;

/// Of strangers one is named in the log in so long.
constexpr std::chrono::seconds say_strangers{10};

/// After a failed accept.
constexpr std::chrono::milliseconds accept_pause{100};

std::string address_of(const tcp::socket& socket) {
  error_code error;
  auto where = socket.remote_endpoint(error);
  return error ? "somewhere" : where.address().to_string();
}

} // namespace

mesh::loop::time_limit::time_limit(loop& home, tcp::socket& socket,
                                   std::chrono::milliseconds limit)
  : home_(home), socket_(socket), number_(++home.last_number_),
    timer_(home.io_, limit) {
  home_.limits_.emplace(number_, this);
  timer_.async_wait([home = &home_, number = number_](const error_code& error) {
    if (error)
      return;
    auto found = home->limits_.find(number);
    if (found != home->limits_.end())
      found->second->close();
  });
}

mesh::loop::time_limit::~time_limit() {
  home_.limits_.erase(number_);
}

void mesh::loop::time_limit::close() noexcept {
  is_over_ = true;
  error_code ignored;
  socket_.close(ignored);
}

mesh::loop::loop(mesh_options options, std::shared_ptr<spdlog::logger> log)
  : options_(std::move(options)), log_(std::move(log)),
    context_(make_context(options_.tls, options_.node)),
    work_(asio::make_work_guard(io_)), acceptor_(io_) {}

std::uint16_t mesh::loop::listen() {
  try {
    tcp::resolver names{io_};
    auto where = names.resolve(options_.host, std::to_string(options_.port))
                   .begin()
                   ->endpoint();
    acceptor_.open(where.protocol());
    acceptor_.set_option(tcp::acceptor::reuse_address{true});
    acceptor_.bind(where);
    acceptor_.listen();
  } catch (const boost::system::system_error& e) {
    throw std::runtime_error("cluster.listen " + options_.host + ":"
                             + std::to_string(options_.port)
                             + " cannot be listened on: " + e.code().message());
  }
  return acceptor_.local_endpoint().port();
}

void mesh::loop::start(mesh_listener listener) {
  listener_ = std::move(listener);
  asio::co_spawn(
    io_, [this] { return accept_all(); }, asio::detached);
  thread_ = std::thread{[this] {
    run_guarded_loop(
      [this] { io_.run(); },
      [this](const char* why) { log_->error("cluster.listen: {}", why); });
  }};
}

void mesh::loop::stop() {
  std::lock_guard lock{stop_mutex_};
  if (!thread_.joinable())
    return;
  post([this] { end_all(); });
  thread_.join();
}

// Whatever waits for something ends, and then the thread.
void mesh::loop::end_all() {
  stopping_ = true;
  error_code ignored;
  acceptor_.close(ignored);
  for (auto& [number, limit] : limits_)
    limit->close();
  for (auto& [name, state] : nodes_) {
    if (auto link = state.link)
      link->cut("this node stops");
    state.changed.notify();
    state.pause.cancel();
  }
  auto streams = streams_;
  for (auto& [number, stream] : streams)
    stream->cut("this node stops");
  work_.reset();
}

mesh_counters mesh::loop::counters() const {
  return {strangers_, late_, crowded_out_, objected_, greeting_};
}

asio::awaitable<void> mesh::loop::accept_all() {
  asio::steady_timer pause{io_};
  while (!stopping_) {
    error_code error;
    auto socket = co_await acceptor_.async_accept(
      asio::redirect_error(asio::use_awaitable, error));
    if (stopping_)
      break;
    if (!error) {
      accept_fails_ = false;
      make_room_for_guest();
      asio::co_spawn(io_, receive(std::move(socket)), asio::detached);
      continue;
    }
    if (!std::exchange(accept_fails_, true))
      log_->error("cluster.listen: a connection cannot be accepted: {}",
                  error.message());
    pause.expires_after(accept_pause);
    error_code ignored;
    co_await pause.async_wait(
      asio::redirect_error(asio::use_awaitable, ignored));
  }
}

// Nodes of ours are through in milliseconds; who takes longest is none.
void mesh::loop::make_room_for_guest() {
  if (guests_.size() < options_.max_handshakes)
    return;
  auto oldest = guests_.begin();
  error_code ignored;
  oldest->second->close(ignored);
  guests_.erase(oldest);
  ++crowded_out_;
}

asio::awaitable<void> mesh::loop::receive(tcp::socket socket) {
  auto where = address_of(socket);
  int timeout = static_cast<int>(options_.timeout.count());
  ::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout,
               sizeof timeout);
  error_code ignored;
  socket.set_option(tcp::no_delay{true}, ignored);
  tls_socket tls{std::move(socket), *context_};
  try {
    auto theirs = co_await greet_guest(tls);
    if (theirs.what == purpose::link)
      adopt_link(std::move(tls), theirs, false);
    else if (theirs.service == arrival_service)
      hear_of(theirs);
    else
      serve_stream(std::move(tls), theirs);
  } catch (const objected& e) {
    ++objected_;
    tell_trouble(e.node, e.what());
  } catch (const std::exception& e) {
    refuse(where, e.what());
  }
}

asio::awaitable<hello> mesh::loop::greet_guest(tls_socket& socket) {
  auto number = ++last_number_;
  struct place {
    loop& home;
    std::uint64_t number;
    ~place() {
      home.guests_.erase(number);
      home.greeting_ = home.guests_.size();
    }
  };
  guests_.emplace(number, &socket.next_layer());
  greeting_ = guests_.size();
  place here{*this, number};
  time_limit limit{*this, socket.next_layer(), options_.handshake};
  judge verdict = [this](const hello& theirs) { return judge_guest(theirs); };
  // What a guest asks for is in its hello; ours only says who we are.
  auto own = own_hello();
  std::string nobody;
  try {
    auto theirs = co_await greet(socket, side::accepting, std::move(own),
                                 std::move(nobody), std::move(verdict));
    if (!limit.is_over())
      co_return theirs;
  } catch (const stranger&) {
    if (!limit.is_over())
      throw;
  }
  ++late_;
  throw stranger("it did not greet in time");
}

// It may be one that is waited for, at an address that is not known yet.
void mesh::loop::hear_of(const hello& theirs) {
  if (auto found = nodes_.find(theirs.node); found != nodes_.end()) {
    auto& state = found->second;
    if (state.link && state.info.incarnation != theirs.incarnation)
      state.link->cut("the node was started anew");
    state.pause.cancel();
  }
  if (listener_.arrived)
    listener_.arrived(theirs.node);
}

void mesh::loop::refuse(const std::string& where, const std::string& why) {
  ++strangers_;
  auto now = clock::now();
  if (now - stranger_said_ < say_strangers) {
    ++strangers_unsaid_;
    return;
  }
  stranger_said_ = now;
  log_->warn("cluster.listen: a stranger from {} was dropped, and {} since the "
             "last such line: {}",
             where, std::exchange(strangers_unsaid_, 0), why);
}

hello mesh::loop::own_hello() const {
  hello result;
  result.cluster = options_.cluster;
  result.node = options_.node;
  result.incarnation = options_.incarnation;
  result.actor_system = options_.actor_system;
  return result;
}

std::string mesh::loop::judge_guest(const hello& theirs) {
  if (theirs.what == purpose::stream)
    return {};
  if (!dials(theirs.node, options_.node))
    return "node " + options_.node + " dials the link with node " + theirs.node
           + ", not the other way round";
  auto& state = state_of(theirs.node);
  if (!state.link && !state.is_releasing)
    return {};
  // It knows nothing of the one that we have, or has lost it.
  if (state.link)
    state.link->cut(state.info.incarnation == theirs.incarnation
                      ? "the node dialed again"
                      : "the node was started anew");
  return "node " + options_.node + " takes down its former link with node "
         + theirs.node + ", dial again";
}

} // namespace greenroom::peer
