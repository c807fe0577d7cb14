#include "runtime/runner/outer/slirp.hpp"

#include "runtime/base/fd.hpp"
#include "runtime/runner/outer/groups.hpp"
#include "runtime/runner/outer/stderr_capture.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <system_error>
#include <vector>

namespace greenroom::runner {

namespace {

constexpr int patience_ms = 10'000;

// The copy lives on in the program that is executed.
std::string kept(int fd) {
  return std::to_string(::dup(fd));
}

[[noreturn]] void be_slirp(int network, int users, const sandbox_plan& plan,
                           int ready, int stderr_capture, pid_t parent) {
  try {
    enter_groups(plan.cgroups);
  } catch (const std::exception& problem) {
    ::dprintf(stderr_capture, "%s", problem.what());
    ::_exit(1);
  }
  auto net = "/proc/self/fd/" + kept(network);
  auto owner = "--userns-path=/proc/self/fd/" + kept(users);
  auto told = "--ready-fd=" + kept(ready);
  std::vector<const char*> argv{"slirp4netns", "--configure", "--mtu=65520",
                                "--disable-host-loopback"};
  for (const auto& option : plan.nat_options)
    argv.push_back(option.c_str());
  argv.insert(argv.end(), {told.c_str(), owner.c_str(), "--netns-type=path",
                           net.c_str(), "tap0", nullptr});
  ::dup2(::open("/dev/null", O_WRONLY | O_CLOEXEC), STDOUT_FILENO);
  ::dup2(stderr_capture, STDERR_FILENO);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent)
    ::_exit(1);
  ::execvp(argv[0], const_cast<char* const*>(argv.data()));
  auto error = errno;
  ::dprintf(stderr_capture, "slirp4netns cannot be run: %s",
            std::generic_category().message(error).c_str());
  ::_exit(1);
}

} // namespace

pid_t start_slirp(int network, int users, const sandbox_plan& plan) {
  int ends[2];
  auto stderr_capture = make_complaints();
  if (::pipe2(ends, O_CLOEXEC) != 0)
    throw std::system_error(errno, std::generic_category(),
                            "cannot make a pipe");
  unique_fd answer{ends[0]};
  unique_fd ready{ends[1]};
  auto self = ::getpid();
  auto pid = ::fork();
  if (pid == 0)
    be_slirp(network, users, plan, ready.get(), stderr_capture.get(), self);
  if (pid < 0)
    throw std::system_error(errno, std::generic_category(),
                            "no process can be started");
  ready.reset();
  pollfd item{answer.get(), POLLIN, 0};
  char one = 0;
  if (::poll(&item, 1, patience_ms) > 0
      && ::read(answer.get(), &one, sizeof one) == 1)
    return pid;
  ::kill(pid, SIGKILL);
  ::waitpid(pid, nullptr, 0);
  throw std::runtime_error("the sandbox's network cannot be made: "
                           + last_complaint(stderr_capture.get()));
}

} // namespace greenroom::runner
