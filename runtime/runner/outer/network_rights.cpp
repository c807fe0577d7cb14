#include "runtime/runner/outer/network_rights.hpp"

#include "runtime/base/fd.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <sstream>
#include <string>
#include <string_view>
#include <tuple>

namespace greenroom::runner {

namespace {

// Group ids are as the writing process sees them. The session's is the last one
// of the namespace's map.
std::string own_group() {
  unique_fd file{::open("/proc/self/gid_map", O_RDONLY | O_CLOEXEC)};
  std::array<char, 128> text{};
  std::ignore = ::read(file.get(), text.data(), text.size() - 1);
  std::istringstream lines{text.data()};
  std::string group = "0";
  for (std::string first, others;
       lines >> first && std::getline(lines, others);)
    group = first;
  return group;
}

// By /proc/sys/net each process sees the network that it is in.
void set(const char* path, std::string_view value) {
  if (unique_fd file{::open(path, O_WRONLY | O_CLOEXEC)})
    std::ignore = ::write(file.get(), value.data(), value.size());
}

void set_from_within(int network, int users) {
  if (::setns(users, CLONE_NEWUSER) != 0 || ::setns(network, CLONE_NEWNET) != 0)
    return;
  auto group = own_group();
  set("/proc/sys/net/ipv4/ping_group_range", group + ' ' + group);
  set("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
}

} // namespace

// Namespaces are for one's whole life, so it is the work of a child.
void grant_network_rights(int network, int users) noexcept {
  auto pid = ::fork();
  if (pid == 0) {
    set_from_within(network, users);
    ::_exit(0);
  }
  if (pid > 0)
    ::waitpid(pid, nullptr, 0);
}

} // namespace greenroom::runner
