// The systemd units: that of one node, and the template for several.
#include "tests/support/build_paths.hpp"

#include <catch2/catch.hpp>

#include <fstream>
#include <string>
#include <vector>

namespace {

// Without comments and empty lines.
std::vector<std::string> lines_of(const std::string& path) {
  std::ifstream text{greenroom::test::source_dir() / path};
  std::vector<std::string> result;
  for (std::string line; std::getline(text, line);)
    if (!line.empty() && line.front() != '#')
      result.push_back(line);
  return result;
}

} // namespace

TEST_CASE("the template unit is the unit, but for the node's own places") {
  auto expected = lines_of("config/greenroom.service");
  REQUIRE(!expected.empty());
  for (auto& line : expected)
    if (line.starts_with("Description="))
      line += ", node %i";
    else if (line == "StateDirectory=greenroom")
      line += "-%i";
    else if (line.starts_with("ExecStart="))
      line.replace(line.find("greenroom.jsonc"), 15, "%i.jsonc");
  CHECK(lines_of("config/cluster/greenroom@.service") == expected);
}
