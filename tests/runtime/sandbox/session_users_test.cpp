// A user of the host for each session: who gets which, and what is counted and
// closed apart by that.
#include "runtime/base/fd.hpp"
#include "tests/runtime/sandbox/sandbox_session.hpp"

#include <catch2/catch.hpp>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <thread>
#include <utility>

using namespace greenroom;
using namespace greenroom::test;
using Catch::Contains;

namespace {

uid_t owner(const std::filesystem::path& path) {
  struct stat info {};
  REQUIRE(::lstat(path.c_str(), &info) == 0);
  return info.st_uid;
}

// Takes all inotify instances and pipes' pages that the kernel gives one user,
// says so, and holds them until its input ends. Then what is left for others.
constexpr const char* use_up = R"(
import ctypes, fcntl, os, sys
libc = ctypes.CDLL(None)
pipes = [os.pipe() for _ in range(2000)]
while libc.inotify_init() >= 0:
    pass
print("used up", flush=True)
sys.stdin.read()
)";
constexpr const char* what_is_left = R"(
import ctypes, fcntl, os
print(ctypes.CDLL(None).inotify_init() >= 0, fcntl.fcntl(os.pipe()[0], 1032))
)";

} // namespace

TEST_CASE("a range of users is found by name or number") {
  using found = std::optional<std::pair<std::uint32_t, std::uint32_t>>;
  constexpr const char* text = "ada:100000:65536\n"
                               "7:300000:10\n"
                               "ada:500000:70000\n"
                               "nonsense\nada:x:1\nada:1:\n:5:5\n";
  CHECK(sandbox::granted(text, "ada", 1) == found{{500000, 70000}});
  CHECK(sandbox::granted(text, "", 7) == found{{300000, 10}});
  CHECK(sandbox::granted(text, "bob", 8) == std::nullopt);
  CHECK(sandbox::granted("", "ada", 1) == std::nullopt);
}

TEST_CASE("sessions get users of their own, and keep them") {
  if (::geteuid() != 0) {
    WARN("not tested: only root gives files away by itself");
    return;
  }
  temp_dir dir;
  auto sessions = dir.path() / "sessions";
  for (auto name : {"a", "b", "c", "old", "kept"})
    std::filesystem::create_directories(sessions / name);
  std::filesystem::create_directory(sessions / "old/home");
  std::filesystem::create_directory(sessions / "kept/checkout");
  constexpr sandbox::user_range range{70000, 80000, 3};
  sandbox::session_users users{range, sessions, runner_binary};
  users.give({sessions / "kept"}, {70001, 80001});
  CHECK(users.settle(sessions / "a") == sandbox::session_user{70000, 80000});
  CHECK(owner(sessions / "a/home") == 70000);
  CHECK(owner(sessions / "a/tmp") == 70000);
  // 70001 is that of what an ended session has left.
  CHECK(users.settle(sessions / "b") == sandbox::session_user{70002, 80002});
  CHECK(users.settle(sessions / "kept") == sandbox::session_user{70001, 80001});
  // Made before there were such users.
  CHECK(users.settle(sessions / "old") == std::nullopt);
  CHECK_THROWS_WITH(users.settle(sessions / "c"),
                    Contains("all 3 users for sessions are taken"));

  // A node that starts again finds them as they are, and what has gone is free.
  std::filesystem::remove_all(sessions / "b");
  sandbox::session_users again{range, sessions, runner_binary};
  CHECK(again.settle(sessions / "a") == sandbox::session_user{70000, 80000});
  CHECK(again.settle(sessions / "c") == sandbox::session_user{70002, 80002});

  // Another node of the same user begins elsewhere.
  std::filesystem::create_directories(dir.path() / "other/d");
  sandbox::session_users other{
    {70000, 80000, 3, 2}, dir.path() / "other", runner_binary};
  CHECK(other.settle(dir.path() / "other/d")
        == sandbox::session_user{70002, 80002});
}

TEST_CASE("what a session makes is its own user's, and shows as that inside") {
  sandbox_session s;
  if (!s.own) {
    WARN("not tested: there are no users for sessions here");
    return;
  }
  CHECK(
    s.shell("touch a ~/b /tmp/c && mkdir -p $XDG_RUNTIME_DIR/x; "
            "stat -c %u a ~/b /tmp/c /run/user/1000; cat /proc/self/uid_map")
      .out
    == "1000\n1000\n1000\n1000\n      1000       1000          1\n");
  for (auto file : {"checkout/a", "home/b", "tmp/c"})
    CHECK(owner(s.mine() / file) == s.own->user);
  CHECK(s.own->user != ::geteuid());
}

TEST_CASE("a session uses up what the kernel gives its user, no other's") {
  sandbox_session s;
  if (!s.own) {
    WARN("not tested: there are no users for sessions here");
    return;
  }
  auto other = s.paths();
  other.directory = s.theirs();
  other.checkout = s.theirs() / "checkout";
  std::filesystem::remove_all(other.checkout);
  auto owner_of_other = sandbox::settle(s.host.users.get(), other.directory);
  REQUIRE(owner_of_other);
  REQUIRE(owner_of_other != s.own);
  std::filesystem::create_directories(other.checkout);
  auto look = s.program({"/usr/bin/python3", "-c", what_is_left});
  auto quiet = run_command(sandbox::run_in_sandbox(s.host, other, look));

  int in[2];
  int out[2];
  REQUIRE(::pipe2(in, O_CLOEXEC) == 0);
  REQUIRE(::pipe2(out, O_CLOEXEC) == 0);
  unique_fd end{in[1]};
  unique_fd said{out[0]};
  auto greedy = s.program({"/usr/bin/python3", "-c", use_up});
  greedy.stdin_fd = in[0];
  greedy.stdout_fd = out[1];
  std::thread hog{[&] {
    s.run(greedy);
    ::close(out[1]); // so that nobody waits for what it does not say
  }};
  std::array<char, 8> line{};
  CHECK(::read(said.get(), line.data(), line.size()) == 8);
  // Of the same session, to see that something is used up at all.
  CHECK_THAT(s.run(look).out, Contains(" 8192"));
  auto neighbour = run_command(sandbox::run_in_sandbox(s.host, other, look));
  CHECK(neighbour.out == quiet.out);
  CHECK(neighbour.out == "True 65536\n");
  end.reset();
  hog.join();
  ::close(in[0]);
}
