// greenroom-runner: runs a session's commands, and stays when the server goes.
#include "runtime/base/version.hpp"
#include "runtime/runner/inner/become.hpp"
#include "runtime/runner/inner/init.hpp"
#include "runtime/runner/outer/start.hpp"
#include "runtime/runner/outer/user_namespaces.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <exception>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

namespace {

constexpr const char* usage =
  "usage: greenroom-runner --session-dir DIR\n"
  "\n"
  "Starts the runner of the session in DIR in the background and returns\n"
  "when it listens on DIR/runner.sock. DIR/runner.json tells it who may\n"
  "command it. The server starts it by itself.\n"
  "\n"
  "  --session-dir DIR  the session's directory\n"
  "  --try-out DIR      only make the sandbox, and say what does not hold\n"
  "  --help             this text\n"
  "  --version          the version\n";

// What the caller left open or ignored is not for the runner and its commands.
void start_clean() {
  int fd;
  do
    fd = ::open("/dev/null", O_RDWR);
  while (fd >= 0 && fd <= STDERR_FILENO);
  ::close_range(STDERR_FILENO + 1, ~0u, 0);
  for (int signal = 1; signal < NSIG; ++signal)
    ::signal(signal, SIG_DFL);
}

using greenroom::runner::resource_limits;

resource_limits parse_limits(std::span<char*> arguments) {
  resource_limits result;
  for (std::string_view argument : arguments) {
    auto equals = std::min(argument.find('='), argument.size() - 1);
    auto digits = argument.substr(equals + 1);
    std::uint64_t value = 0;
    auto end = digits.data() + digits.size();
    if (auto read = std::from_chars(digits.data(), end, value);
        read.ec != std::errc{} || read.ptr != end)
      throw std::runtime_error("no resource limit: " + std::string{argument});
    result.emplace_back(argument.substr(0, equals), value);
  }
  return result;
}

// What the outer half starts inside the sandbox: `--init CHECKOUT
// [LIMIT=VALUE]...`, with its socket for standard input.
[[noreturn]] void be_init(std::span<char*> arguments) {
  greenroom::runner::become_session_user();
  // Else the sandbox's programs could trace it, and be it.
  ::prctl(PR_SET_DUMPABLE, 0);
  auto requests = ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  auto null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  ::dup2(null, STDIN_FILENO);
  ::dup2(null, STDOUT_FILENO);
  greenroom::runner::limit_resources(parse_limits(arguments.subspan(1)));
  greenroom::runner::run_init(requests, arguments[0]);
}

// Around bwrap and inside of it, where sessions have users of their own:
// `--as-user UID:GID BWRAP [OPTION]...` and `--become DIRECTORY PROGRAM
// [ARGUMENT]...`. For the files of all such users of a node:
// `--over-users FIRST_UID:FIRST_GID:COUNT PROGRAM [ARGUMENT]...`.
[[noreturn]] void be_other_user(std::string_view option, char** arguments) {
  if (option == "--become")
    greenroom::runner::become_session_user_and_run(arguments[0], arguments + 1);
  if (option == "--over-users")
    greenroom::runner::run_over_users(arguments[0], arguments + 1);
  try {
    greenroom::runner::run_with_own_user(
      greenroom::runner::parse_own_user(arguments[0]), arguments + 1);
  } catch (const std::exception& problem) {
    std::fprintf(stderr, "greenroom-runner: %s\n", problem.what());
    ::_exit(2);
  }
}

} // namespace

int main(int argc, char** argv) {
  std::string_view option = argc > 1 ? argv[1] : "";
  if (argc >= 4
      && (option == "--become" || option == "--as-user"
          || option == "--over-users"))
    be_other_user(option, argv + 2);
  if (argc == 2 && option == "--help") {
    std::fputs(usage, stdout);
    return 0;
  }
  if (argc == 2 && option == "--version") {
    std::printf("greenroom-runner %s\n", greenroom::version());
    return 0;
  }
  if (argc >= 3 && option == "--init") {
    try {
      be_init({argv + 2, argv + argc});
    } catch (const std::exception& problem) {
      std::fprintf(stderr, "%s\n", problem.what());
      return 1;
    }
  }
  if (argc != 3 || (option != "--session-dir" && option != "--try-out")) {
    std::fputs(usage, stderr);
    return 2;
  }
  start_clean();
  try {
    if (option == "--session-dir")
      greenroom::runner::start(argv[2]);
    else
      for (const auto& problem : greenroom::runner::try_out(argv[2]))
        std::puts(problem.c_str());
    return 0;
  } catch (const std::exception& problem) {
    std::fprintf(stderr, "greenroom-runner: %s: %s\n", argv[2], problem.what());
    return 1;
  }
}
