// greenroom-runner: runs a session's commands, and stays when the server goes.
#include "runtime/runner/start.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <exception>
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

} // namespace

int main(int argc, char** argv) {
  std::string_view option = argc > 1 ? argv[1] : "";
  if (argc == 2 && option == "--help") {
    std::fputs(usage, stdout);
    return 0;
  }
  if (argc == 2 && option == "--version") {
    std::puts("greenroom-runner " GREENROOM_VERSION);
    return 0;
  }
  if (argc != 3 || option != "--session-dir") {
    std::fputs(usage, stderr);
    return 2;
  }
  start_clean();
  try {
    greenroom::runner::start(argv[2]);
    return 0;
  } catch (const std::exception& problem) {
    std::fprintf(stderr, "greenroom-runner: %s: %s\n", argv[2], problem.what());
    return 1;
  }
}
