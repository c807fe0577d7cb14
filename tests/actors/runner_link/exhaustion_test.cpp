// The runner link while the process has no descriptors left.
#include "runtime/base/fd.hpp"
#include "tests/actors/runner_link/linked_session.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/process_figures.hpp"

#include <fcntl.h>
#include <sys/resource.h>

using namespace greenroom;

using greenroom::test::linked_session;
using greenroom::test::news;
using greenroom::test::runner_user;
using greenroom::test::timeout;
using greenroom::test::told;

namespace {

// While it lives, this process gets no more than `count` new descriptors.
class few_descriptors {
public:
  explicit few_descriptors(unsigned count) {
    ::getrlimit(RLIMIT_NOFILE, &normal_);
    unique_fd lowest{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
    auto few = normal_;
    few.rlim_cur = static_cast<rlim_t>(lowest.get()) + count;
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &few) == 0);
  }
  few_descriptors(const few_descriptors&) = delete;
  few_descriptors& operator=(const few_descriptors&) = delete;
  ~few_descriptors() {
    ::setrlimit(RLIMIT_NOFILE, &normal_);
  }

private:
  rlimit normal_{};
};

} // namespace

TEST_CASE("without descriptors a runner's start is refused, and the link "
          "lives on") {
  linked_session s;
  // A neighbour that is up, and stays so.
  auto neighbour = std::make_shared<told>();
  s.link->attach(s.other, "demo", s.system.spawn(runner_user, neighbour), true);
  auto up = neighbour->next(timeout);
  REQUIRE(up);
  REQUIRE(std::holds_alternative<runner_up>(*up));
  REQUIRE(neighbour->next(timeout)); // its ports
  auto before = test::open_files();
  // Each step of a start that needs a descriptor finds none, one time.
  for (unsigned left = 0; left < 8; ++left) {
    INFO(left << " descriptors left");
    std::optional<news> next;
    {
      few_descriptors scarce{left};
      s.attach(true);
      next = s.heard->next(timeout);
    }
    REQUIRE(next);
    if (std::holds_alternative<runner_up>(*next)) {
      s.link->stop(s.id, s.user);
      s.hear<runner_down>();
      s.make_files(s.id);
      continue;
    }
    CHECK_FALSE(std::get<runner_down>(*next).reason.empty());
  }
  test::await("all descriptors are closed",
              [before] { return test::open_files() <= before; });
  s.attach(true);
  s.hear<runner_up>();
  CHECK(s.run("x", "true").outcome.status == exec_status::exited);
  CHECK_FALSE(neighbour->next(std::chrono::milliseconds{0}));
}

TEST_CASE("no more runners are started than there are descriptors for") {
  linked_session s;
  s.open_link(test::binary_dir() / "greenroom-runner", 0, 1);
  auto neighbour = std::make_shared<told>();
  const auto next_to = s.system.spawn(runner_user, neighbour);
  s.link->attach(s.other, "demo", next_to, true);
  auto up = neighbour->next(timeout);
  REQUIRE(up);
  REQUIRE(std::holds_alternative<runner_up>(*up));
  s.attach(true);
  CHECK_THAT(s.hear<runner_down>().reason,
             Catch::Contains("descriptors for 1 runners"));
  s.link->stop(s.other, next_to);
  std::optional<news> down;
  do {
    down = neighbour->next(timeout);
    REQUIRE(down);
  } while (!std::holds_alternative<runner_down>(*down));
  s.attach(true);
  s.hear<runner_up>();
  // One that runs is found again in any case.
  s.open_link(test::binary_dir() / "greenroom-runner", 0, 1);
  s.link->attach(s.other, "demo", next_to, true);
  s.attach(false);
  s.hear<runner_up>();
}

TEST_CASE("a runner that lives is waited for while there are no descriptors") {
  linked_session s;
  s.attach(true);
  s.hear<runner_up>();
  s.hear<ports_changed>();
  s.open_link();
  for (unsigned left = 0; left < 2; ++left) {
    {
      few_descriptors scarce{left};
      s.attach(false);
      CHECK_FALSE(s.heard->next(std::chrono::milliseconds{1'500}));
    }
    s.hear<runner_up>();
    s.hear<ports_changed>();
  }
  CHECK(s.run("x", "true").outcome.status == exec_status::exited);
}
