// The runner link while the process has no descriptors left.
#include "actors/runner_link/link.hpp"
#include "messages/ids.hpp"
#include "messages/type_ids.hpp"
#include "runtime/base/fd.hpp"
#include "runtime/exec/orphans.hpp"
#include "runtime/runner/client/runner_client.hpp"
#include "tests/support/build_paths.hpp"
#include "tests/support/temp_dir.hpp"

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/send.hpp>
#include <caf/typed_event_based_actor.hpp>
#include <catch2/catch.hpp>
#include <fcntl.h>
#include <sys/resource.h>

#include <array>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <iterator>
#include <memory>
#include <mutex>
#include <optional>
#include <variant>

using namespace greenroom;

namespace fs = std::filesystem;

namespace {

using news = std::variant<runner_up, runner_down, exec_ended>;

// What the user of a runner was told, in order.
class told {
public:
  void add(news what) {
    std::lock_guard guard{mutex_};
    all_.push_back(std::move(what));
    changed_.notify_one();
  }

  // Nothing where it takes too long.
  std::optional<news> next(std::chrono::milliseconds patience) {
    std::unique_lock lock{mutex_};
    if (!changed_.wait_for(lock, patience, [this] { return !all_.empty(); }))
      return std::nullopt;
    auto result = std::move(all_.front());
    all_.pop_front();
    return result;
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<news> all_;
};

runner_user_actor::behavior_type runner_user(std::shared_ptr<told> to) {
  return {
    [to](runner_up& x) { to->add(std::move(x)); },
    [to](runner_down& x) { to->add(std::move(x)); },
    [](const exec_started&) {},
    [](const exec_refused&) {},
    [](const exec_grown&) {},
    [to](exec_ended& x) { to->add(std::move(x)); },
    [](const input_written&) {},
  };
}

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

std::size_t open_descriptors() {
  fs::directory_iterator all{"/proc/self/fd"};
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

struct test_config : caf::actor_system_config {
  test_config() {
    add_message_types<caf::id_block::greenroom>();
    set("scheduler.max-threads", 1);
    set("scheduler.policy", caf::atom("sharing"));
  }
};

constexpr std::chrono::seconds patience{30};

struct linked_session {
  linked_session() {
    make_files(id);
    make_files(other);
    open_link();
  }

  ~linked_session() {
    link.reset();
    kill_orphans(std::array{id, other});
  }

  void open_link() {
    link.emplace(
      runner_link_options{test::binary_dir() / "greenroom-runner", dir.path()});
  }

  void attach(bool start) {
    link->attach(id, "demo", user, start);
  }

  template <class News>
  News hear() {
    auto next = heard->next(patience);
    REQUIRE(next);
    auto* wanted = std::get_if<News>(&*next);
    REQUIRE(wanted);
    return std::move(*wanted);
  }

  // What an exec that is told to the runner now becomes.
  exec_ended run(const std::string& exec) {
    runner::command_spec spec{{"/bin/true"}, "", {}, 0, 1000};
    write_exec_spec(dir.path() / "sessions" / id, exec, spec);
    REQUIRE(link->send(id, runner::spawn{exec}));
    return hear<exec_ended>();
  }

  void make_files(const std::string& name) const {
    fs::create_directories(dir.path() / "sessions" / name / "checkout");
  }

  const std::string id = make_id();
  const std::string other = make_id();
  test::temp_dir dir;
  test_config config;
  caf::actor_system system{config};
  std::shared_ptr<told> heard = std::make_shared<told>();
  runner_user_actor user = system.spawn(runner_user, heard);
  std::optional<runner_link> link;
};

} // namespace

TEST_CASE("without descriptors a runner's start is refused, and the link "
          "lives on") {
  linked_session s;
  // A neighbour that is up, and stays so.
  auto neighbour = std::make_shared<told>();
  s.link->attach(s.other, "demo", s.system.spawn(runner_user, neighbour), true);
  auto up = neighbour->next(patience);
  REQUIRE(up);
  REQUIRE(std::holds_alternative<runner_up>(*up));
  auto before = open_descriptors();
  // Each step of a start that needs a descriptor finds none, one time.
  for (unsigned left = 0; left < 8; ++left) {
    INFO(left << " descriptors left");
    std::optional<news> next;
    {
      few_descriptors scarce{left};
      s.attach(true);
      next = s.heard->next(patience);
    }
    REQUIRE(next);
    if (std::holds_alternative<runner_up>(*next)) {
      CHECK(left > 2);
      s.link->stop(s.id, s.user);
      s.hear<runner_down>();
      s.make_files(s.id);
      continue;
    }
    CHECK_FALSE(std::get<runner_down>(*next).reason.empty());
  }
  CHECK(open_descriptors() == before);
  s.attach(true);
  s.hear<runner_up>();
  CHECK(s.run("x").outcome.status == exec_status::exited);
  CHECK_FALSE(neighbour->next(std::chrono::milliseconds{0}));
}

TEST_CASE("a runner that lives is waited for while there are no descriptors") {
  linked_session s;
  s.attach(true);
  s.hear<runner_up>();
  s.link.reset();
  s.open_link();
  for (unsigned left = 0; left < 2; ++left) {
    {
      few_descriptors scarce{left};
      s.attach(false);
      CHECK_FALSE(s.heard->next(std::chrono::milliseconds{1'500}));
    }
    s.hear<runner_up>();
  }
  CHECK(s.run("x").outcome.status == exec_status::exited);
}
