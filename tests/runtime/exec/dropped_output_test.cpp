#include "runtime/exec/output/dropped_output.hpp"

#include "tests/support/temp_dir.hpp"

#include <catch2/catch.hpp>

#include <fstream>
#include <string>

using namespace greenroom;
namespace fs = std::filesystem;

TEST_CASE("the output of a session is measured and dropped, and nothing else") {
  test::temp_dir dir;
  auto session = dir.path() / "s";
  CHECK(size_of_output(session) == 0);
  drop_output(session); // there is no such session
  CHECK_FALSE(fs::exists(session));
  CHECK_FALSE(is_output_dropped(session));

  fs::create_directories(session / "exec" / "e1");
  fs::create_directories(session / "exec" / "e2");
  std::ofstream{session / "exec" / "e1" / "stdout"}
    << std::string(100'000, 'x');
  std::ofstream{session / "exec" / "e2" / "stderr"} << std::string(50'000, 'x');
  std::ofstream{session / "timeline"} << "events";
  auto size = size_of_output(session);
  CHECK(size >= 150'000);
  CHECK(size < 250'000);
  CHECK_FALSE(is_output_dropped(session));
  for (int i = 0; i < 2; ++i) {
    drop_output(session);
    CHECK(is_output_dropped(session));
    CHECK(size_of_output(session) == 0);
    CHECK_FALSE(fs::exists(session / "exec"));
    CHECK(fs::exists(session / "timeline"));
  }
}
