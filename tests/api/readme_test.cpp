// The commands of the README, pasted into a shell as they are there.
#include "tests/api/demo.hpp"

#include "runtime/base/files.hpp"
#include "runtime/base/run_command.hpp"
#include "tests/support/build_paths.hpp"

#include <string>

using namespace greenroom;
using namespace greenroom::test;

namespace {

/// The block of commands that begins with `first`.
std::string block_of(const std::filesystem::path& file,
                     const std::string& first) {
  auto text = read_file(file).value();
  auto begin = text.find("```sh\n" + first);
  REQUIRE(begin != std::string::npos);
  begin += 6;
  return text.substr(begin, text.find("\n```", begin) - begin);
}

void replace(std::string& text, const std::string& what,
             const std::string& with) {
  auto at = text.find(what);
  INFO(what);
  REQUIRE(at != std::string::npos);
  text.replace(at, what.size(), with);
}

} // namespace

TEST_CASE("the commands of the README work as they are pasted") {
  node_process node;
  temp_dir dir;
  auto script = block_of(source_dir() / "README.md", "export URL=");
  replace(script, "127.0.0.1:8080", "127.0.0.1:" + std::to_string(node.port()));
  replace(script, ".dev/data/admin.key",
          (node.data_dir() / "admin.key").string());
  replace(script, ".dev/demo.git", node.upstream().string());
  auto ran = run_command({.argv = {"bash", "-eu", "-c", script + "\nwait\n"},
                          .cwd = dir.path(),
                          .env = {"PATH=/usr/bin:/bin"},
                          .stdin_fd = -1});
  INFO(ran.out << ran.err);
  CHECK(ran.exit_code == 0);
  CHECK(ran.out.find("event: exec.exited\n") != std::string::npos);
  CHECK(ran.out.find("\"stdout\":\"hello\\n\"") != std::string::npos);
  CHECK(ran.out.find("\n    Say hello") != std::string::npos);
}
