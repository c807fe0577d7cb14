// The loop of a runner, on which all commands of a session hang.
#include "runtime/runner/outer/event_loop.hpp"

#include <catch2/catch.hpp>
#include <sys/eventfd.h>

#include <stdexcept>

using namespace greenroom;
using namespace greenroom::runner;

TEST_CASE("a callback that fails ends neither the loop nor its round") {
  event_loop loop;
  unique_fd bad{::eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK)};
  unique_fd good{::eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK)};
  int called = 0;
  loop.watch(bad.get(), [] { throw std::runtime_error("a test's fault"); });
  loop.watch(good.get(), [&] { ++called; });
  loop.run_once(steady::now());
  loop.run_once(steady::now());
  CHECK(called == 2);
}
