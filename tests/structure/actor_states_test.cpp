// CAF 0.17 makes an actor's state from the actor's address where it can, and in
// C++20 an aggregate that begins with a bool can be: it then begins as true.
// So such a state has a constructor.
#include "tests/support/build_paths.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace {

namespace fs = std::filesystem;

std::vector<std::string> sources_and_tests() {
  std::vector<std::string> result;
  for (auto folder : {"actors", "http", "runtime", "tests"})
    for (auto& entry : fs::recursive_directory_iterator{
           greenroom::test::source_dir() / folder}) {
      auto kind = entry.path().extension();
      if (kind != ".cpp" && kind != ".hpp")
        continue;
      std::stringstream text;
      text << std::ifstream{entry.path()}.rdbuf();
      result.push_back(text.str());
    }
  return result;
}

std::set<std::string> states_in(const std::vector<std::string>& texts) {
  static const std::regex use{
    R"((?:stateful_pointer|stateful_actor)<(\w+)[,>])"};
  std::set<std::string> result;
  for (auto& text : texts)
    for (std::sregex_iterator i{text.begin(), text.end(), use}, end; i != end;
         ++i)
      result.insert((*i)[1]);
  return result;
}

// Of a struct without a constructor, whose first member is a bool.
bool begins_with_bool(const std::string& text, const std::string& state) {
  std::smatch found;
  std::regex body{"struct " + state + R"( \{([\s\S]*?)\n\};)"};
  if (!std::regex_search(text, found, body))
    return false;
  auto members = std::regex_replace(found[1].str(), std::regex{"//[^\n]*"}, "");
  if (members.find(state + "()") != std::string::npos)
    return false;
  std::smatch first;
  static const std::regex member{
    R"((?:^|\n)  (?!static|using|struct|enum)([\w:<>,* ]+) \w+(?: = [^;]*|\{[^;]*\})?;)"};
  return std::regex_search(members, first, member) && first[1] == "bool";
}

} // namespace

TEST_CASE("no actor's state is an aggregate that begins with a bool") {
  CHECK(
    begins_with_bool("struct s {\n  static inline const char* name = \"\";\n"
                     "  bool a = false;\n};",
                     "s"));
  CHECK_FALSE(
    begins_with_bool("struct s {\n  s() {}\n  bool a = false;\n};", "s"));
  CHECK_FALSE(begins_with_bool("struct s {\n  int a = 0;\n  bool b;\n};", "s"));
  auto texts = sources_and_tests();
  auto states = states_in(texts);
  CHECK(states.size() > 8);
  for (auto& state : states)
    for (auto& text : texts) {
      INFO(state);
      CHECK_FALSE(begins_with_bool(text, state));
    }
}
