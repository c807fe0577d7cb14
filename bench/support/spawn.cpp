#include "bench/support/spawn.hpp"

#include "runtime/base/fd.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <stdexcept>
#include <system_error>

namespace greenroom::bench {

namespace {

struct pipe_ends {
  unique_fd out;
  unique_fd in;
};

pipe_ends make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    throw std::system_error(errno, std::generic_category(), "pipe2");
  return {unique_fd{ends[0]}, unique_fd{ends[1]}};
}

std::string read_to_end(const unique_fd& from) {
  std::string result;
  char buffer[4096];
  for (ssize_t got = 0; (got = ::read(from.get(), buffer, sizeof buffer)) > 0;)
    result.append(buffer, static_cast<std::size_t>(got));
  return result;
}

} // namespace

void spawn(const std::vector<std::string>& argv) {
  auto out = make_pipe();
  auto err = make_pipe();
  ::posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, out.in.get(), 1);
  ::posix_spawn_file_actions_adddup2(&actions, err.in.get(), 2);
  std::vector<char*> arguments;
  for (auto& argument : argv)
    arguments.push_back(const_cast<char*>(argument.c_str()));
  arguments.push_back(nullptr);
  pid_t pid = -1;
  auto error = ::posix_spawnp(&pid, arguments.front(), &actions, nullptr,
                              arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0)
    throw std::system_error(error, std::generic_category(), argv.front());
  out.in.reset();
  err.in.reset();
  read_to_end(out.out);
  auto complaint = read_to_end(err.out);
  int status = -1;
  if (::waitpid(pid, &status, 0) != pid || status != 0)
    throw std::runtime_error(argv.front() + " has failed: " + complaint);
}

} // namespace greenroom::bench
