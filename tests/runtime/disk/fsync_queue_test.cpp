#include "runtime/disk/fsync_queue.hpp"

#include "runtime/base/injected_faults.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/temp_dir.hpp"

#include <catch2/catch.hpp>

#include <cerrno>
#include <chrono>
#include <fstream>

using namespace greenroom;
using namespace greenroom::test;
using namespace std::chrono_literals;

namespace fs = std::filesystem;

namespace {

struct fixture {
  fixture() = default;
  fixture(const fixture&) = delete;
  fixture& operator=(const fixture&) = delete;
  ~fixture() {
    clear_faults();
  }

  fs::path written(const std::string& name) {
    auto path = dir.path() / name;
    fs::create_directory(path);
    std::ofstream{path / "file"} << name;
    queue.mark_dirty(path);
    return path;
  }

  bool is_synced() const {
    auto now = queue.look();
    return now.lag == 0ms && now.problem.empty();
  }

  temp_dir dir;
  fsync_queue queue;
};

} // namespace

TEST_CASE("what was written is synced soon") {
  fixture disk;
  disk.written("one");
  disk.written("two");
  CHECK(eventually([&] { return disk.is_synced(); }));
}

TEST_CASE("a directory that cannot be synced is reported and tried again") {
  fixture disk;
  auto call = GENERATE("fdatasync", "readdir");
  inject_fault(call, {0ms, EIO});
  disk.written("one");
  CHECK(eventually(
    [&] { return disk.queue.look().problem == "Input/output error"; }));
  CHECK(disk.queue.look().lag > 0ms);
  clear_faults();
  CHECK(eventually([&] { return disk.is_synced(); }));
  // What the disk has refused counts as written for the kernel, not for us.
  auto refused = disk.queue.look().refused;
  if (call == std::string{"fdatasync"})
    CHECK_THAT(refused, Catch::EndsWith("one/file: Input/output error"));
  else
    CHECK(refused.empty());
  // The thread has lived through it.
  disk.written("two");
  CHECK(eventually([&] { return disk.is_synced(); }));
}

TEST_CASE("a directory that went meanwhile is no failure") {
  fixture disk;
  fs::remove_all(disk.written("one"));
  CHECK(eventually([&] { return disk.is_synced(); }));
}

TEST_CASE("the queue knows how late a slow disk makes it") {
  fixture disk;
  inject_fault("fdatasync", {fsync_queue::late + 500ms, 0});
  disk.written("one");
  CHECK(eventually([&] { return disk.queue.look().lag > fsync_queue::late; }));
  CHECK(disk.queue.look().problem.empty());
  clear_faults();
  CHECK(eventually([&] { return disk.is_synced(); }));
}

TEST_CASE("a queue that is destroyed syncs what is left, or gives it up") {
  temp_dir dir;
  {
    fsync_queue queue;
    queue.mark_dirty(dir.path());
  }
  inject_fault("fdatasync", {0ms, EIO});
  {
    fsync_queue queue;
    queue.mark_dirty(dir.path());
  }
  clear_faults();
}

// Not a test: what a sync of many execs at a time costs on this disk.
TEST_CASE("many directories at once", "[.bench]") {
  fixture disk;
  for (int i = 0; i < 300; ++i) {
    auto path = disk.dir.path() / std::to_string(i);
    fs::create_directory(path);
    for (auto name : {"index", "stdout", "stderr", "spec.json"})
      std::ofstream{path / name} << "some bytes";
  }
  auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < 300; ++i)
    disk.queue.mark_dirty(disk.dir.path() / std::to_string(i));
  await("synced", [&] { return disk.is_synced(); });
  WARN("300 x 4 files after "
       << (std::chrono::steady_clock::now() - began) / 1ms << " ms");
}
