#include "bench/support/child.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <fstream>
#include <stdexcept>
#include <system_error>

namespace greenroom::bench {

std::string program(const std::string& name) {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path() / name;
}

std::string installed(const std::string& name) {
  for (auto dir : {"/usr/local/bin/", "/usr/bin/", "/bin/", "/usr/sbin/"})
    if (::access((dir + name).c_str(), X_OK) == 0)
      return dir + name;
  throw std::runtime_error(name + " is not installed");
}

child::child(const std::vector<std::string>& argv,
             const std::filesystem::path& log) {
  std::vector<char*> arguments;
  for (auto& argument : argv)
    arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    throw std::system_error(errno, std::generic_category(), "pipe2");
  out_.reset(ends[0]);
  unique_fd out{ends[1]};
  unique_fd err;
  if (!log.empty())
    err.reset(
      ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
  auto parent = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0)
    throw std::system_error(errno, std::generic_category(), "fork");
  if (pid_ > 0)
    return;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent)
    ::_exit(126);
  ::dup2(out.get(), STDOUT_FILENO);
  if (err)
    ::dup2(err.get(), STDERR_FILENO);
  ::execv(arguments.front(), arguments.data());
  ::_exit(127);
}

child::~child() {
  if (pid_ <= 0)
    return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

std::string child::first_line() {
  std::string result;
  char c = 0;
  while (::read(out_.get(), &c, 1) == 1)
    if (c == '\n')
      return result;
    else
      result.push_back(c);
  throw std::runtime_error("a program of the benchmark ended at once");
}

bool child::running() {
  if (pid_ > 0 && ::waitpid(pid_, nullptr, WNOHANG) == pid_)
    pid_ = -1;
  return pid_ > 0;
}

void child::terminate() {
  if (!running())
    return;
  ::kill(pid_, SIGTERM);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

double cpu_seconds(pid_t pid) {
  std::ifstream file{"/proc/" + std::to_string(pid) + "/stat"};
  std::string text;
  std::getline(file, text, ')'); // the name may hold blanks
  double user = 0;
  double system = 0;
  for (int i = 0; i < 11; ++i)
    file >> text;
  if (!(file >> user >> system))
    throw std::runtime_error("/proc does not tell what a process has used");
  return (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

} // namespace greenroom::bench
