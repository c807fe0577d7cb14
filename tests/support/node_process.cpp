#include "tests/support/node_process.hpp"

#include "runtime/base/files.hpp"
#include "runtime/base/pidfd.hpp"
#include "runtime/base/run_command.hpp"
#include "runtime/exec/orphans.hpp"
#include "tests/support/build_paths.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/traffic.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <stdexcept>
#include <string_view>
#include <system_error>

namespace greenroom::test {

namespace fs = std::filesystem;

namespace {

void write(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream file{path, std::ios::binary | std::ios::trunc};
  file << text;
  if (!file.flush())
    throw std::runtime_error("cannot write " + path.string());
}

/// Made once; every node gets copies.
const fs::path& seed() {
  static const temp_dir dir;
  static const fs::path made = [] {
    auto work = dir.path() / "work";
    auto bare = dir.path() / "seed.git";
    run_git(dir.path(), {"init", "-q", "-b", "main", "work"});
    write(work / "README.md", "# Demo\n");
    write(work / "src/main.txt", "one\n");
    run_git(work, {"add", "-A"});
    run_git(work, {"commit", "-qm", "First"});
    run_git(work, {"tag", "v1"});
    run_git(work, {"checkout", "-q", "-b", "topic"});
    write(work / "src/topic.txt", "topic\n");
    run_git(work, {"add", "-A"});
    run_git(work, {"commit", "-qm", "Topic"});
    run_git(work, {"checkout", "-q", "main"});
    run_git(dir.path(), {"clone", "-q", "--bare", "work", "seed.git"});
    return bare;
  }();
  return made;
}

/// True where one of these sets the same variable.
bool is_set_in(const std::vector<std::string>& env, std::string_view variable) {
  auto name = variable.substr(0, variable.find('=') + 1);
  return std::ranges::any_of(
    env, [&](const std::string& one) { return one.starts_with(name); });
}

json project(const std::string& id, const fs::path& repo, unsigned sessions) {
  return {{"id", id},
          {"repo", repo.string()},
          {"default_branch", "main"},
          {"protected_branches", {"main"}},
          {"max_active_sessions", sessions}};
}

} // namespace

std::string run_git(const fs::path& cwd, const std::vector<std::string>& args) {
  command what;
  what.argv = {"git"};
  what.argv.insert(what.argv.end(), args.begin(), args.end());
  what.cwd = cwd;
  what.env = {"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/nonexistent",
              "LC_ALL=C", "GIT_CONFIG_NOSYSTEM=1",
              "GIT_CONFIG_GLOBAL=/dev/null",
              // A session's checkout may be another user's.
              "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory",
              "GIT_CONFIG_VALUE_0=*", "GIT_AUTHOR_NAME=Ada",
              "GIT_AUTHOR_EMAIL=ada@example.org", "GIT_COMMITTER_NAME=Ada",
              "GIT_COMMITTER_EMAIL=ada@example.org"};
  auto result = run_command(what);
  if (!result.ok())
    throw std::runtime_error("git: " + result.err);
  if (result.out.ends_with('\n'))
    result.out.pop_back();
  return result.out;
}

node_process::node_process(node_options options)
  : env_(std::move(options.env)), open_files_(options.open_files) {
  env_.push_back("GREENROOM_FAULTS=" + (dir_.path() / "faults").string());
  for (auto name : {"demo.git", "other.git"})
    fs::copy(seed(), dir_.path() / name, fs::copy_options::recursive);
  auto demo = project("demo", upstream(), options.max_active_sessions);
  demo.update(options.project);
  json projects{demo, project("other", dir_.path() / "other.git", 50)};
  write(config_file(),
        json{{"projects", projects}, {"log", {{"level", "debug"}}}}.dump(2));
  arguments_ = {binary_dir() / "greenroom", "serve", "--config", config_file()};
  std::vector<std::string> settings{
    "node.data_dir=" + data_dir().string(), "node.name=test-node",
    "http.listen=127.0.0.1:0", "preview.listen=127.0.0.1:0",
    "sandbox.mode=" + std::string{options.sandboxed ? "bubblewrap" : "none"}};
  settings.insert(settings.end(), options.set.begin(), options.set.end());
  for (auto& setting : settings) {
    arguments_.push_back("--set");
    arguments_.push_back(setting);
  }
  start();
}

node_process::~node_process() {
  try {
    kill9();
    std::error_code none;
    for (auto& session : fs::directory_iterator{data_dir() / "sessions", none})
      kill_orphans(std::array{session.path().filename().string()});
  } catch (const std::exception& e) {
    std::fprintf(stderr, "clearing up after a node: %s\n", e.what());
  }
}

void node_process::start() {
  launch();
  await_serving();
}

void node_process::launch() {
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
  auto log_file = dir_.path() / "log";
  unique_fd log{
    ::open(log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600)};
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

void node_process::await_serving() {
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
  admin_key_ = read_file(data_dir() / "admin.key").value_or("");
  admin_key_.erase(admin_key_.find_last_not_of('\n') + 1);
}

std::optional<std::uint16_t> node_process::logged_port() const {
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

void node_process::kill9() {
  if (pid_ <= 0)
    return;
  signal_pidfd(process_, SIGKILL);
  wait();
}

void node_process::pause() {
  signal_pidfd(process_, SIGSTOP);
}

void node_process::resume() {
  signal_pidfd(process_, SIGCONT);
}

int node_process::terminate() {
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

int node_process::wait() {
  int status = 0;
  ::waitpid(pid_, &status, 0);
  pid_ = -1;
  process_.reset();
  api_port_closed(port_);
  return status;
}

void node_process::inject_faults(const std::string& lines) const {
  auto next = dir_.path() / "faults.next";
  std::ofstream{next} << lines;
  fs::rename(next, dir_.path() / "faults");
}

std::string node_process::log() const {
  return read_file(dir_.path() / "log").value_or("");
}

std::string node_process::git(const std::vector<std::string>& args) const {
  return run_git(upstream(), args);
}

} // namespace greenroom::test
