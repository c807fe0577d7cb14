// How a runner comes to life, and what happens when the disk does not play.
#include "runtime/base/files.hpp"
#include "tests/runtime/runner/session_fixture.hpp"

#include <elf.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cstring>
#include <fstream>

using namespace greenroom;
using test::session;

namespace {

std::optional<std::string> try_start(const std::filesystem::path& dir) {
  return runner_start{session::binary(), dir, "none"}.finish();
}

// True where another program has to load the libraries that it needs. Not asked
// of a build with a sanitizer.
[[maybe_unused]] bool has_interpreter(const std::filesystem::path& program) {
  auto text = read_file(program).value();
  Elf64_Ehdr head;
  REQUIRE(text.size() > sizeof head);
  std::memcpy(&head, text.data(), sizeof head);
  for (std::size_t i = 0; i < head.e_phnum; ++i) {
    Elf64_Phdr part;
    auto at = head.e_phoff + i * head.e_phentsize;
    REQUIRE(text.size() >= at + sizeof part);
    std::memcpy(&part, text.data() + at, sizeof part);
    if (part.p_type == PT_INTERP)
      return true;
  }
  return false;
}

} // namespace

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST_CASE("a runner waits for no library to be loaded") {
  CHECK_FALSE(has_interpreter(session::binary()));
}
#endif

TEST_CASE("a second start finds the living runner") {
  session s;
  CHECK_FALSE(runner_start(session::binary(), s.dir(), s.id).finish());
  auto again = test::client{s.dir(), s.nonce};
  CHECK(again.greet().pid == s.runner_pid);
}

TEST_CASE("of many starts at once one makes the runner") {
  test::temp_dir dir;
  auto id = make_id();
  write_runner_config(dir.path(), {id, "n", 0, "checkout"});
  std::vector<runner_start> starts;
  for (int i = 0; i < 8; ++i)
    starts.emplace_back(session::binary(), dir.path(), id);
  for (auto& start : starts)
    CHECK_FALSE(start.finish());
  CHECK(kill_orphans(std::array{id}) == 1);
}

TEST_CASE("a dead runner's socket is replaced") {
  session s;
  ::kill(s.runner_pid, SIGKILL);
  REQUIRE(test::ends(s.runner_pid));
  REQUIRE(std::filesystem::exists(s.dir() / "runner.sock"));
  CHECK_FALSE(runner_start(session::binary(), s.dir(), s.id).finish());
  test::client next{s.dir(), s.nonce};
  CHECK(next.greet().pid != s.runner_pid);
}

TEST_CASE("a runner that cannot start says why") {
  test::temp_dir dir;
  auto place = dir.path().string();
  CHECK(try_start(dir.path())
        == "greenroom-runner: " + place
             + ": the session directory has no runner.json");
  std::ofstream{dir.path() / "runner.json"} << "{}";
  CHECK(try_start(dir.path())
        == "greenroom-runner: " + place
             + ": runner.json: session_id is missing");
  CHECK(try_start(dir.path() / "none").value().find("No such file")
        != std::string::npos);
  CHECK_THROWS_AS(runner_start(dir.path() / "no-runner", dir.path(), "none"),
                  std::system_error);
}

TEST_CASE("a starter that hangs is killed, not waited for") {
  test::temp_dir dir;
  write_runner_config(dir.path(), {make_id(), "n", 0, "checkout"});
  // It wants this lock, and does not get it.
  unique_fd lock{
    ::open(dir.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  REQUIRE(::flock(lock.get(), LOCK_EX) == 0);
  unique_fd starter;
  {
    runner_start hanging{session::binary(), dir.path(), "none"};
    CHECK_FALSE(test::becomes_readable(hanging.fd(), 100));
    starter.reset(::dup(hanging.fd()));
  }
  CHECK(test::becomes_readable(starter.get(), 0));
}

TEST_CASE("a session whose path is longer than a socket's works") {
  test::temp_dir dir;
  auto place = dir.path();
  for (int i = 0; i < 5; ++i)
    place /= std::string(60, 'd');
  ensure_dir(place / "checkout");
  auto id = make_id();
  write_runner_config(place, {id, "n", 0, "checkout"});
  CHECK_FALSE(runner_start(session::binary(), place, id).finish());
  test::client node{place, "n"};
  CHECK(node.greet().execs.empty());
  CHECK(kill_orphans(std::array{id}) == 1);
}

TEST_CASE("a runner holds nothing of who started it") {
  session s;
  auto fds = "/proc/" + std::to_string(s.runner_pid) + "/fd";
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator{fds}) {
    ++count;
    auto target = std::filesystem::read_symlink(entry).string();
    INFO(target);
    auto known = target == "/dev/null" || target.starts_with("anon_inode:")
                 || target.starts_with("socket:")
                 || target.starts_with(s.dir().string());
    CHECK(known);
  }
  // 0 to 2, directory, listener, epoll, signals, spare, the node.
  CHECK(count == 9);
  // And ends with nobody's end but its own: its parent is not we.
  auto stat = read_file("/proc/" + std::to_string(s.runner_pid) + "/stat");
  auto parent = std::stoi(stat.value().substr(stat->rfind(')') + 4));
  CHECK(parent != ::getpid());
}

TEST_CASE("a runner survives the removal of its session's directory") {
  session s;
  s.start("x", s.shell("echo 0; exec sleep 1000"));
  s.printed_pids("x", 1);
  std::filesystem::remove_all(s.dir());
  s.node->say(runner::spawn{"y"});
  CHECK(s.node->wait_for<runner::refused>().reason
        == "exec y has no spec.json");
  s.node->say(runner::cancel{"x"});
  CHECK(s.end_of("x").status == exit_status::canceled);
  s.node->say(runner::stop{});
  CHECK(s.node->closes());
}

TEST_CASE("a full disk neither blocks nor kills a command, and is told of") {
  session s;
  auto dir = s.exec_dir("x");
  ensure_dir(dir);
  if (::mount("none", dir.c_str(), "tmpfs", 0, "size=64k") != 0) {
    WARN("no tmpfs can be mounted here: not tested");
    return;
  }
  auto record = s.run("x", "head -c 1000000 /dev/zero; echo done >pass");
  CHECK(record.status == exit_status::exited);
  CHECK(record.exit_code == 0);
  CHECK(record.stdout_bytes == 1'000'000);
  CHECK(record.truncated);
  CHECK(std::filesystem::exists(s.dir() / "checkout/pass"));
  CHECK_FALSE(read_exit_record(dir));
  // What could not be saved is told to the next node too, before the greeting
  // that does not name it: without its end it would count as lost.
  s.node.emplace(s.dir(), s.nonce);
  s.node->say(runner::hello{.nonce = s.nonce});
  CHECK(s.end_of("x") == record);
  s.node->wait_for<runner::hello_reply>();
  // And saved when there is room: the runner tries again.
  auto kept = output_log_reader{dir}.size(output_stream::out);
  CHECK(kept < 1'000'000);
  REQUIRE(::mount("none", dir.c_str(), "tmpfs", MS_REMOUNT, "size=4m") == 0);
  for (int i = 0; i < 100 && !read_exit_record(dir); ++i)
    s.run("wait" + std::to_string(i), "sleep 0.1");
  CHECK(read_exit_record(dir) == record);
  ::umount2(dir.c_str(), MNT_DETACH);
}
