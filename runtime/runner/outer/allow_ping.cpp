#include "runtime/runner/outer/allow_ping.hpp"

#include "runtime/base/fd.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <sstream>
#include <string>
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

void set_from_within(int network, int users) {
  if (::setns(users, CLONE_NEWUSER) != 0 || ::setns(network, CLONE_NEWNET) != 0)
    return;
  auto group = own_group();
  auto range = group + ' ' + group;
  unique_fd file{
    ::open("/proc/sys/net/ipv4/ping_group_range", O_WRONLY | O_CLOEXEC)};
  if (file)
    std::ignore = ::write(file.get(), range.data(), range.size());
}

} // namespace

// Namespaces are for one's whole life, so it is the work of a child.
void allow_ping(int network, int users) noexcept {
  auto pid = ::fork();
  if (pid == 0) {
    set_from_within(network, users);
    ::_exit(0);
  }
  if (pid > 0)
    ::waitpid(pid, nullptr, 0);
}

} // namespace greenroom::runner
