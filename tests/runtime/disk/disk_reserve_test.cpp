#include "runtime/base/injected_faults.hpp"
#include "runtime/disk/disk_reserve.hpp"
#include "tests/support/temp_dir.hpp"

#include <catch2/catch.hpp>

#include <cerrno>

using namespace greenroom;

TEST_CASE("a disk whose inodes are used up takes nothing, and says why") {
  test::temp_dir dir;
  const disk_reserve reserve{dir.path()};
  inject_fault("inodes", {std::chrono::milliseconds{0}, ENOSPC});
  CHECK(reserve.check()
        == "the disk has no room for more files: its inodes are used up");
  clear_faults();
  CHECK(reserve.check().find("inodes") == std::string::npos);
}
