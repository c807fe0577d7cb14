#include "runtime/runner/outer/sandbox_handle.hpp"

#include "runtime/base/throw_errno.hpp"
#include "runtime/runner/inner/init.hpp"
#include "runtime/runner/outer/block_host_routes.hpp"
#include "runtime/runner/outer/groups.hpp"
#include "runtime/runner/outer/memory_events.hpp"
#include "runtime/runner/outer/network_rights.hpp"
#include "runtime/runner/outer/slirp.hpp"
#include "runtime/runner/outer/stderr_capture.hpp"
#include "runtime/runner/outer/user_namespaces.hpp"
#include "runtime/runner/protocol/fd_passing.hpp"

#include <fcntl.h>
#include <linux/nsfs.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <tuple>
#include <utility>
#include <vector>

namespace greenroom::runner {

namespace {

// More than any machine needs; the runner does nothing else meanwhile.
constexpr int timeout_ms = 10'000;

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (auto& text : texts)
    result.push_back(text.data());
  result.push_back(nullptr);
  return result;
}

void kill_and_reap(pid_t child) {
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

constexpr const char* as_user_option = "--as-user";

bool has_own_user(const sandbox_plan& plan) {
  return std::ranges::find(plan.argv, as_user_option) != plan.argv.end();
}

// What this program would be run for is done at once. Throws std::system_error
// where there is no such program.
[[noreturn]] void execute(std::vector<std::string>& argv) {
  auto pointers = pointers_to(argv);
  if (argv[1] == as_user_option)
    run_with_own_user(parse_own_user(argv[2]), pointers.data() + 3);
  ::execvp(pointers[0], pointers.data());
  throw_errno(argv[0] + " cannot be run");
}

// Sessions before the node, their runners and everything else of the machine.
// What is raised can be raised further from inside, and lowered by root only.
void go_first_when_memory_ends() {
  unique_fd file{::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC)};
  if (file)
    std::ignore = ::write(file.get(), "500", 3);
}

std::pair<unique_fd, unique_fd> make_pair(int type) {
  int ends[2];
  if (::socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) != 0)
    throw_errno("cannot make a socket pair");
  return {unique_fd{ends[0]}, unique_fd{ends[1]}};
}

// The one that bwrap says it has made, { "child-pid": 123, ...: in namespaces
// that are there already, though nothing is mounted in them yet.
pid_t first_process(int news) {
  constexpr std::string_view name = "\"child-pid\": ";
  std::string text;
  std::array<char, 512> buffer;
  pollfd item{news, POLLIN, 0};
  while (text.find(',') == text.npos) {
    auto told = ::poll(&item, 1, timeout_ms) > 0;
    auto size = told ? ::read(news, buffer.data(), buffer.size()) : -1;
    if (size <= 0)
      break;
    text.append(buffer.data(), static_cast<std::size_t>(size));
  }
  auto at = text.find(name);
  return at == text.npos ? 0 : std::atoi(text.c_str() + at + name.size());
}

// Not the network that this process is in.
bool is_own(int network) {
  struct stat theirs;
  struct stat ours;
  return ::fstat(network, &theirs) == 0
         && ::stat("/proc/self/ns/net", &ours) == 0
         && theirs.st_ino != ours.st_ino;
}

} // namespace

sandbox_handle::sandbox_handle(const runner_config& config,
                               int session_dir) noexcept
  : config_(config), session_dir_(session_dir) {}

void sandbox_handle::give(const command_spec& spec, const spawn_files& files) {
  if (outermost_ == 0)
    start();
  else if (network_ && slirp_ == 0)
    slirp_ = attach_network().finish(); // it has died, and was only that
  send_request(requests_.get(), spec, files);
}

bool sandbox_handle::connect(const local_port& port, int control) {
  if (outermost_ == 0)
    return false;
  send_connect(requests_.get(), port, control);
  return true;
}

std::uint64_t sandbox_handle::out_of_memory_kills() const {
  return config_.sandbox ? runner::out_of_memory_kills(config_.sandbox->cgroups)
                         : 0;
}

std::string sandbox_handle::why_out_of_memory() const {
  return runner::why_out_of_memory(config_.sandbox->cgroups);
}

std::vector<std::string> sandbox_handle::try_out() {
  start();
  if (host_hidden_)
    return {};
  return {"sessions reach all ports of the host's name server, for this kernel "
          "has no routing rules"};
}

void sandbox_handle::kill() noexcept {
  if (outermost_ != 0)
    ::kill(outermost_, SIGKILL);
}

bool sandbox_handle::note_end(pid_t child) {
  if (child == slirp_)
    slirp_ = 0;
  if (child != outermost_)
    return false;
  give_up();
  return true;
}

void sandbox_handle::enter_users() const noexcept {
  if (outermost_ == 0 || !config_.sandbox || !has_own_user(*config_.sandbox)
      || ::geteuid() == 0)
    return;
  auto path = "/proc/" + std::to_string(init_) + "/ns/user";
  unique_fd inner{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  unique_fd outer{inner ? ::ioctl(inner.get(), NS_GET_PARENT) : -1};
  if (outer)
    ::setns(outer.get(), CLONE_NEWUSER);
}

void sandbox_handle::give_up() {
  requests_.reset();
  network_.reset();
  users_.reset();
  outermost_ = 0;
  ++life_;
}

void sandbox_handle::start() {
  auto [ours, theirs] = make_pair(SOCK_SEQPACKET);
  auto [news, teller] = make_pair(SOCK_STREAM);
  requests_ = std::move(ours);
  // So the kernel tells who it is that answers, in our numbers.
  int on = 1;
  ::setsockopt(requests_.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
  auto stderr_file = capture_stderr();
  auto [pid, in_v2] = fork_for_groups(config_.sandbox ? config_.sandbox->cgroups
                                                      : control_group_list{});
  if (pid < 0)
    throw_errno("no process can be started");
  if (pid == 0) {
    if (config_.sandbox)
      be_sandbox(theirs.get(), in_v2, stderr_file.get(), teller.get());
    be_without_sandbox(theirs.get());
  }
  theirs.reset();
  teller.reset();
  outermost_ = pid;
  try {
    await_ready(stderr_file.get(), news.get());
  } catch (...) {
    kill_and_reap(pid);
    give_up();
    throw;
  }
}

// The network is made while the rest is. Where neither can be, it is the rest
// that says why.
void sandbox_handle::await_ready(int stderr_file, int news) {
  std::optional<slirp_start> slirp;
  std::exception_ptr no_network;
  if (config_.sandbox)
    try {
      slirp = open_network(news);
    } catch (const std::exception&) {
      no_network = std::current_exception();
    }
  init_ = await_init(stderr_file);
  if (no_network)
    std::rethrow_exception(no_network);
  // Not before: of a plain user's sandbox its first process itself writes which
  // groups there are, some time after it is known.
  if (network_)
    grant_network_rights(network_.get(), users_.get());
  if (slirp)
    slirp_ = slirp->finish();
  else
    network_.reset();
}

void sandbox_handle::be_without_sandbox(int requests) {
  go_first_when_memory_ends();
  if (::fchdir(session_dir_) != 0)
    ::_exit(1);
  run_init(requests, config_.checkout.c_str());
}

void sandbox_handle::be_sandbox(int requests, bool in_v2, int stderr_file,
                                int news) {
  const auto& plan = *config_.sandbox;
  go_first_when_memory_ends();
  try {
    enter_groups(plan.cgroups, in_v2);
    auto argv = plan.argv;
    if (!plan.seccomp_file.empty()) {
      unique_fd filter{::open(plan.seccomp_file.c_str(), O_RDONLY | O_CLOEXEC)};
      if (!filter)
        throw_errno("cannot open \"" + plan.seccomp_file + '"');
      // Without O_CLOEXEC, which the copy does not have.
      argv.insert(argv.end(),
                  {"--seccomp", std::to_string(::dup(filter.get()))});
    }
    argv.insert(argv.end(), {"--info-fd", std::to_string(::dup(news)), "--",
                             plan.runner, "--init", plan.checkout});
    for (const auto& [name, value] : plan.rlimits)
      argv.push_back(name + '=' + std::to_string(value));
    ::dup2(requests, STDIN_FILENO);
    ::dup2(stderr_file, STDERR_FILENO);
    execute(argv);
  } catch (const std::exception& problem) {
    ::dprintf(stderr_file, "%s", problem.what());
    ::_exit(1);
  }
}

// Returns its pid when it is ready.
pid_t sandbox_handle::await_init(int stderr_file) {
  pollfd item{requests_.get(), POLLIN, 0};
  char ready = 0;
  if (::poll(&item, 1, timeout_ms) > 0)
    if (auto answer =
          receive_with_fds(requests_.get(), {&ready, 1}, MSG_DONTWAIT);
        answer.size == 1 && answer.sender > 0)
      return answer.sender;
  auto why = last_line_of(stderr_file);
  throw std::runtime_error((config_.sandbox ? "the sandbox cannot be made: "
                                            : "commands cannot be started: ")
                           + (why.empty() ? "it does not answer" : why));
}

// Nothing where nothing is to be attached to it.
std::optional<slirp_start> sandbox_handle::open_network(int news) {
  auto path = "/proc/" + std::to_string(first_process(news)) + "/ns/net";
  network_.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (network_)
    users_.reset(::ioctl(network_.get(), NS_GET_USERNS));
  if (!users_ || !is_own(network_.get()))
    network_.reset();
  if (!config_.sandbox->nat)
    return std::nullopt;
  if (!network_)
    throw_errno("the sandbox's network cannot be found");
  return attach_network();
}

slirp_start sandbox_handle::attach_network() {
  // First, and each time, for the host's addresses change.
  host_hidden_ = block_host_routes(network_.get(), users_.get());
  return {network_.get(), users_.get(), *config_.sandbox};
}

} // namespace greenroom::runner
