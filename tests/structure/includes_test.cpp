// Who may include whom; the house rules of README.md, "The house".
#include "tests/support/build_paths.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

const fs::path root = greenroom::test::source_dir();

// runtime/node is the composition root, a part of its own; runtime/runner and
// what it shares with the server must stay free of actors.
std::string part_of(const std::string& path) {
  if (path.starts_with("runtime/node/"))
    return "node";
  if (path.starts_with("runtime/runner/") || path.starts_with("runtime/base/")
      || path.starts_with("runtime/logs/output_"))
    return "runner";
  return path.substr(0, path.find('/'));
}

const std::map<std::string, std::set<std::string>> allowed{
  {"messages", {"messages"}},
  {"runner", {"runner"}},
  {"runtime", {"messages", "runner", "runtime"}},
  {"actors", {"messages", "runner", "runtime", "actors"}},
  {"http", {"messages", "runner", "runtime", "http"}},
  {"node", {"messages", "runner", "runtime", "actors", "http", "node"}},
};

// Headers of messages/ that know nothing of CAF, so that the runner can use
// them too.
const std::set<std::string> plain_headers{"messages/time.hpp",
                                          "messages/ids.hpp"};

bool may_include(const std::string& from, const std::string& to) {
  auto part = part_of(from);
  if (part == "runner" && plain_headers.contains(to))
    return true;
  return allowed.at(part).contains(part_of(to));
}

std::vector<std::string> sources() {
  std::vector<std::string> result;
  for (auto top : {"messages", "runtime", "actors", "http"})
    for (auto& entry : fs::recursive_directory_iterator{root / top}) {
      auto extension = entry.path().extension();
      if (extension == ".hpp" || extension == ".cpp")
        result.push_back(fs::relative(entry.path(), root).string());
    }
  return result;
}

std::vector<std::string> includes_of(const std::string& path, bool system) {
  static const std::regex own{R"(^\s*#\s*include\s*\"([^\"]+)\")"};
  static const std::regex foreign{R"(^\s*#\s*include\s*<([^>]+)>)"};
  std::ifstream in{root / path};
  std::vector<std::string> result;
  std::smatch match;
  for (std::string line; std::getline(in, line);)
    if (std::regex_search(line, match, system ? foreign : own))
      result.push_back(match[1]);
  return result;
}

} // namespace

TEST_CASE("every part includes only what it may") {
  auto all = sources();
  REQUIRE(all.size() > 50);
  for (auto& path : all)
    for (auto& other : includes_of(path, false)) {
      INFO(path << " includes " << other);
      CHECK(fs::exists(root / other));
      CHECK(may_include(path, other));
    }
}

TEST_CASE("the rules would notice") {
  CHECK_FALSE(may_include("http/api/routes.cpp", "actors/session/session.hpp"));
  CHECK_FALSE(may_include("messages/ids.hpp", "runtime/base/fd.hpp"));
  CHECK_FALSE(may_include("actors/session/session.hpp", "runtime/node/node.hpp"));
  CHECK_FALSE(may_include("runtime/runner/outer/shim.cpp", "messages/errors.hpp"));
}

TEST_CASE("the runner knows neither CAF nor libgit2, messages no HTTP") {
  for (auto& path : sources())
    for (auto& other : includes_of(path, true)) {
      INFO(path << " includes " << other);
      if (part_of(path) == "runner")
        CHECK_FALSE((other.starts_with("caf/") || other == "git2.h"));
      if (part_of(path) != "http")
        CHECK_FALSE(other.starts_with("restinio/"));
    }
}
