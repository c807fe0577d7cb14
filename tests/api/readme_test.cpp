// The commands of the README, pasted into a shell as they are there.
#include "tests/api/demo.hpp"

#include "runtime/base/files.hpp"
#include "runtime/base/run_command.hpp"
#include "tests/support/build_paths.hpp"

#include <set>
#include <sstream>
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

/// Runs a block that uses the client.
command_result run_client(const node_process& node, const temp_dir& home,
                          const std::string& script,
                          const std::string& project) {
  return run_command(
    {.argv = {"bash", "-eu", "-o", "pipefail", "-c", script},
     .cwd = home.path(),
     .env = {"PATH=" + binary_dir().string() + ":/usr/bin:/bin",
             "HOME=" + home.path().string(),
             "GREENROOM_URL=http://127.0.0.1:" + std::to_string(node.port()),
             "GREENROOM_KEY=" + node.admin_key(),
             "GREENROOM_PROJECT=" + project},
     .stdin_fd = -1});
}

/// What a command or option is called in what `help --json` tells.
bool is_told(const nlohmann::json& of, const char* list,
             const std::string& name) {
  for (auto& one : of.value(list, nlohmann::json::array())) {
    std::istringstream names{one["name"].get<std::string>()};
    for (std::string each; std::getline(names, each, ',');)
      if (each == name)
        return true;
  }
  return false;
}

const nlohmann::json* command_in(const nlohmann::json& of,
                                 const std::string& name) {
  if (of.contains("commands"))
    for (auto& one : of["commands"])
      if (one["name"] == name)
        return &one;
  return nullptr;
}

/// Checks the options of `words`, up to what runs in the session.
void check_options(const nlohmann::json& all, const std::string& words) {
  std::istringstream text{words};
  auto* command = &all;
  for (std::string word; text >> word && word != "--" && word[0] != '#';) {
    if (word[0] == '-') {
      INFO(words << ": " << word);
      auto name = word.substr(0, word.find_first_of("=)"));
      CHECK(
        (is_told(*command, "options", name) || is_told(all, "options", name)));
    } else if (auto* next = command_in(*command, word)) {
      command = next;
    }
  }
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

TEST_CASE("a project and a colleague are made as the README says") {
  node_process node;
  temp_dir home;
  auto script = block_of(source_dir() / "README.md", "greenroom projects add");
  replace(script, "https://git.example.org/site.git", node.upstream().string());
  auto ran = run_client(node, home, script, "");
  INFO(ran.out << ran.err);
  CHECK(ran.exit_code == 0);
  auto made = expect(200, node.admin().get("/projects/site")).data();
  CHECK(made["max_active_sessions"] == 5);
  CHECK(made["setup"] == "npm ci");
  CHECK(made["review"]["command"] == "npm test");
  auto key = expect(200, node.admin().get("/keys")).data()["keys"][0];
  CHECK(key["name"] == "Ada");
  CHECK(key["author"] == "Ada <ada@example.org>");
  CHECK(key["projects"] == nlohmann::json{"site"});
  CHECK(key["scopes"].size() == 3);
}

TEST_CASE("the README's commands for scripts work in one") {
  node_process node;
  temp_dir home;
  auto script =
    block_of(source_dir() / "README.md", "export GREENROOM_URL=https");
  // Where and by what key is this test's.
  script.erase(0, script.find("greenroom run"));
  replace(script, "make test", "cat README.md");
  replace(script, "-- make", "-- echo made");
  auto ran = run_client(node, home, script, "demo");
  INFO(ran.out << ran.err);
  CHECK(ran.exit_code == 0);
  CHECK(ran.out.starts_with("# Demo\nmade\n"));
  CHECK(ran.out.find("\"status\": \"active\"") != std::string::npos);
  CHECK(expect(200, node.admin().get("/sessions?status=active"))
          .data()["sessions"]
          .empty());
}

TEST_CASE("the README names no option of the client that is not there") {
  auto all = nlohmann::json::parse(
    run_command({.argv = {binary_dir() / "greenroom", "help", "--json"}}).out);
  const std::set<std::string> of_the_node{"serve", "config", "doctor", "backup",
                                          "restore"};
  std::istringstream lines{read_file(source_dir() / "README.md").value()};
  std::size_t seen = 0;
  const std::string program = "greenroom ";
  for (std::string line; std::getline(lines, line);) {
    // Lines of commands, and those that are named in a sentence.
    for (auto at = line.find(program); at != std::string::npos;
         at = line.find(program, at + 1)) {
      if (at > 0
          && std::string_view{"`( "}.find(line[at - 1]) == std::string::npos)
        continue;
      auto words = line.substr(at + program.size());
      words = words.substr(0, words.find('`'));
      auto name = words.substr(0, words.find(' '));
      if (of_the_node.contains(name) || command_in(all, name) == nullptr)
        continue;
      ++seen;
      check_options(all, words);
    }
  }
  CHECK(seen > 25);
}
