#include "runtime/timeline/exec_index.hpp"

#include "tests/support/temp_dir.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <string>

using namespace greenroom;

TEST_CASE("an archive finds what was added, in the order in which it came") {
  test::temp_dir dir;
  exec_index archive{dir.path()};
  CHECK(archive.empty());
  CHECK(archive.all().empty());
  archived_exec longest{std::string(max_exec_id, 'x'), 1, 0x1122334455667788};
  archived_exec second{"b", 2, 3};
  archive.add(longest);
  archive.add(second);
  CHECK_FALSE(archive.empty());
  CHECK(archive.all() == std::vector{longest, second});
  CHECK(archive.find("b") == second);
  CHECK(archive.find(longest.exec_id) == longest);
  CHECK_FALSE(archive.find("xx"));
}

TEST_CASE("an archive begins empty, whatever was there") {
  test::temp_dir dir;
  exec_index before{dir.path()};
  before.add({"a", 1, 2});
  before.add({"b", 3, 4});
  exec_index after{dir.path()};
  CHECK(after.all().empty());
  after.add({"c", 5, 6});
  CHECK(after.all() == std::vector{archived_exec{"c", 5, 6}});
}

TEST_CASE("what the disk does not take is remembered and written later") {
  test::temp_dir dir;
  auto place = dir.path() / "later";
  exec_index archive{place};
  archive.add({"a", 1, 2}); // the directory is not there
  CHECK(archive.find("a"));
  std::filesystem::create_directories(place);
  archive.add({"b", 3, 4});
  CHECK(archive.all()
        == std::vector{archived_exec{"a", 1, 2}, archived_exec{"b", 3, 4}});
  CHECK(std::filesystem::file_size(place / "execs.index") == 160);
}
