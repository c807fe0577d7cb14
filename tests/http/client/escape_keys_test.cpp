// The keys that leave a terminal.
#include "http/client/escape_keys.hpp"

#include <catch2/catch.hpp>

#include <string>

using greenroom::http::client::escape_keys;

TEST_CASE("Enter, tilde and a point leave a terminal, and nothing else does") {
  auto typed = [](std::initializer_list<std::string> all) {
    escape_keys keys;
    std::string result;
    for (auto& some : all) {
      auto now = keys.take(some);
      result += now.bytes;
      if (now.leave)
        result += "<left>";
    }
    return result;
  };
  CHECK(typed({"ls\r", "~."}) == "ls\r<left>");
  CHECK(typed({"ls\r", "~", "."}) == "ls\r<left>");
  CHECK(typed({"~."}) == "<left>"); // where the line has just begun
  CHECK(typed({"a~.\r"}) == "a~.\r");
  CHECK(typed({"\r~~."}) == "\r~.");
  CHECK(typed({"\r~", "x"}) == "\r~x");
  CHECK(typed({"cd ~/src\r"}) == "cd ~/src\r");
}
