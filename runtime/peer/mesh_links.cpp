#include "runtime/peer/mesh_loop.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <netinet/tcp.h>
#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

namespace greenroom::peer {

namespace {

using boost::system::error_code;

/// A link that lasted less is as good as one that could not be made.
constexpr std::chrono::seconds short_life{5};

struct fd_pair {
  unique_fd ours;
  unique_fd theirs;
};

fd_pair make_pair() {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
    throw std::system_error(errno, std::generic_category(), "no socket pair");
  return {unique_fd{fds[0]}, unique_fd{fds[1]}};
}

} // namespace

mesh::loop::node_state& mesh::loop::state_of(const std::string& node) {
  return nodes_.try_emplace(node, io_).first->second;
}

mesh::loop::node_state* mesh::loop::state_with(std::uint64_t link) {
  for (auto& [name, state] : nodes_)
    if (state.info.number == link)
      return &state;
  return nullptr;
}

void mesh::loop::set_nodes(std::vector<known_node> nodes) {
  if (stopping_)
    return;
  for (auto& [name, state] : nodes_)
    state.is_known = false;
  for (auto& node : nodes) {
    if (node.node == options_.node)
      continue;
    auto& state = state_of(node.node);
    state.is_known = true;
    const bool is_new = state.where.node.empty();
    if (state.where != node)
      state.pause.cancel();
    state.where = std::move(node);
    if (!dials(options_.node, state.where.node)) {
      if (is_new && !state.link)
        asio::co_spawn(io_, tell_of_self(state.where), asio::detached);
    } else if (!std::exchange(state.is_dialing, true)) {
      asio::co_spawn(
        io_, [this, &state] { return keep_linked(state); }, asio::detached);
    }
  }
  for (auto& [name, state] : nodes_) {
    if (state.is_known)
      continue;
    state.changed.notify();
    state.pause.cancel();
    if (auto link = state.link)
      link->cut("the node has left the cluster");
  }
}

// Dials a node whenever there is no link with it.
asio::awaitable<void> mesh::loop::keep_linked(node_state& state) {
  auto pause = options_.first_pause;
  while (state.is_known && !stopping_) {
    if (state.link || state.is_releasing) {
      co_await state.changed.wait();
      continue;
    }
    if (state.linked_at != clock::time_point{}) {
      auto lasted = clock::now() - std::exchange(state.linked_at, {});
      if (lasted > short_life)
        pause = options_.first_pause;
    }
    auto why = co_await dial_link(state);
    if (!why.empty() && !stopping_)
      tell_trouble(state.where.node, why);
    if (why.empty() && pause == options_.first_pause)
      continue;
    state.pause.expires_after(jittered(pause));
    pause = std::min(pause * 2, options_.longest_pause);
    error_code ignored;
    co_await state.pause.async_wait(
      asio::redirect_error(asio::use_awaitable, ignored));
  }
  state.is_dialing = false;
}

std::chrono::milliseconds
mesh::loop::jittered(std::chrono::milliseconds pause) {
  std::uniform_int_distribution<std::int64_t> some{pause.count() / 2,
                                                   pause.count()};
  return std::chrono::milliseconds{some(random_)};
}

// Why there is no link; empty: there is one.
asio::awaitable<std::string> mesh::loop::dial_link(node_state& state) {
  std::string problem;
  auto where = state.where;
  auto name = where.node;
  hello theirs;
  try {
    auto own = own_hello();
    auto socket = co_await dial(std::move(where), std::move(own), theirs);
    if (stopping_ || !state.is_known)
      co_return std::string{};
    adopt_link(std::move(socket), theirs, true);
  } catch (const objected& e) {
    ++objected_;
    problem = e.what();
  } catch (const std::exception& e) {
    problem = "node " + name + " cannot be reached: " + e.what();
  }
  co_return problem;
}

// One that does not hear of it reads of it later.
asio::awaitable<void> mesh::loop::tell_of_self(known_node where) {
  auto name = where.node;
  auto own = own_hello();
  own.what = purpose::stream;
  own.service = arrival_service;
  hello theirs;
  try {
    auto told = co_await dial(std::move(where), std::move(own), theirs);
  } catch (const std::exception& e) {
    log_->debug("node {} is not told that this one is there: {}", name,
                e.what());
  }
}

asio::awaitable<tls_socket> mesh::loop::dial(known_node where, hello own,
                                             hello& theirs) {
  tcp::socket socket{io_};
  {
    time_limit limit{*this, socket, options_.connect};
    tcp::resolver names{io_};
    error_code error;
    auto port = std::to_string(where.port);
    auto found = co_await names.async_resolve(
      where.host, port, asio::redirect_error(asio::use_awaitable, error));
    if (!error && !limit.is_over())
      co_await asio::async_connect(
        socket, found, asio::redirect_error(asio::use_awaitable, error));
    if (limit.is_over())
      throw std::runtime_error(
        "no answer within " + std::to_string(options_.connect.count()) + " ms");
    if (error)
      throw std::runtime_error(error.message());
  }
  socket.set_option(tcp::no_delay{true});
  int timeout = static_cast<int>(options_.timeout.count());
  ::setsockopt(socket.native_handle(), IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout,
               sizeof timeout);
  tls_socket tls{std::move(socket), *context_};
  time_limit limit{*this, tls.next_layer(), options_.handshake};
  judge content = [](const hello&) { return std::string{}; };
  try {
    theirs = co_await greet(tls, side::dialing, std::move(own),
                            std::move(where.node), std::move(content));
  } catch (const stranger&) {
    if (limit.is_over())
      throw std::runtime_error("it did not greet in time");
    throw;
  }
  if (limit.is_over())
    throw std::runtime_error("it did not greet in time");
  co_return tls;
}

connection_options mesh::loop::options_for(const hello& theirs) const {
  return {options_.heartbeat, options_.timeout, default_window, theirs.window};
}

void mesh::loop::adopt_link(tls_socket socket, const hello& theirs,
                            bool dialed) {
  auto& state = state_of(theirs.node);
  if (state.link || state.is_releasing)
    throw objected(theirs.node, "there is another link already");
  auto pair = make_pair();
  auto number = ++last_number_;
  state.info = {number, theirs.node, theirs.incarnation, dialed};
  state.linked_at = clock::now();
  state.trouble.clear();
  state.link = std::make_shared<connection>(
    io_, std::move(socket), std::move(pair.ours), options_for(theirs),
    [this, number](const std::string& why) { link_ended(number, why); });
  {
    std::lock_guard lock{offered_mutex_};
    offered_[number] = std::move(pair.theirs);
  }
  log_->info("linked with node {}", theirs.node);
  state.link->start();
  listener_.up(state.info);
}

unique_fd mesh::loop::take(std::uint64_t link) {
  std::lock_guard lock{offered_mutex_};
  auto found = offered_.extract(link);
  return found ? std::move(found.mapped()) : unique_fd{};
}

void mesh::loop::link_ended(std::uint64_t link, const std::string& why) {
  take(link);
  auto* state = state_with(link);
  if (state == nullptr || !state->link)
    return;
  auto lost = state->link->unacknowledged();
  state->link.reset();
  state->is_releasing = true;
  auto reason = why.empty() ? "it was closed" : why;
  if (lost != 0)
    reason += ", " + std::to_string(lost) + " bytes were not acknowledged";
  log_->info("the link with node {} is down: {}", state->info.node, reason);
  listener_.down(state->info, reason);
}

void mesh::loop::cut(std::uint64_t link, const std::string& why) {
  auto* state = state_with(link);
  if (state == nullptr)
    return;
  if (auto there = state->link)
    there->cut(why);
}

void mesh::loop::release(std::uint64_t link) {
  auto* state = state_with(link);
  if (state == nullptr || state->link)
    return;
  state->is_releasing = false;
  state->changed.notify();
}

void mesh::loop::tell_trouble(const std::string& node, const std::string& why) {
  auto& state = state_of(node);
  if (std::exchange(state.trouble, why) == why)
    return;
  log_->warn("{}", why);
  listener_.trouble(node, why);
}

void mesh::loop::open_stream(const std::string& node,
                             const std::string& service, opened then) {
  auto found = nodes_.find(node);
  if (stopping_ || found == nodes_.end() || !found->second.is_known) {
    then(unique_fd{}, "no node " + node + " is known");
    return;
  }
  asio::co_spawn(
    io_,
    [this, where = found->second.where, service,
     then = std::move(then)]() mutable {
      return run_stream(std::move(where), std::move(service), std::move(then));
    },
    asio::detached);
}

asio::awaitable<void> mesh::loop::run_stream(known_node where,
                                             std::string wanted, opened then) {
  std::string problem;
  unique_fd bytes;
  auto name = where.node;
  hello theirs;
  auto own = own_hello();
  own.what = purpose::stream;
  own.service = std::move(wanted);
  try {
    auto socket = co_await dial(std::move(where), std::move(own), theirs);
    auto pair = make_pair();
    adopt_stream(std::move(socket), theirs, std::move(pair.ours));
    bytes = std::move(pair.theirs);
  } catch (const std::exception& e) {
    problem = "node " + name + " cannot be reached: " + e.what();
  }
  then(std::move(bytes), problem);
}

void mesh::loop::serve_stream(tls_socket socket, const hello& theirs) {
  unique_fd local;
  if (listener_.serve)
    local = listener_.serve(theirs.node, theirs.service);
  if (!local)
    throw objected(theirs.node, "node " + options_.node + " has no service "
                                  + theirs.service + " for node "
                                  + theirs.node);
  adopt_stream(std::move(socket), theirs, std::move(local));
}

void mesh::loop::adopt_stream(tls_socket socket, const hello& theirs,
                              unique_fd local) {
  auto number = ++last_number_;
  auto made = std::make_shared<connection>(
    io_, std::move(socket), std::move(local), options_for(theirs),
    [this, number](const std::string&) { streams_.erase(number); });
  streams_.emplace(number, made);
  made->start();
}

} // namespace greenroom::peer
