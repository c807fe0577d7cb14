// What can be no value of an option is a usage error: without a server, or in
// the server's words.
#include "tests/api/terminal_user.hpp"
#include "tests/support/sockets.hpp"

#include <string>
#include <vector>

using namespace greenroom::test;

TEST_CASE("a value that an option cannot have is a usage error, and says what "
          "would do before anything is sent") {
  struct {
    std::vector<std::string> words;
    const char* expected;
  } const all[] = {
    {{"wait", "x", "--timeout", "soon"}, "a duration like"},
    {{"create", "-p", "demo", "--expires-in", "never"}, "a duration like"},
    {{"create", "-p", "demo", "--preview-port", "65536"}, "65535"},
    {{"create", "-p", "demo", "--label", "x"}, "NAME=VALUE"},
    {{"create", "-p", "demo", "--webhook", "ftp://x"}, "http(s)://"},
    {{"extend", "x", "never"}, "a duration like"},
    {{"list", "-p", "No_Project"}, "lower-case"},
    {{"list", "-o", "xml"}, "json"},
    {{"exec", "x", "--timeout", "1", "--", "ls"}, "a duration like"},
    {{"exec", "x", "-e", "A", "--", "ls"}, "NAME=VALUE"},
    {{"run", "-p", "demo", "--timeout", "x", "--", "ls"}, "a duration like"},
    {{"kill", "x", "y", "-s", "int"}, "like INT"},
    {{"logs", "x", "--stream", "stdin"}, "stderr"},
    {{"events", "-n", "some"}, "count"},
    {{"open", "x", "--port", "0"}, "65535"},
    {{"open", "x", "--expires-in", "1"}, "a duration like"},
    {{"forward", "x", "80:"}, "LOCAL:PORT"},
    {{"reviews", "wait", "r", "-p", "demo", "--timeout", "x"},
     "a duration like"},
    {{"webhooks", "add", "x.example", "-p", "demo"}, "http(s)://"},
    {{"projects", "add", "No_Project", "/r.git"}, "lower-case"},
    {{"projects", "add", "demo", "/r.git", "--max-sessions", "0"}, "0"},
    {{"keys", "create", "n", "--for-project", "No_Project"}, "lower-case"},
    {{"keys", "create", "n", "--expires-in", "x"}, "a duration like"},
    {{"nodes", "drain", "a", "--yes", "--deadline", "x"}, "a duration like"},
    {{"completion", "tcsh"}, "zsh"},
  };
  // Whoever asks it gets no answer, and exit code 69.
  const terminal_user user{unused_port(), "k"};
  for (auto& one : all) {
    auto result = user.run(one.words);
    INFO(one.words[0] << ": " << one.expected << '\n' << result.err);
    CHECK(result.exit_code == 2);
    CHECK(result.out.empty());
    CHECK_THAT(result.err, Catch::StartsWith("greenroom: "));
    CHECK_THAT(result.err, Catch::Contains(one.expected));
  }
  CHECK(user
          .run({"wait", "aaaaaaaaaaaaaaaaaaaa", "-p", "demo", "--for",
                "port:80", "--timeout", "1h"})
          .exit_code
        == 69);
  auto what = user.command_of({"list"});
  what.env.push_back("GREENROOM_PROJECT=No_Project");
  auto result = greenroom::run_command(what);
  CHECK(result.exit_code == 2);
  CHECK_THAT(result.err, Catch::Contains("GREENROOM_PROJECT must be"));
}

TEST_CASE("a word that only the server knows is bad usage where it takes none "
          "such") {
  node_process node{{.sandboxed = false}};
  terminal_user user{node};
  const session_user session{node, json{{"branch", "topic"}}};
  struct {
    std::vector<std::string> words;
    const char* expected;
  } const all[] = {
    {{"wait", "topic", "--for", "bogus"}, "--for must be exec:"},
    {{"wait", "topic", "--for", "port:0"}, "port"},
    {{"create", "-p", "demo", "--expires-in", "31d"}, "30"},
    {{"create", "-p", "demo", "--on-expire", "nothing"}, "rescue,checkin"},
    {{"list", "--status", "live"}, "checking_in"},
    {{"watch", "topic", "--from", "then"}, "from"},
    {{"events", "--types", "exec.ended"}, "exec.ended"},
    {{"reviews", "-p", "demo", "--status", "open"}, "approved"},
    {{"webhooks", "add", "http://a.example", "-p", "demo", "--type",
      "exec.exited"},
     "exec.exited"},
    {{"keys", "create", "n", "--scope", "root"}, "root"},
  };
  for (auto& one : all) {
    auto result = user.run(one.words);
    INFO(one.words[0] << ": " << one.expected << '\n' << result.err);
    CHECK(result.exit_code == 2);
    CHECK(result.out.empty());
    CHECK_THAT(result.err, Catch::Contains(one.expected));
  }
  // That is no word's fault.
  auto refused = user.run({"create", "-p", "demo", "--branch", "main"});
  CHECK(refused.exit_code == 1);
  CHECK_THAT(refused.err, Catch::Contains("protected branch"));
}

TEST_CASE("a signal is named or numbered") {
  node_process node{{.sandboxed = false}};
  terminal_user user{node};
  session_user session{node, json{{"branch", "topic"}}};
  for (const auto* signal : {"9", "KILL", "SIGKILL"}) {
    auto id = "by-" + std::string{signal};
    session.start(id, "sleep 1000");
    session.await_status(id, "running");
    user.out({"kill", "topic", id, "-s", signal});
    CHECK(session.await_status(id, "signaled")["signal"] == "KILL");
  }
}
