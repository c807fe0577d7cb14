#include "tests/support/server_process.hpp"

#include "runtime/base/files.hpp"
#include "runtime/base/pidfd.hpp"
#include "tests/support/build_paths.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/traffic.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <stdexcept>
#include <string_view>
#include <system_error>
#include <utility>

namespace greenroom::test {

namespace {

/// True where one of these sets the same variable.
bool is_set_in(const std::vector<std::string>& env, std::string_view variable) {
  auto name = variable.substr(0, variable.find('=') + 1);
  return std::ranges::any_of(
    env, [&](const std::string& one) { return one.starts_with(name); });
}

} // namespace

server_process::server_process(server_options options)
  : env_(std::move(options.env)), log_file_(std::move(options.log_file)),
    open_files_(options.open_files) {
  arguments_ = {binary_dir() / "greenroom", "serve", "--config",
                options.config_file};
  for (auto& setting : options.set) {
    arguments_.push_back("--set");
    arguments_.push_back(std::move(setting));
  }
}

server_process::~server_process() {
  kill9();
}

void server_process::launch() {
  log_before_ = log().size();
  std::vector<char*> argv;
  for (auto& argument : arguments_)
    argv.push_back(argument.data());
  argv.push_back(nullptr);
  std::vector<char*> env;
  for (auto all = environ; *all != nullptr; ++all)
    if (!is_set_in(env_, *all))
      env.push_back(*all);
  for (auto& variable : env_)
    env.push_back(variable.data());
  env.push_back(nullptr);
  unique_fd log{
    ::open(log_file_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)};
  auto parent = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0)
    throw std::system_error(errno, std::generic_category(), "fork");
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent)
      ::_exit(126);
    ::dup2(log.get(), STDOUT_FILENO);
    ::dup2(log.get(), STDERR_FILENO);
    if (open_files_ != 0) {
      rlimit limit{open_files_, open_files_};
      ::setrlimit(RLIMIT_NOFILE, &limit);
    }
    ::execve(argv.front(), argv.data(), env.data());
    ::_exit(127);
  }
  process_ = open_pidfd(pid_);
}

void server_process::await_serving() {
  auto up = eventually([&] {
    if (auto port = logged_port()) {
      port_ = *port;
      api_port_opened(port_);
      return true;
    }
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) == 0)
      return false;
    pid_ = -1;
    throw std::runtime_error("the node ended at once: " + log());
  });
  if (!up)
    throw std::runtime_error("the node does not serve: " + log());
}

std::optional<std::uint16_t> server_process::logged_port() const {
  auto text = log();
  auto at = text.find("serves at http://", log_before_);
  if (at == std::string::npos)
    return std::nullopt;
  auto end = text.find('\n', at);
  if (end == std::string::npos)
    return std::nullopt;
  auto colon = text.rfind(':', end);
  return static_cast<std::uint16_t>(std::stoi(text.substr(colon + 1)));
}

void server_process::kill9() {
  if (pid_ <= 0)
    return;
  signal_pidfd(process_, SIGKILL);
  wait();
}

void server_process::pause() {
  signal_pidfd(process_, SIGSTOP);
}

void server_process::resume() {
  signal_pidfd(process_, SIGCONT);
}

int server_process::terminate() {
  signal_pidfd(process_, SIGTERM);
  if (!eventually([&] {
        siginfo_t info{};
        return ::waitid(P_PID, static_cast<id_t>(pid_), &info,
                        WEXITED | WNOWAIT | WNOHANG)
                 == 0
               && info.si_pid == pid_;
      })) {
    kill9();
    throw std::runtime_error("the node does not end: " + log());
  }
  auto status = wait();
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

int server_process::wait() {
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  process_.reset();
  api_port_closed(port_);
  return status;
}

std::string server_process::log() const {
  return read_file(log_file_).value_or("");
}

} // namespace greenroom::test
