#include "http/edge/peer_connections.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace greenroom::http {

namespace {

/// Address and port as bytes; empty: it has none.
std::string name_of(int socket, decltype(::getsockname) ask) {
  sockaddr_storage where{};
  socklen_t size = sizeof where;
  if (ask(socket, reinterpret_cast<sockaddr*>(&where), &size) != 0)
    return {};
  auto part = [](const auto& of) {
    return std::string{reinterpret_cast<const char*>(&of), sizeof of};
  };
  if (where.ss_family == AF_INET) {
    auto& four = reinterpret_cast<const sockaddr_in&>(where);
    return part(four.sin_addr) + part(four.sin_port);
  }
  if (where.ss_family == AF_INET6) {
    auto& six = reinterpret_cast<const sockaddr_in6&>(where);
    return part(six.sin6_addr) + part(six.sin6_port);
  }
  return {};
}

void set_any_port(sockaddr_storage& of) {
  if (of.ss_family == AF_INET)
    reinterpret_cast<sockaddr_in&>(of).sin_port = 0;
  else
    reinterpret_cast<sockaddr_in6&>(of).sin6_port = 0;
}

} // namespace

unique_fd peer_connections::connect(const sockaddr& where, socklen_t size) {
  unique_fd result{
    ::socket(where.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)};
  // What connects to an address of this machine comes from the same one.
  sockaddr_storage from{};
  std::memcpy(&from, &where, size);
  set_any_port(from);
  auto* own = reinterpret_cast<const sockaddr*>(&from);
  if (!result || ::bind(result.get(), own, size) != 0 || !expect(result))
    return {};
  if (::connect(result.get(), &where, size) != 0 && errno != EINPROGRESS)
    return {};
  return result;
}

bool peer_connections::expect(const unique_fd& socket) {
  auto name = name_of(socket.get(), ::getsockname);
  unique_fd held{::fcntl(socket.get(), F_DUPFD_CLOEXEC, 0)};
  if (name.empty() || !held)
    return false;
  const auto now = clock::now();
  forget_lost(now);
  std::lock_guard lock{mutex_};
  if (all_.size() >= max_)
    return false;
  all_.insert_or_assign(std::move(name), expected{std::move(held), now});
  return true;
}

void peer_connections::forget_lost(clock::time_point now) {
  std::lock_guard lock{mutex_};
  std::erase_if(all_, [&](const auto& one) {
    return now - one.second.since > longest_wait;
  });
}

bool peer_connections::take(int accepted) {
  std::lock_guard lock{mutex_};
  return !all_.empty() && all_.erase(name_of(accepted, ::getpeername)) != 0;
}

} // namespace greenroom::http
