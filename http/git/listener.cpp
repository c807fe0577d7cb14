#include "http/git/listener.hpp"

#include "http/git/client_connection.hpp"
#include "messages/ids.hpp"

#include <asio/co_spawn.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/redirect_error.hpp>
#include <asio/steady_timer.hpp>
#include <asio/use_awaitable.hpp>
#include <spdlog/spdlog.h>

#include <pthread.h>
#include <sys/socket.h>

#include <csignal>
#include <optional>
#include <thread>
#include <unordered_set>
#include <utility>

namespace greenroom::http::git_http {

namespace {

constexpr std::size_t max_pending = 4096;

/// How often deadlines are looked at.
constexpr std::chrono::milliseconds watch_period{100};

/// A pause when no more connections can be accepted.
constexpr std::chrono::milliseconds accept_pause{100};

void turn_away(const unique_fd& socket) {
  constexpr std::string_view why =
    "greenroom: too many connections by git are open, try again\n";
  auto answer = "HTTP/1.1 503 Service Unavailable\r\n"
                "Content-Type: text/plain; charset=utf-8\r\n"
                "Retry-After: 1\r\nConnection: close\r\nContent-Length: "
                + std::to_string(why.size()) + "\r\n\r\n";
  answer += why;
  [[maybe_unused]] auto sent = ::send(
    socket.get(), answer.data(), answer.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

} // namespace

struct listener::state {
  std::shared_ptr<http::loop> loop;
  edge_actor handle; // keeps the bridge
  std::shared_ptr<git_context> around;
  std::optional<asio::ip::tcp::acceptor> acceptor;
  std::unordered_set<std::shared_ptr<client_connection>> clients;
  const std::string id_prefix = random_hex(8);
  std::uint64_t next_id = 0;
  std::chrono::steady_clock::time_point stop_at;
  bool ended = false;
  std::thread thread;

  state(const options& opts, listener_parts parts);
  void take(unique_fd socket, std::string_view first);
  asio::awaitable<void> accept();
  void tick();
  void begin_to_stop(std::chrono::milliseconds grace);
};

listener::state::state(const options& opts, listener_parts parts)
  : loop(std::make_shared<http::loop>(parts.system)),
    handle(http::bridge::spawn(parts.system, *loop, max_pending,
                               [](const std::string&) {})),
    around(new git_context{opts, parts.system, std::move(parts.directory),
                           std::move(parts.sandbox), std::move(parts.log), loop,
                           http::bridge::behind(handle)}) {}

void listener::state::take(unique_fd socket, std::string_view first) {
  if (clients.size() >= max_connections || around->stopping) {
    turn_away(socket);
    return;
  }
  auto id = id_prefix + "-g" + std::to_string(next_id++);
  auto client = std::make_shared<client_connection>(around, std::move(socket),
                                                    first, std::move(id));
  clients.insert(client);
  auto done = [this, client](const std::exception_ptr&) {
    clients.erase(client);
  };
  asio::co_spawn(loop->context(), client_connection::run(client), done);
}

asio::awaitable<void> listener::state::accept() {
  asio::steady_timer pause{loop->context()};
  while (acceptor->is_open()) {
    asio::error_code error;
    auto socket = co_await acceptor->async_accept(
      asio::redirect_error(asio::use_awaitable, error));
    if (!error) {
      take(unique_fd{socket.release()}, {});
      continue;
    }
    // Too few descriptors, most likely.
    pause.expires_after(accept_pause);
    co_await pause.async_wait(asio::redirect_error(asio::use_awaitable, error));
  }
}

void listener::state::tick() {
  around->bridge.tick();
  const auto now = connection::clock::now();
  for (auto& client : clients)
    client->check_deadlines(now);
  if (!around->stopping || ended)
    return;
  if (now >= stop_at)
    for (auto& client : clients)
      client->stop();
  if (!clients.empty() && now < stop_at + std::chrono::seconds{5})
    return;
  ended = true;
  around->bridge.end();
  loop->post([this] { loop->stop(); });
}

void listener::state::begin_to_stop(std::chrono::milliseconds grace) {
  around->stopping = true;
  stop_at = connection::clock::now() + grace;
  asio::error_code ignored;
  if (acceptor)
    acceptor->close(ignored);
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
  asio::ip::tcp::endpoint where{asio::ip::make_address(address), port};
  auto& acceptor = state_->acceptor;
  acceptor.emplace(state_->loop->context());
  acceptor->open(where.protocol());
  acceptor->set_option(asio::ip::tcp::acceptor::reuse_address{true});
  acceptor->bind(where);
  acceptor->listen();
  return acceptor->local_endpoint().port();
}

void listener::start() {
  auto& s = *state_;
  s.loop->every(watch_period, [&s] { s.tick(); });
  if (s.acceptor)
    asio::co_spawn(s.loop->context(), s.accept(), [](std::exception_ptr) {});
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

void listener::adopt(unique_fd socket, std::string first) {
  auto held = std::make_shared<unique_fd>(std::move(socket));
  state_->loop->post([s = state_.get(), held, first = std::move(first)] {
    s->take(std::move(*held), first);
  });
}

void listener::stop(std::chrono::milliseconds grace) {
  state_->loop->post([s = state_.get(), grace] { s->begin_to_stop(grace); });
}

void listener::join() {
  auto& s = *state_;
  if (s.thread.joinable())
    s.thread.join();
  s.clients.clear();
  s.loop->drop_all();
  s.acceptor.reset();
}

} // namespace greenroom::http::git_http
