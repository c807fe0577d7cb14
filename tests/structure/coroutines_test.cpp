// GCC 12, Debian 12's compiler, destroys some temporaries of a co_await
// expression twice: those of the branch that the conditional operator did not
// take among them. What compiles and passes most tests then frees memory that
// is in use; so the form is not written at all.
#include "tests/support/build_paths.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>
#include <string>

namespace {

namespace fs = std::filesystem;

// A conditional operator and a co_await in one expression statement.
bool has_conditional_co_await(const std::string& source) {
  static const std::regex comment{"//[^\n]*"};
  static const std::regex literal{R"("(\\.|[^"\\\n])*"|'(\\.|[^'\\\n])')"};
  static const std::regex form{
    R"(\?[^;{}?]*co_await|co_await[^;{}?]*\?[^;{}]*:)"};
  auto code = std::regex_replace(source, comment, "");
  return std::regex_search(std::regex_replace(code, literal, "0"), form);
}

} // namespace

TEST_CASE("no co_await stands in a conditional expression") {
  CHECK(has_conditional_co_await("auto a = known ? b : co_await find(id);"));
  CHECK(has_conditional_co_await("auto a =\n  co_await f() ?\n b : c;"));
  CHECK_FALSE(has_conditional_co_await("a ? b : c; co_await f();"));
  CHECK_FALSE(has_conditional_co_await("if (x) // or? \n co_await f();"));
  int with_co_await = 0;
  for (auto folder : {"actors", "http", "runtime"})
    for (auto& entry : fs::recursive_directory_iterator{
           greenroom::test::source_dir() / folder}) {
      if (entry.path().extension() != ".cpp"
          && entry.path().extension() != ".hpp")
        continue;
      std::stringstream text;
      text << std::ifstream{entry.path()}.rdbuf();
      if (text.str().find("co_await") == std::string::npos)
        continue;
      ++with_co_await;
      INFO(entry.path());
      CHECK_FALSE(has_conditional_co_await(text.str()));
    }
  CHECK(with_co_await > 10);
}
