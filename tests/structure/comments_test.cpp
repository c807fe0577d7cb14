// A file that a comment names is there.
#include "tests/support/build_paths.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

constexpr std::array commented_folders{"actors",   "bench", "config",
                                       "findings", "http",  "messages",
                                       "runtime",  "tests"};

/// Every tail of every path: "c.hpp", "b/c.hpp" and "a/b/c.hpp".
std::set<std::string> names() {
  // Those of the build and of CAF.
  std::set<std::string> result{"version.cpp", "build_paths.cpp",
                               "caf/meta/load_callback.hpp"};
  auto top = greenroom::test::source_dir();
  for (auto folder : commented_folders)
    for (auto& entry : fs::recursive_directory_iterator{top / folder}) {
      auto path = entry.path().lexically_relative(top);
      for (fs::path tail; path.has_filename(); path = path.parent_path()) {
        tail = tail.empty() ? path.filename() : path.filename() / tail;
        result.insert(tail.string());
      }
    }
  for (auto& entry : fs::directory_iterator{top})
    result.insert(entry.path().filename().string());
  return result;
}

std::vector<std::string> named_in(const std::string& line) {
  static const std::regex comment{R"(^\s*//(.*)|; //(.*))"};
  static const std::regex file{R"((?:^|[^\w./-])(\w[\w/.-]*\.(?:hpp|cpp|md)))"};
  std::vector<std::string> result;
  std::smatch found;
  if (!std::regex_search(line, found, comment))
    return result;
  auto text = found[1].str() + found[2].str();
  for (std::sregex_iterator i{text.begin(), text.end(), file}, end; i != end;
       ++i)
    result.push_back((*i)[1]);
  return result;
}

} // namespace

TEST_CASE("a file that a comment names is there") {
  CHECK(named_in("  int a; // see b/c.hpp, d.md")
        == std::vector<std::string>{"b/c.hpp", "d.md"});
  CHECK(named_in("#include \"a.hpp\"").empty());
  auto all = names();
  int seen = 0;
  for (auto folder : commented_folders)
    for (auto& entry : fs::recursive_directory_iterator{
           greenroom::test::source_dir() / folder}) {
      auto kind = entry.path().extension();
      if (kind != ".cpp" && kind != ".hpp")
        continue;
      std::ifstream file{entry.path()};
      for (std::string line; std::getline(file, line);)
        for (auto& name : named_in(line)) {
          INFO(entry.path() << ": " << name);
          // This file's own examples.
          CHECK((all.contains(name) || name == "b/c.hpp" || name == "d.md"
                 || name == "c.hpp" || name == "a/b/c.hpp"));
          ++seen;
        }
    }
  CHECK(seen > 50);
}
