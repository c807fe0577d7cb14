#include "runtime/runner/outer/slirp.hpp"

#include "runtime/base/pipe.hpp"
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
#include <utility>
#include <vector>

namespace greenroom::runner {

namespace {

constexpr int slirp_timeout_ms = 10'000;

// The copy lives on in the program that is executed.
std::string kept(int fd) {
  return std::to_string(::dup(fd));
}

[[noreturn]] void be_slirp(int network, int users, const sandbox_plan& plan,
                           bool in_v2, int ready, int stderr_file,
                           pid_t parent) {
  try {
    enter_groups(plan.cgroups, in_v2);
  } catch (const std::exception& problem) {
    ::dprintf(stderr_file, "%s", problem.what());
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
  ::dup2(stderr_file, STDERR_FILENO);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent)
    ::_exit(1);
  ::execvp(argv[0], const_cast<char* const*>(argv.data()));
  auto error = errno;
  ::dprintf(stderr_file, "slirp4netns cannot be run: %s",
            std::generic_category().message(error).c_str());
  ::_exit(1);
}

} // namespace

slirp_start::slirp_start(int network, int users, const sandbox_plan& plan)
  : stderr_(capture_stderr()) {
  auto ends = make_pipe();
  answer_ = std::move(ends.reader);
  const auto ready = std::move(ends.writer);
  auto self = ::getpid();
  auto [pid, in_v2] = fork_for_groups(plan.cgroups);
  if (pid == 0)
    be_slirp(network, users, plan, in_v2, ready.get(), stderr_.get(), self);
  if (pid < 0)
    throw std::system_error(errno, std::generic_category(),
                            "no process can be started");
  pid_ = pid;
}

slirp_start::slirp_start(slirp_start&& other) noexcept
  : pid_(std::exchange(other.pid_, 0)), answer_(std::move(other.answer_)),
    stderr_(std::move(other.stderr_)) {}

slirp_start& slirp_start::operator=(slirp_start&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(answer_, other.answer_);
  std::swap(stderr_, other.stderr_);
  return *this;
}

slirp_start::~slirp_start() {
  if (pid_ == 0)
    return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

pid_t slirp_start::finish() {
  pollfd item{answer_.get(), POLLIN, 0};
  char one = 0;
  if (::poll(&item, 1, slirp_timeout_ms) > 0
      && ::read(answer_.get(), &one, sizeof one) == 1)
    return std::exchange(pid_, 0);
  throw std::runtime_error("the sandbox's network cannot be made: "
                           + last_line_of(stderr_.get()));
}

} // namespace greenroom::runner
