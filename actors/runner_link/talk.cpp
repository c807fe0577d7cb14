// What a runner says, and what its commands are fed.
#include "actors/runner_link/loop.hpp"

#include "runtime/exec/outcome.hpp"

#include <caf/send.hpp>
#include <spdlog/spdlog.h>
#include <sys/epoll.h>

#include <utility>
#include <variant>

namespace greenroom {

namespace {

// Messages taken from one runner before others get their turn.
constexpr int messages_per_turn = 64;

} // namespace

bool runner_link::loop::send(const std::string& id,
                             const runner::node_message& message) {
  auto to = connection_of(id);
  return to && send(id, to, message);
}

std::function<bool(const runner::node_message&)>
runner_link::loop::line_of(const std::string& id) {
  auto to = connection_of(id);
  if (!to)
    return {};
  return [this, id, to](const auto& message) { return send(id, to, message); };
}

bool runner_link::loop::send(const std::string& id, const connection_ptr& to,
                             const runner::node_message& message) {
  std::lock_guard guard{to->mutex};
  if (to->dropped)
    return false;
  if (to->resting) {
    if (to->held.size() == runner_connection::max_queued)
      return false;
    to->held.push_back(message);
    post(id, [this, id] { wake(id); });
    return true;
  }
  auto sent = to->connection.send(message);
  if (sent && to->connection.wants_write())
    post(id, [this, to] { watch_for_writing(to); });
  return sent;
}

runner_link::loop::connection_ptr
runner_link::loop::connection_of(const std::string& id) {
  std::lock_guard guard{mutex_};
  auto found = connections_.find(id);
  return found == connections_.end() ? nullptr : found->second;
}

void runner_link::loop::watch_for_writing(const connection_ptr& to) {
  std::lock_guard guard{to->mutex};
  if (owners_.contains(to->connection.fd()) && to->connection.wants_write())
    watch(to->connection.fd(), EPOLLIN | EPOLLOUT, EPOLL_CTL_MOD);
}

void runner_link::loop::flush(link& entry) {
  std::lock_guard guard{entry.connection->mutex};
  auto& connection = entry.connection->connection;
  if (connection.flush() && !connection.wants_write())
    watch(connection.fd(), EPOLLIN, EPOLL_CTL_MOD);
}

// -- what a runner says -------------------------------------------------------

void runner_link::loop::receive(const std::string& id) {
  for (int i = 0; i < messages_per_turn; ++i) {
    auto found = links_.find(id);
    if (found == links_.end() || !found->second.connection)
      return;
    auto from = found->second.connection;
    runner_connection::received news;
    {
      std::lock_guard guard{from->mutex};
      news = from->connection.receive();
    }
    if (std::holds_alternative<runner_connection::nothing>(news))
      return;
    if (std::holds_alternative<runner_connection::closed>(news)) {
      if (found->second.at == phase::resting)
        fall_asleep(id, found->second);
      else
        down(id, found->second.stopping ? "" : "the session's runner has died");
      return;
    }
    std::visit([&](auto& message) { on(id, found->second, message); },
               std::get<runner::runner_message>(news));
  }
}

void runner_link::loop::on(const std::string& id, link& entry,
                           runner::hello_reply& message) {
  if (entry.at != phase::greeting || message.nonce != entry.nonce) {
    down(id, "the session's runner is not the one it was");
    return;
  }
  if (message.version < runner::lowest_version
      || message.version > runner::highest_version) {
    down(id, "the session's runner speaks another version of the protocol");
    return;
  }
  entry.version = message.version;
  entry.connection->process = message.pid;
  if (entry.connection->resting) {
    go_on(id, entry); // its user has never known it to be gone
    return;
  }
  entry.at = phase::up;
  timed_.erase(id);
  {
    std::lock_guard guard{mutex_};
    connections_[id] = entry.connection;
  }
  if (entry.stopping) {
    tell_stop(id, entry);
    return;
  }
  for (auto& exec : message.execs)
    if (exec.time != 0)
      feed_first(id, entry, exec.exec);
  runner_up up;
  for (auto& exec : message.execs)
    up.execs.push_back({std::move(exec.exec), exec.records, exec.time});
  caf::anon_send(entry.user, std::move(up));
}

void runner_link::loop::on(const std::string& id, link& entry,
                           runner::started& message) {
  feed_first(id, entry, message.exec);
  caf::anon_send(entry.user,
                 exec_started{std::move(message.exec), message.time});
}

void runner_link::loop::on(const std::string&, link& entry,
                           runner::refused& message) {
  caf::anon_send(entry.user, exec_refused{std::move(message.exec),
                                          std::move(message.reason)});
}

void runner_link::loop::on(const std::string&, link& entry,
                           runner::output_available& message) {
  caf::anon_send(entry.user,
                 exec_grown{std::move(message.exec), message.records});
}

void runner_link::loop::on(const std::string&, link& entry,
                           runner::exited& message) {
  close_input(entry, message.exec, "the command has ended");
  caf::anon_send(entry.user,
                 exec_ended{std::move(message.exec), message.record.records,
                            outcome_of(message.record)});
}

void runner_link::loop::on(const std::string& id, link&,
                           runner::error& message) {
  spdlog::error("session {}: its runner says: {}", id, message.reason);
  down(id, message.reason);
}

// Of this server's requests, one that the runner is too old for.
void runner_link::loop::on(const std::string& id, link&,
                           runner::unsupported& message) {
  spdlog::warn("session {}: its runner does not know \"{}\"", id,
               message.request);
}

// -- ports --------------------------------------------------------------------

void runner_link::loop::connect_port(const std::string& id,
                                     const runner_user_actor& user,
                                     std::uint64_t ticket, std::uint16_t port) {
  auto found = links_.find(id);
  if (found == links_.end() || found->second.at != phase::up) {
    refuse_connect(user, ticket,
                   "nothing runs in this session yet, so nothing "
                   "listens on port "
                     + std::to_string(port));
    return;
  }
  auto& entry = found->second;
  if (entry.version < runner::version_with_ports) {
    refuse_connect(user, ticket,
                   "this session's commands were started by an older version "
                   "of the server, which cannot connect to ports; a new "
                   "session can");
    return;
  }
  entry.connects.insert(ticket);
  connecting_.push_back(
    {id, ticket,
     clock::now() + std::chrono::milliseconds{connect_port_timeout}});
  send(id, runner::connect{ticket, port});
}

void runner_link::loop::refuse_connect(const runner_user_actor& user,
                                       std::uint64_t ticket,
                                       const std::string& problem) {
  caf::anon_send(user, port_connected{ticket, {}, problem});
}

// Answers, unless that has been done.
void runner_link::loop::end_connect(link& entry, std::uint64_t ticket,
                                    std::string problem, unique_fd socket) {
  if (entry.connects.erase(ticket) == 0)
    return;
  port_connected news{ticket, {}, std::move(problem)};
  if (socket)
    news.socket = passed_fd{socket.release()};
  caf::anon_send(entry.user, std::move(news));
}

void runner_link::loop::on(const std::string&, link& entry,
                           runner::connected& message) {
  end_connect(entry, message.ask, {}, entry.connection->connection.take_fd());
}

void runner_link::loop::on(const std::string&, link& entry,
                           runner::not_connected& message) {
  end_connect(entry, message.ask, std::move(message.reason));
}

void runner_link::loop::on(const std::string&, link& entry,
                           runner::ports& message) {
  ports_changed news;
  for (auto& port : message.all)
    news.ports.push_back({port.port, std::move(port.address),
                          std::move(port.process), std::move(port.exec)});
  caf::anon_send(entry.user, std::move(news));
}

// -- what its commands are fed ------------------------------------------------

void runner_link::loop::on(const std::string& id, link& entry,
                           runner::input& message) {
  auto end = entry.connection->connection.take_fd();
  auto found = entry.inputs.find(message.exec);
  if (found == entry.inputs.end())
    return; // the command has ended meanwhile
  found->second.open(std::move(end));
  pump_input(id, message.exec);
}

void runner_link::loop::on(const std::string&, link& entry,
                           runner::no_input& message) {
  close_input(entry, message.exec, message.reason);
}

void runner_link::loop::feed(input_request request) {
  auto found = links_.find(request.id);
  if (found == links_.end())
    return; // its user has heard, or will hear, that the runner is gone
  auto& entry = found->second;
  if (entry.at != phase::up) {
    caf::anon_send(entry.user, input_written{request.ticket,
                                             "the session's runner is gone"});
    return;
  }
  auto [place, first] = entry.inputs.try_emplace(request.exec_id);
  if (request.rows > 0)
    place->second.resize(request.ticket, request.rows, request.cols);
  else
    place->second.write(request.ticket, std::move(request.data), request.eof);
  if (first)
    send(request.id, runner::open_input{request.exec_id});
  else
    pump_input(request.id, request.exec_id);
}

void runner_link::loop::pump_input(const std::string& id,
                                   const std::string& exec_id) {
  auto& entry = links_.at(id);
  auto found = entry.inputs.find(exec_id);
  if (found == entry.inputs.end())
    return;
  auto& channel = found->second;
  auto before = channel.fd();
  // What the channel closes must be out of the poll while it is still open.
  if (before >= 0)
    disown(before);
  for (auto& answer : channel.pump())
    caf::anon_send(entry.user,
                   input_written{answer.ticket, std::move(answer.problem)});
  if (channel.take_eof())
    send(id, runner::close_input{exec_id});
  if (!channel.wants_write())
    return;
  try {
    own(channel.fd(), {id, exec_id}, EPOLLOUT);
  } catch (const std::exception& e) {
    close_input(entry, exec_id,
                std::string{"the command's standard input cannot be watched: "}
                  + e.what());
  }
}

void runner_link::loop::close_input(link& entry, const std::string& exec_id,
                                    const std::string& problem) {
  auto found = entry.inputs.find(exec_id);
  if (found == entry.inputs.end())
    return;
  auto& channel = found->second;
  if (channel.fd() >= 0)
    disown(channel.fd());
  channel.close(problem);
  for (auto& answer : channel.pump())
    caf::anon_send(entry.user,
                   input_written{answer.ticket, std::move(answer.problem)});
  entry.inputs.erase(found);
}

} // namespace greenroom
