#include "runtime/runner/outer/port_connections.hpp"

#include "runtime/runner/inner/exec_supervisor.hpp"
#include "runtime/runner/protocol/fd_passing.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace greenroom::runner {

namespace {

bool is_tcp(int fd) {
  auto option = [fd](int name) {
    int value = -1;
    socklen_t size = sizeof value;
    return ::getsockopt(fd, SOL_SOCKET, name, &value, &size) == 0 ? value : -1;
  };
  auto domain = option(SO_DOMAIN);
  return (domain == AF_INET || domain == AF_INET6)
         && option(SO_TYPE) == SOCK_STREAM && option(SO_PROTOCOL) == IPPROTO_TCP
         && option(SO_ACCEPTCONN) == 0;
}

// As of a command: more that die are somebody's doing.
constexpr int most_times_passed_on = 8;

std::string port_name(const connect& what) {
  return "port " + std::to_string(what.port);
}

std::string nothing_listens(const connect& what) {
  return "nothing listens on " + port_name(what) + " in this session";
}

std::string no_answer(const connect& what) {
  return "what listens on " + port_name(what)
         + " in this session does not answer";
}

std::string why_not(const connect& what, int error) {
  if (error == ECONNREFUSED)
    return nothing_listens(what);
  if (error == ETIMEDOUT)
    return no_answer(what);
  return port_name(what) + " of this session cannot be connected to: "
         + std::generic_category().message(error);
}

} // namespace

port_connections::port_connections(event_loop& loop, sandbox_handle& inner,
                                   answer to)
  : loop_(loop), inner_(inner), answer_(std::move(to)) {}

port_connections::~port_connections() {
  for (const auto& [fd, item] : pending_)
    loop_.unwatch(fd);
}

void port_connections::connect(const runner::connect& what,
                               const local_port& port) {
  try {
    if (pending_.size() < max_pending)
      start({what, port, {}, steady::now() + connect_timeout});
    else
      answer_(not_connected{what.ask,
                            "too many connections to this session's ports are "
                            "being made at once, try again"},
              {});
  } catch (const std::exception& problem) {
    answer_(not_connected{what.ask, port_name(what)
                                      + " of this session cannot be connected "
                                        "to: "
                                      + problem.what()},
            {});
  }
}

void port_connections::start(pending item) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0,
                   ends)
      != 0)
    throw std::system_error(errno, std::generic_category(),
                            "cannot make a socket pair");
  item.socket.reset(ends[0]);
  unique_fd theirs{ends[1]};
  const auto& what = item.what;
  if (!inner_.connect(item.port, theirs.get())) {
    answer_(not_connected{what.ask, nothing_listens(what)}, {});
    return;
  }
  auto fd = item.socket.get();
  loop_.watch(fd, [this, fd] { hear(fd); });
  pending_.emplace(fd, std::move(item));
}

void port_connections::hear(int fd) {
  auto found = pending_.find(fd);
  if (found == pending_.end())
    return;
  supervisor_report report{};
  auto got = receive_with_fds(
    fd, {reinterpret_cast<char*>(&report), sizeof report}, MSG_DONTWAIT);
  if (got.size < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  const auto& what = found->second.what;
  if (got.size != sizeof report)
    return give_again(fd);
  if (report.what == supervisor_report::kind::failed)
    return give_up(fd, why_not(what, report.value));
  if (got.fds.size() != 1 || !is_tcp(got.fds[0].get()))
    return give_up(fd, "no descriptor is left for the connection");
  auto ask = what.ask;
  loop_.unwatch(fd);
  pending_.erase(found);
  answer_(connected{ask}, std::move(got.fds[0]));
}

// The supervisor that took it was killed; another one waits, or will.
void port_connections::give_again(int fd) {
  if (pending_.at(fd).times_given == most_times_passed_on)
    return give_up(fd, why_not(pending_.at(fd).what, ECONNABORTED));
  loop_.unwatch(fd);
  auto item = std::move(pending_.extract(fd).mapped());
  const auto what = item.what;
  ++item.times_given;
  try {
    start(std::move(item));
  } catch (const std::exception&) {
    answer_(not_connected{what.ask, why_not(what, ECONNABORTED)}, {});
  }
}

void port_connections::give_up(int fd, std::string reason) {
  loop_.unwatch(fd);
  auto item = pending_.extract(fd);
  answer_(not_connected{item.mapped().what.ask, std::move(reason)}, {});
}

std::optional<steady::time_point> port_connections::deadline() const {
  std::optional<steady::time_point> result;
  for (const auto& [fd, item] : pending_)
    if (!result || item.deadline < *result)
      result = item.deadline;
  return result;
}

void port_connections::on_deadline(steady::time_point now) {
  for (auto i = pending_.begin(); i != pending_.end();) {
    auto& [fd, item] = *i++;
    if (item.deadline <= now)
      give_up(fd, no_answer(item.what));
  }
}

} // namespace greenroom::runner
