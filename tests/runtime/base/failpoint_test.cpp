#include "runtime/base/failpoint.hpp"

#include <catch2/catch.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

using namespace greenroom;

namespace {

// The wait status of a process that passes two failpoints.
int passes(const char* variable) {
  auto child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    if (variable != nullptr)
      ::setenv("GREENROOM_FAILPOINT", variable, 1);
    else
      ::unsetenv("GREENROOM_FAILPOINT");
    failpoint("first");
    failpoint("second");
    ::_exit(7);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  return status;
}

} // namespace

TEST_CASE("a process dies at the failpoint that is named, and no other") {
  for (const char* other : {"", "third", "firs", "first,second"}) {
    INFO(other);
    auto status = passes(other);
    CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 7));
  }
  auto none = passes(nullptr);
  CHECK((WIFEXITED(none) && WEXITSTATUS(none) == 7));
  auto status = passes("second");
  CHECK((WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL));
}
