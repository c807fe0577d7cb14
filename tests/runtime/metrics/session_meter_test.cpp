#include "runtime/metrics/session_meter.hpp"

#include "tests/support/eventually.hpp"
#include "tests/support/temp_dir.hpp"

#include <catch2/catch.hpp>

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

using namespace greenroom;
using namespace greenroom::test;

namespace {

namespace fs = std::filesystem;

void write(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream{file} << text;
}

/// A program that waits, and below it one that takes a processor.
class busy_program {
public:
  busy_program() : pid_(::fork()) {
    if (pid_ != 0) {
      ::setpgid(pid_, pid_);
      return;
    }
    ::setpgid(0, 0);
    ::execl("/bin/sh", "sh", "-c", "sh -c 'while :; do :; done' & wait",
            nullptr);
    ::_exit(127);
  }
  ~busy_program() {
    ::kill(-pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  pid_t pid() const noexcept {
    return pid_;
  }

private:
  pid_t pid_;
};

struct meter_fixture {
  temp_dir dir;
  std::optional<pid_t> runner;
  std::vector<std::string> groups;
  session_meter meter{{dir.path(),
                       [this](const std::string&) { return runner; },
                       [this](const std::string&) { return groups; }}};
};

} // namespace

TEST_CASE_METHOD(meter_fixture, "what runs below a session's runner is its") {
  busy_program program;
  runner = program.pid();
  await("time of a processor", [&] {
    auto now = meter.measure("s");
    return now.processes == 1 && now.cpu_ms > 0 && now.memory > 0;
  });
}

TEST_CASE_METHOD(meter_fixture, "a session that runs nothing takes only disk") {
  write(dir.path() / "sessions/s/checkout/a", std::string(100'000, 'x'));
  write(dir.path() / "sessions/s/home/b", "x");
  // What is not the session's to write does not count.
  write(dir.path() / "sessions/s/timeline", std::string(500'000, 'x'));
  fs::create_symlink("/", dir.path() / "sessions/s/home/root");
  auto now = meter.measure("s");
  CHECK(now.processes == 0);
  CHECK(now.cpu_ms == 0);
  CHECK(now.memory == 0);
  CHECK(now.disk.bytes >= 100'000);
  CHECK(now.disk.bytes < 400'000);
  CHECK(now.disk.files == 5);
  CHECK(now.disk.complete);
  // It is not walked through each time.
  write(dir.path() / "sessions/s/checkout/more", "x");
  CHECK(meter.measure("s").disk.files == 5);
  CHECK(meter.measure("none").disk.files == 0);
}

TEST_CASE_METHOD(meter_fixture, "control groups know better") {
  busy_program program;
  runner = program.pid();
  SECTION("of version 2") {
    write(dir.path() / "g/memory.current", "5000\n");
    write(dir.path() / "g/memory.stat", "anon 1\ninactive_file 2000\n");
    write(dir.path() / "g/cpu.stat", "usage_usec 77000\nuser_usec 1\n");
    groups = {(dir.path() / "g").string()};
  }
  SECTION("of version 1, each with its own") {
    write(dir.path() / "m/memory.usage_in_bytes", "5000\n");
    write(dir.path() / "m/memory.stat", "total_inactive_file 2000\n");
    write(dir.path() / "c/cpuacct.usage", "77000000\n");
    groups = {(dir.path() / "m").string(), (dir.path() / "c").string(),
              (dir.path() / "gone").string()};
  }
  auto now = meter.measure("s");
  CHECK(now.memory == 3000);
  CHECK(now.cpu_ms == 77);
}
