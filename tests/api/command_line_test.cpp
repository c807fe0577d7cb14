// The client's commands, as people and scripts use them: the program itself,
// against a real node.
#include "runtime/base/files.hpp"
#include "runtime/base/run_command.hpp"
#include "tests/api/terminal_user.hpp"
#include "tests/support/build_paths.hpp"
#include "tests/support/http_receiver.hpp"
#include "tests/support/sockets.hpp"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <future>
#include <set>
#include <string>
#include <vector>

using namespace greenroom::test;
using namespace greenroom;

TEST_CASE("a user goes from a session to its check-in by commands alone") {
  node_process node;
  terminal_user user{node};
  auto id = user.out({"create", "fix", "-p", "demo", "--use", "-q"});
  id.erase(id.find('\n'));
  CHECK(user.out({"list"}).find(id) != std::string::npos);
  for (auto& words : std::vector<std::vector<std::string>>{
         {"list", "--json=id,status"}, {"list", "--json", "id,status"}})
    CHECK(json::parse(user.out(words))
          == json::array({{{"id", id}, {"status", "active"}}}));
  auto both =
    user.run({"exec", "--", "sh", "-c", "echo a; echo b >&2; exit 7"});
  CHECK(both.exit_code == 7);
  CHECK(both.out == "a\n");
  CHECK(both.err == "b\n");
  CHECK(user.out({"exec", "-i", "fix", "--", "tr", "a-z", "A-Z"}, "words\n")
        == "WORDS\n");
  CHECK(user.run({"exec", "-c", "kill -9 $$"}).exit_code == 137);
  CHECK(user.run({"exec", "--timeout", "100ms", "--", "sleep", "60"}).exit_code
        == 124);
  auto started = user.out({"exec", "-d", "-c", "sleep 60"});
  started.erase(started.find('\n'));
  CHECK(user.out({"ps", "-q"}) == started + '\n');
  user.out({"kill", started});
  CHECK(user.out({"logs", "--stream", "stdout"}).empty());
  user.out({"exec", "-c", "echo new > new.txt"});
  CHECK(user.out({"diff"}).find("+new") != std::string::npos);

  CHECK(user.run({"wait", "--for", "ended", "--timeout", "10ms"}).exit_code
        == 124);
  // A reader that has seen enough ends what writes, without a word.
  auto piped =
    run_command({.argv = {"bash", "-c",
                          "\"$0\" exec fix -- seq 200000 | head -n 1; echo "
                          "${PIPESTATUS[0]}",
                          binary_dir() / "greenroom"},
                 .env = {"PATH=/usr/bin:/bin", "GREENROOM_URL=" + user.url,
                         "GREENROOM_KEY=" + user.key}});
  CHECK(piped.out == "1\n141\n");
  CHECK(piped.err.empty());
  // What cannot be read is no end of the input.
  auto unread =
    run_command({.argv = {"bash", "-c", "\"$0\" exec -i fix -- cat </",
                          binary_dir() / "greenroom"},
                 .env = {"PATH=/usr/bin:/bin", "GREENROOM_URL=" + user.url,
                         "GREENROOM_KEY=" + user.key}});
  CHECK_FALSE(unread.ok());
  CHECK_THAT(unread.err, Catch::Contains("standard input cannot be passed on")
                           && Catch::Contains("Is a directory"));
  // git finds its token in the clone, not in arguments.
  user.out({"clone", "fix", "work"});
  auto work = user.home.path() / "work";
  CHECK(read_file(work / "README.md") == "# Demo\n");
  run_git(work, {"commit", "--allow-empty", "-qm", "Empty"});

  auto commit = user.out({"checkin", "--skip-review", "-q", "-m", "Add new"});
  CHECK(commit == node.git({"rev-parse", "fix"}) + '\n');
  CHECK(user.out({"list", "-q"}).empty());
  CHECK(user.out({"show", "--json", "fix"}).find(id) != std::string::npos);
  CHECK(user.out({"show", "fix", "--json=status"}).find("ended")
        != std::string::npos);
}

TEST_CASE("what runs on a terminal that is left keeps its session") {
  node_process node;
  terminal_user user{node};
  auto left =
    run_command({.argv = {"python3", "-c", R"(
import os, pty, sys, time
pid, master = pty.fork()
if pid == 0:
    os.execv(sys.argv[1], [sys.argv[1], "run", "-p", "demo", "-t", "--",
                           "sh", "-c", "echo ready; read x"])
seen = b""
typed = False
while True:
    try:
        got = os.read(master, 4096)
    except OSError:
        break
    if not got:
        break
    seen += got
    if not typed and b"ready" in seen:
        typed = True
        os.write(master, b"~.")
sys.stdout.write(seen.decode())
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
)",
                          binary_dir() / "greenroom"},
                 .env = {"PATH=/usr/bin:/bin", "GREENROOM_URL=" + user.url,
                         "GREENROOM_KEY=" + user.key}});
  INFO(left.out << left.err);
  CHECK(left.exit_code == 0);
  CHECK_THAT(left.out, Catch::Contains("the command runs on"));
  auto live = json::parse(user.out({"list", "--json"}));
  REQUIRE(live.size() == 1);
  CHECK_THAT(left.out, Catch::Contains(live[0]["id"].get<std::string>()));
  CHECK(live[0]["running_execs"] == 1);
}

TEST_CASE("a login that is damaged is written anew, or forgotten") {
  node_process node;
  terminal_user user{node};
  auto file = user.home.path() / ".config/greenroom/login.json";
  std::filesystem::create_directories(file.parent_path());
  std::ofstream{file} << "{\"url\"";
  CHECK(user.out({"whoami", "--json"}).find("admin") != std::string::npos);
  terminal_user stranger{node, node.port(), ""};
  std::filesystem::create_directories(stranger.home.path()
                                      / ".config/greenroom");
  std::filesystem::copy_file(file, stranger.home.path()
                                     / ".config/greenroom/login.json");
  stranger.out({"login", stranger.url, "--key-file", "-"}, node.admin_key());
  CHECK(stranger.out({"whoami", "--json"}).find("admin") != std::string::npos);
  // One that cannot be forgotten is not said to be.
  std::filesystem::remove(file);
  std::filesystem::create_directories(file / "in the way");
  auto kept = user.run({"logout"});
  CHECK(kept.exit_code == 1);
  CHECK_THAT(kept.err, Catch::Contains("the login is still in"));
  std::filesystem::remove_all(file);
  std::ofstream{file} << "{}";
  // Without a server, too.
  for (int i = 0; i < 2; ++i) {
    auto forgotten =
      run_command({.argv = {binary_dir() / "greenroom", "logout"},
                   .env = {"HOME=" + user.home.path().string()}});
    CHECK(forgotten.exit_code == 0);
    CHECK_FALSE(std::filesystem::exists(file));
  }
}

TEST_CASE("a clone of one's own is switched to sessions' branches") {
  node_process node;
  terminal_user user{node};
  auto made = [&](const std::string& name) {
    auto id = user.out({"create", name, "-p", "demo", "-q"});
    return id.substr(0, id.find('\n'));
  };
  auto first = made("first");
  auto second = made("second");
  CHECK(user.run({"checkout", "first"}).exit_code == 2); // no clone here
  run_git(user.home.path(), {"clone", "-q", node.upstream().string(), "."});
  user.out(
    {"exec", first, "-c", "echo 1 > one; git add .; git commit -qm One"});
  CHECK(user.out({"checkout", "-q", first}) == "first\n");
  CHECK(read_file(user.home.path() / "one") == "1\n");
  // What is in the clone goes there, and the branch is what commands mean.
  run_git(user.home.path(), {"commit", "-q", "--allow-empty", "-m", "Two"});
  run_git(user.home.path(), {"push", "-q"});
  CHECK(user.out({"exec", "-c", "git log -1 --format=%s"}) == "Two\n");

  user.out({"checkout", second});
  CHECK_FALSE(std::filesystem::exists(user.home.path() / "one"));
  user.out({"exec", first, "-c", "git commit -q --allow-empty -m Three"});
  user.out({"checkout", "first"});
  CHECK(run_git(user.home.path(), {"log", "-1", "--format=%s"}) == "Three");
  // What git could not do is no branch that has gone another way.
  user.out({"exec", first, "-c", "echo theirs > one; git commit -qam Four"});
  std::ofstream{user.home.path() / "one"} << "mine\n";
  auto stopped = user.run({"checkout", "first"});
  CHECK(stopped.exit_code == 1);
  CHECK_THAT(stopped.err, Catch::Contains("git merge failed"));
  run_git(user.home.path(), {"checkout", "-q", "one"});
  const auto hook = user.home.path() / ".git/hooks/post-merge";
  std::ofstream{hook} << "#!/bin/sh\nkill -9 $PPID\n";
  std::filesystem::permissions(hook, std::filesystem::perms{0755});
  auto killed = user.run({"checkout", "first"});
  CHECK(killed.exit_code == 1);
  CHECK_THAT(killed.err, Catch::Contains("git merge was ended by signal 9"));
  // The token is in no configuration and no remote's URL.
  CHECK(run_git(user.home.path(), {"config", "--list"}).find("session:")
        == std::string::npos);
}

TEST_CASE("a clone that fails leaves nothing, and is made by a next try") {
  node_process node{{.set = {"http.public_url=\"http://127.0.0.1:"
                             + std::to_string(unused_port()) + "\""}}};
  terminal_user user{node};
  user.out({"create", "fix", "-p", "demo"});
  auto made = user.home.path() / "made";
  auto there = user.home.path() / "there";
  std::filesystem::create_directories(there);
  for (int i = 0; i < 2; ++i) {
    auto failed = user.run({"clone", "fix", "made"});
    CHECK(failed.exit_code == 1);
    CHECK_THAT(failed.err, Catch::Contains("git fetch failed"));
    CHECK_FALSE(std::filesystem::exists(made));
    CHECK(user.run({"clone", "fix", "there"}).exit_code == 1);
    CHECK(std::filesystem::is_empty(there));
  }
}

TEST_CASE("git believes the authorities that the client does") {
  node_process node;
  terminal_user user{node};
  user.out({"create", "fix", "-p", "demo"});
  std::ofstream{user.home.path() / "ca.pem"} << "for https only\n";
  auto trusted = [&](const std::filesystem::path& clone) {
    auto remote = run_git(clone, {"remote"});
    auto url = run_git(clone, {"remote", "get-url", remote});
    return run_git(clone, {"config", "--get-urlmatch", "http.sslCAInfo", url});
  };
  user.out({"clone", "fix", "cloned", "--ca-file", "ca.pem"});
  CHECK(trusted(user.home.path() / "cloned") == user.home.path() / "ca.pem");
  user.out({"clone", "fix", "plain"});
  auto plain = user.home.path() / "plain";
  CHECK(run_git(plain, {"config", "--list"}).find("sslcainfo")
        == std::string::npos);

  auto own = user.home.path() / "own";
  run_git(user.home.path(), {"init", "-q", "own"});
  CHECK(user.run_in(own, {"checkout", "fix", "--ca-file", "../ca.pem"}).ok());
  CHECK(std::filesystem::equivalent(trusted(own), user.home.path() / "ca.pem"));
}

TEST_CASE("a review is waited for, decided and merged by commands") {
  node_process node;
  terminal_user user{node};
  user.out({"create", "work", "-p", "demo", "--use", "-q"});
  user.out({"exec", "-c", "echo new > new.txt"});
  auto id = json::parse(
              user.out({"checkin", "--json=review_task_id"}))["review_task_id"]
              .get<std::string>();
  auto waited = [&](const std::string& timeout) {
    return user.run({"reviews", "-p", "demo", "wait", id, "--timeout", timeout})
      .exit_code;
  };
  CHECK(user.out({"reviews", "-p", "demo", "-q"}) == id + '\n');
  CHECK(waited("10ms") == 124);
  user.out({"reviews", "-p", "demo", "approve", id, "--merge", "-m", "Fine"});
  CHECK(waited("1m") == 0);
  CHECK(node.git({"show", "main:new.txt"}) == "new");
  CHECK_THAT(user.out({"reviews", "-p", "demo", "show", id}),
             Catch::Contains("DECIDED BY"));

  user.out({"create", "more", "-p", "demo", "--use", "-q"});
  user.out({"exec", "-c", "echo more > more.txt"});
  id = json::parse(
    user.out({"checkin", "--json=review_task_id"}))["review_task_id"];
  auto silent = user.run({"reviews", "-p", "demo", "reject", id});
  CHECK(silent.exit_code == 2);
  CHECK_THAT(silent.err, Catch::Contains("--comment is required"));
  user.out({"reviews", "-p", "demo", "reject", id, "-m", "No"});
  CHECK(waited("1m") == 1);
}

TEST_CASE("a merge that was asked for and did not come is no success") {
  node_process node;
  terminal_user user{node};
  for (auto* name : {"one", "two", "three"}) {
    user.out({"create", name, "-p", "demo", "-q"});
    user.out({"exec", name, "-c", std::string{"echo "} + name + " > same.txt"});
  }
  user.out({"checkin", "one", "--skip-review", "--merge"});
  auto second = user.run({"checkin", "two", "--skip-review", "--merge"});
  CHECK(second.exit_code == 5);
  CHECK_THAT(second.out, Catch::Contains("conflict"));
  CHECK_THAT(second.err,
             Catch::Contains("not merged")
               && Catch::Contains("`greenroom create --branch two`"));
  auto waits = user.run(
    {"wait", "one", "-p", "demo", "--for", "port:80", "--timeout", "5m"});
  CHECK(waits.exit_code == 1);
  CHECK_THAT(waits.err, Catch::Contains("is over"));
  // The advice is good.
  user.out({"create", "-p", "demo", "--branch", "two", "-q"});

  auto id = json::parse(user.out(
    {"checkin", "three", "--json=review_task_id"}))["review_task_id"]
              .get<std::string>();
  auto third = user.run({"reviews", "-p", "demo", "approve", id, "--merge"});
  INFO(third.out << third.err);
  auto last = third.exit_code == 0
                ? user.run({"reviews", "-p", "demo", "merge", id})
                : third;
  CHECK(last.exit_code == 5);
  CHECK_FALSE(last.err.empty());
}

TEST_CASE("what a command would do is told, and not done") {
  node_process node;
  terminal_user user{node};
  user.out({"create", "plan", "-p", "demo", "--use", "-q"});
  user.out({"exec", "-c", "echo new > new.txt"});
  auto started = user.out({"exec", "-d", "-q", "-c", "sleep 600"});
  started.erase(started.find('\n'));
  auto steps = [&](std::vector<std::string> words) {
    words.insert(words.end(), {"--dry-run", "-o", "json"});
    return json::parse(user.out(std::move(words)));
  };
  auto actions = [](const json& of) {
    std::string result;
    for (auto& one : of)
      result += one["action"].get<std::string>() + ' ';
    return result;
  };
  auto ending = steps({"end"});
  CHECK(actions(ending) == "cancel keep end ");
  CHECK(ending[0]["what"] == "command " + started);
  CHECK(ending[1]["what"].get<std::string>().starts_with("1 changed file "));
  auto checkin = steps({"checkin", "--merge"});
  CHECK(actions(checkin) == "cancel commit push review merge end ");
  CHECK(checkin[2]["what"] == "plan");
  CHECK(checkin[4]["what"]
        == "into main: up_to_date (without what is not committed yet)");
  CHECK(steps({"rescue", "restore", "refs/tags/v1", "again", "-p",
               "demo"})[0]["what"]
        == "a session of demo on the new branch again from refs/tags/v1");
  CHECK(user.out({"show", "--json=status"}).find("active")
        != std::string::npos);
  CHECK(user.out({"ps", "-q"}) == started + '\n');
}

TEST_CASE("a directory stands for no session that has ended") {
  node_process node;
  terminal_user user{node};
  const auto file = user.home.path() / ".greenroom";
  user.out({"create", "a", "-p", "demo", "--use", "-q"});
  user.out({"create", "b", "-p", "demo", "-q"});
  user.out({"end", "-y", "b"});
  CHECK(std::filesystem::exists(file));
  auto ended = user.run({"end", "-y"});
  CHECK_THAT(ended.err,
             Catch::Contains(file.filename().string() + " is removed"));
  CHECK_FALSE(std::filesystem::exists(file));
  user.out({"create", "c", "-p", "demo", "--use", "-q"});
  std::filesystem::create_directory(user.home.path() / "below");
  CHECK(
    user.run_in(user.home.path() / "below", {"checkin", "--skip-review"}).ok());
  CHECK_FALSE(std::filesystem::exists(file));
}

TEST_CASE("a wait for a setup that fails fails") {
  node_process node{{.project = {{"setup", "exit 3"}}}};
  terminal_user user{node};
  user.out({"create", "a", "-p", "demo", "-q"});
  auto failed = user.run({"wait", "a", "--for", "setup:done"});
  CHECK(failed.exit_code == 1);
  CHECK_THAT(failed.err, Catch::Contains("(exit code 3): `greenroom logs "));
  auto quiet = user.run({"wait", "-q", "a", "--for", "exec:setup:exited"});
  CHECK(quiet.exit_code == 0);
  CHECK(quiet.err.empty());
}

TEST_CASE("what is shown once is not lost to who wants ids alone") {
  node_process node{{.set = {R"(webhooks.allow_networks=["127.0.0.1"])"}}};
  terminal_user user{node};
  auto key = user.run({"keys", "create", "-q", "bob"});
  CHECK(key.err.empty());
  key.out.erase(key.out.find('\n'));
  CHECK_THAT(terminal_user(node, node.port(), key.out).out({"whoami"}),
             Catch::Contains("bob"));
  auto hook =
    user.run({"webhooks", "add", "-q", "-p", "demo", "http://127.0.0.1:1/"});
  CHECK(hook.out == user.out({"webhooks", "-q", "-p", "demo"}));
  CHECK_THAT(hook.err, Catch::Contains("whsec_"));
}

TEST_CASE("a plan has what an end keeps, and what a check-in is refused for") {
  node_process node;
  terminal_user user{node};
  user.out({"create", "plan", "-p", "demo", "--use", "-q"});
  auto steps = [&](const std::vector<std::string>& words) {
    return user.run(words).out;
  };
  user.out({"exec", "-c",
            "git switch -qc side; git commit -q --allow-empty -m Side; git tag "
            "kept; git switch -q plan; echo 1 >> README.md; git stash -q"});
  for (const std::string verb : {"end", "checkin"}) {
    auto all = steps({verb, "--dry-run", "-o", "json"});
    CHECK_THAT(all, Catch::Contains("branch side under refs/greenroom/rescue/")
                      && Catch::Contains("tag kept under ")
                      && Catch::Contains("stash@{0} under ")
                      && !Catch::Contains("branch plan under"));
  }
  // What is changed on another branch is not committed.
  user.out({"exec", "-c", "git switch -q side; echo 2 > new"});
  CHECK_THAT(steps({"checkin", "--dry-run"}),
             Catch::Contains("1 changed file under refs/greenroom/rescue/"));
  CHECK_THAT(steps({"end", "--dry-run"}),
             Catch::Contains("what branch plan has and the upstream has not")
               && !Catch::Contains("commit of side"));
  user.out({"exec", "-c",
            "rm new; git switch -q plan; echo a > same; git add same; git "
            "commit -qm A; git switch -qc other HEAD~; echo b > same; git add "
            "same; git commit -qm B; git switch -q plan; git merge other || "
            ":"});
  auto refused = user.run({"checkin", "--dry-run", "-o", "json"});
  CHECK(refused.exit_code == 5);
  auto plan = json::parse(refused.out);
  REQUIRE(plan.size() == 1);
  CHECK(plan[0]["action"] == "refuse");
  auto done = user.run({"checkin"});
  CHECK(done.exit_code == 5);
  CHECK_THAT(done.err, Catch::Contains(plan[0]["what"].get<std::string>()));
}

TEST_CASE("the client's commands of the README work as they are pasted") {
  node_process node;
  terminal_user user{node};
  auto text = read_file(source_dir() / "README.md").value();
  auto begin = text.find("greenroom create first-try");
  REQUIRE(begin != std::string::npos);
  auto script = text.substr(begin, text.find("```", begin) - begin);
  // What is interactive has a test of its own.
  auto shell = script.find("greenroom shell");
  script.erase(shell, script.find('\n', shell) - shell);
  script = "greenroom() { '" + (binary_dir() / "greenroom").string()
           + "' --project demo \"$@\"; }\n" + script;
  auto ran = run_command(
    {.argv = {"bash", "-eu", "-c", script},
     .cwd = user.home.path(),
     .env = {"PATH=/usr/bin:/bin", "HOME=" + user.home.path().string(),
             "GREENROOM_URL=" + user.url, "GREENROOM_KEY=" + user.key}});
  INFO(ran.out << ran.err);
  CHECK(ran.exit_code == 0);
  CHECK(ran.out.find("hello\n") != std::string::npos);
  CHECK(node.git({"show", "first-try:hello.txt"}) == "hello");
}

TEST_CASE("programs and shells are told all commands") {
  node_process node;
  terminal_user user{node};
  auto all = json::parse(user.out({"help", "--json"}));
  std::vector<std::string> names;
  for (auto& one : all["commands"])
    names.push_back(one["name"]);
  CHECK(names.size() > 30);
  CHECK(user.out({"help"}).find("checkin") != std::string::npos);
  auto bash = user.out({"completion", "bash"});
  for (auto& name : names) {
    INFO(name);
    CHECK(bash.find(name) != std::string::npos);
    // Each says what it takes, without a server, and what all of the client do.
    auto help = user.run({name, "--help"});
    CHECK(help.exit_code == 0);
    const auto of_host =
      std::set<std::string>{"serve", "config", "doctor", "backup", "restore"}
        .contains(name);
    CHECK((help.out.find("--key-file") == std::string::npos) == of_host);
  }
  // Which options take a value, and what a command's help adds.
  for (auto& one : all["commands"])
    if (one["name"] == "list") {
      CHECK(one["aliases"] == json::array({"ls"}));
      for (auto& option : one["options"])
        CHECK(
          option["takes_value"]
          == (option["name"] == "--status" || option["name"] == "-l,--label"));
    } else if (one["name"] == "create")
      CHECK(one["notes"].get<std::string>().find("Example") == 0);
}

TEST_CASE("one field of JSON is named by a word") {
  node_process node;
  terminal_user user{node};
  auto id = user.out({"create", "--new-branch", "x", "-p", "demo", "-q"});
  id.erase(id.find('\n'));
  CHECK(json::parse(user.out({"list", "--json", "id"}))
        == json::array({{{"id", id}}}));
  CHECK(json::parse(user.out({"show", "x", "--json", "id"}))
        == json{{"id", id}});
  CHECK(json::parse(user.out({"show", "--json", "x"}))["id"] == id);
  CHECK(json::parse(user.out({"--json", "id", "list"})).size() == 1);
  CHECK(user.run({"list", "--json", "id", "more"}).exit_code == 2);
  CHECK_THAT(user.run({"list", "--json=id,stauts"}).err,
             Catch::Contains("no field \"stauts\" here, but "));
  CHECK(user.run({"list", "--json=id"}).err.empty());
}

TEST_CASE("a command without JSON says so, and what has it") {
  node_process node;
  terminal_user user{node};
  const auto id = first_line(user.out({"create", "x", "-p", "demo", "-q"}));
  for (auto& words : std::vector<std::vector<std::string>>{
         {"diff", "x", "--json"},
         {"logs", "x", "-o", "json"},
         {"exec", "x", "--json", "-c", "ls"},
         {"run", "-p", "demo", "--json", "-c", "ls"}}) {
    auto refused = user.run(words);
    INFO(words[0] << refused.err);
    CHECK(refused.exit_code == 2);
    CHECK(refused.out.empty());
    CHECK_THAT(refused.err, Catch::Contains("prints no JSON: "));
  }
  CHECK(json::parse(user.out({"exec", "x", "-d", "--json", "-c", "ls"}))
          .contains("exec_id"));
  CHECK(json::parse(user.out({"use", "x", "--json"}))["session_id"] == id);
  CHECK(json::parse(user.out({"clone", "x", "made", "--json"}))["directory"]
        == "made");
  CHECK(user.out({"clone", "x", "again", "-q"}) == "again\n");
  CHECK_NOTHROW(json::parse(user.run({"--json", "config", "check"}).out));
}

TEST_CASE("commands, reviews and keys are meant by a prefix of their ids") {
  node_process node;
  terminal_user user{node};
  user.out({"create", "x", "-p", "demo", "-q", "--use"});
  auto started =
    first_line(user.out({"exec", "-d", "-c", "echo hi; sleep 600"}));
  await("its output", [&] {
    return user.out({"logs", "x", started.substr(0, 10)}) == "hi\n";
  });
  CHECK(user.out({"kill", started.substr(0, 10), "-q"}) == started + '\n');
  CHECK(user.run({"kill", "x", "zz"}).exit_code == 3);

  user.out({"exec", "-c", "echo new > new.txt"});
  user.out({"checkin"});
  // Two projects are there, and none is named.
  const auto review = first_line(user.out({"reviews", "-q"}));
  CHECK_THAT(user.out({"reviews"}), Catch::Contains("PROJECT"));
  CHECK(user.out({"reviews", "show", "-q", review}) == review + '\n');
  CHECK(user.out({"reviews", "show", "-q", review.substr(0, 10)})
        == review + '\n');
  CHECK(user.run({"reviews", "show", "none"}).exit_code == 3);

  user.out({"keys", "create", "bob"});
  const auto key = first_line(user.out({"keys", "-q"}));
  CHECK_THAT(user.run({"keys", "revoke", "-y", key.substr(0, 10)}).err,
             Catch::Contains(key + " is revoked"));
  CHECK(user.run({"keys", "revoke", "-y", "zz"}).exit_code == 3);
}

TEST_CASE("help is had of one command, and a slip of the keyboard is seen") {
  const terminal_user user{1, "k"}; // no server is asked
  CHECK(user.out({"help", "reviews", "wait"})
        == user.out({"reviews", "wait", "--help"}));
  CHECK(json::parse(user.out({"help", "reviews", "wait", "--json"}))["name"]
        == "wait");
  CHECK(user.out({"version"}) == user.out({"--version"}));
  struct {
    std::vector<std::string> words;
    const char* meant;
  } const slips[] = {{{"lsit"}, "\"lsit\", did you mean \"list\"?"},
                     {{"-p", "demo", "exce"}, "mean \"exec\"?"},
                     {{"help", "shwo"}, "mean \"show\"?"},
                     {{"reviews", "aprove", "r"}, "mean \"approve\"?"},
                     {{"rescue", "lits"}, "mean \"list\"?"},
                     {{"frobnicate"}, "command \"frobnicate\"\n"}};
  for (auto& [words, meant] : slips) {
    auto result = user.run(words);
    INFO(result.err);
    CHECK(result.exit_code == 2);
    CHECK_THAT(result.err, Catch::Contains(meant));
  }
}

TEST_CASE("a session's log is short where its commands have printed much") {
  node_process node;
  terminal_user user{node};
  user.out({"create", "x", "-p", "demo", "-q", "--use"});
  user.out({"exec", "-c", "seq 1000"});
  auto types = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {"log", "--json=type"});
    std::set<std::string> found;
    for (auto& one : json::parse(user.out(std::move(words))))
      found.insert(one["type"].get<std::string>());
    return found;
  };
  auto all = types({});
  CHECK(all.contains("exec.exited"));
  CHECK_FALSE(all.contains("exec.output"));
  CHECK(types({"--types", "exec.output"})
        == std::set<std::string>{"exec.output"});
  CHECK(types({"-n", "1"}) == std::set<std::string>{"exec.exited"});
}

TEST_CASE("who waits, or may only watch, is told") {
  node_process node{{.set = {"exec.max_concurrent=1"}}};
  terminal_user user{node};
  user.out({"create", "x", "-p", "demo", "-q", "--use"});
  CHECK(user.run({"exec", "-d", "-c", "sleep 600"}).err.empty());
  CHECK_THAT(user.run({"exec", "-d", "-c", "ls"}).err,
             Catch::Contains("the command waits until others have ended"));
  CHECK_THAT(user.run({"exec", "-d", "-c", "ls"}).err,
             Catch::Contains("1 waits before it"));
  const auto key = user.out({"keys", "create", "-q", "ada", "--scope",
                             "sessions:read", "--scope", "projects:read"});
  const terminal_user ada{node, node.port(), first_line(key)};
  auto refused = ada.run({"forward", "x", "8080"});
  CHECK(refused.exit_code == 4);
  CHECK_THAT(refused.err, Catch::Contains("may only read"));
}

TEST_CASE("the environment's project is meant where none is named") {
  node_process node;
  terminal_user user{node};
  auto id = user.out({"create", "x", "-p", "other", "-q"});
  id.erase(id.find('\n'));
  auto in_demo = [&](std::vector<std::string> words) {
    auto what = user.command_of(std::move(words));
    what.env.push_back("GREENROOM_PROJECT=demo");
    return run_command(what);
  };
  CHECK(user.out({"list", "-q"}) == id + '\n');
  CHECK(in_demo({"list", "-q"}).out.empty());
  CHECK(in_demo({"list", "-q", "-p", "other"}).out == id + '\n');
  auto none = in_demo({"show", "x"});
  CHECK(none.exit_code == 3);
  CHECK_THAT(none.err, Catch::Contains("in project demo"));
  // What a directory stands for is nobody's guess.
  user.out({"use", "x"});
  CHECK(in_demo({"show", "-q"}).out == id + '\n');
}

TEST_CASE("a directory that stands for another server's session says so") {
  node_process node;
  terminal_user user{node};
  std::ofstream{user.home.path() / ".greenroom"}
    << R"({"url": "http://elsewhere:1", "project": "p", "session": "s"})";
  auto result = user.run({"show"});
  CHECK(result.exit_code == 2);
  CHECK_THAT(result.err, Catch::Contains("one of http://elsewhere:1"));
}

TEST_CASE("who leaves while a command is begun is told how to look for it") {
  const std::string id = "abcdefghij0123456789";
  const auto session = R"({"data": {"id": ")" + id + R"("}})";
  http_receiver server{[&](const received_request& request) {
    if (request.line.starts_with("POST"))
      return http_receiver::never;
    return "HTTP/1.1 200 OK\r\nContent-Length: "
           + std::to_string(session.size()) + "\r\n\r\n" + session;
  }};
  terminal_user user{server.port(), "key"};
  auto ended = std::async(std::launch::async, [&] {
    return run_command(user.bash("\"$0\" exec -p demo " + id
                                 + " -- ls & echo $! >pid; wait $!"));
  });
  await("the request", [&] { return server.requests().size() == 2; });
  ::kill(std::stoi(read_file(user.home.path() / "pid").value()), SIGTERM);
  auto result = ended.get();
  CHECK(result.exit_code == 128 + SIGTERM);
  CHECK_THAT(result.err, Catch::Contains("`greenroom ps " + id + '`'));
}

TEST_CASE("who does not read the output of a command keeps no signal from us") {
  node_process node{{.sandboxed = false}};
  terminal_user user{node};
  user.out({"create", "x", "-p", "demo"});
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  unique_fd reader{ends[0]};
  unique_fd writer{ends[1]};
  auto start = [&](const std::string& command, int errors) {
    auto pid = start_command(user.command_of({"exec", "x", "-c", command}),
                             writer.get(), errors);
    await("a full pipe", [&] {
      pollfd takes{writer.get(), POLLOUT, 0};
      return ::poll(&takes, 1, 0) == 0;
    });
    return pid;
  };
  auto code_of = [](pid_t pid) {
    int status = 0;
    await("its end", [&] { return ::waitpid(pid, &status, WNOHANG) == pid; });
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  };
  // Nor for what there is to say of that.
  auto pid = start("yes", writer.get());
  ::kill(pid, SIGTERM);
  CHECK(code_of(pid) == 128 + SIGTERM);
  // All of it comes, however late it is read.
  auto drain = [&](std::size_t bytes) {
    std::string all(bytes, ' ');
    std::size_t got = 0;
    while (got < bytes) {
      auto size = ::read(reader.get(), &all[got], bytes - got);
      REQUIRE(size > 0);
      got += static_cast<std::size_t>(size);
    }
    return all;
  };
  int left = 0;
  REQUIRE(::ioctl(reader.get(), FIONREAD, &left) == 0);
  drain(static_cast<std::size_t>(left));
  unique_fd errors{::open("/dev/null", O_WRONLY | O_CLOEXEC)};
  pid = start("head -c 300000 /dev/zero | tr '\\0' x", errors.get());
  CHECK(drain(300'000) == std::string(300'000, 'x'));
  CHECK(code_of(pid) == 0);
}

TEST_CASE("standard files that are closed stay nobody's") {
  node_process node;
  terminal_user user{node};
  user.out({"create", "x", "-p", "demo"});
  auto closed = [&](const std::string& script) {
    return run_command(user.bash("timeout 30 \"$0\" " + script));
  };
  auto result = closed("exec -i x -- wc -c <&-");
  CHECK(result.exit_code == 0);
  CHECK(result.out == "0\n");
  result = closed("list >&-");
  CHECK(result.exit_code == 1);
  CHECK_THAT(result.err, Catch::Contains("cannot be written"));
  CHECK(closed("list 2>&-").exit_code == 0);
}

TEST_CASE("run makes a session, gives the command's exit code, and ends it") {
  node_process node;
  terminal_user user{node};
  auto result =
    user.run({"run", "-p", "demo", "--", "sh", "-c", "cat README.md; exit 3"});
  CHECK(result.exit_code == 3);
  CHECK(result.out == "# Demo\n");
  CHECK(user.out({"list", "-q"}).empty());
}

TEST_CASE("what goes wrong has a sentence, a way on and an exit code") {
  node_process node;
  terminal_user user{node};
  auto check = [&](const terminal_user& who, std::vector<std::string> words,
                   int code, const std::string& part) {
    auto result = who.run(std::move(words));
    INFO(result.err);
    CHECK(result.exit_code == code);
    CHECK(result.out.empty());
    CHECK(result.err.find(part) != std::string::npos);
  };
  check(user, {"exec", "none", "--", "ls"}, 3, "no session has an id");
  check(user, {"exec", "none"}, 2, "give a command after --");
  check(user, {"end", "-y", "--", "x"}, 2, "before it");
  check(user, {"wait", "--timeout", "soon"}, 2, "a duration like 90s");
  check(user, {}, 2, "no command is given");
  check(user, {"list", "--label", "a"}, 2, "NAME=VALUE");
  check(user, {"list", "-o", "xml"}, 2, "`greenroom list --help`");
  check(user, {"rescue"}, 2, "`greenroom rescue --help`");
  check(user, {"exec", "none", "ls"}, 2, "after --");
  check(user, {"backup"}, 2, "greenroom: file is required");
  check(user, {"list", "--key-file", "."}, 2, "it is a directory");
  check(user, {"list", "--status", "x"}, 2, "`greenroom list --help`");
  check(user, {"extend"}, 2, "[SESSION] DURATION");
  check(user, {"forward"}, 2, "[LOCAL:]PORT");
  check(user, {"kill"}, 2, "[SESSION] EXEC");
  check(user, {"attach"}, 2, "[SESSION] EXEC");
  check(user, {"extend", "8h"}, 2, "no session is named");
  // A variable of a script that is not set means nothing at all.
  for (auto& words : std::vector<std::vector<std::string>>{
         {"end", "--yes", ""}, {"show", ""}, {"extend", "", "8h"}, {"use", ""}})
    check(user, words, 2, "session is an empty word");
  check(user, {"reviews", "show", "", "-p", "demo"}, 2, "review is an empty");
  check(user, {"keys", "revoke", "-y", ""}, 2, "key is an empty word");
  check(user, {"lst"}, 2, "there is no command \"lst\"");
  check(user, {"create", "x", "--branch", "y", "-p", "demo"}, 2, "not both");
  check(user, {"create", "x"}, 2, "--project");
  check(user, {"create", "x", "-p", "none"}, 3, "project not found");
  user.out({"create", "x", "-p", "demo"});
  check(user, {"create", "x", "-p", "demo"}, 5, "exists");
  auto plain = user.out({"exec", "-d", "-q", "x", "-c", "tail -f README.md"});
  plain.erase(plain.find('\n'));
  check(user, {"attach", "x", plain}, 5, "has no terminal");
  check(user, {"exec", "x", "--", "no-such-program"}, 127, "not found");
  check(user, {"exec", "x", "--", "/etc/passwd"}, 126, "not executable");
  check(user, {"logs", "x", "none"}, 3, "`greenroom ps --all SESSION`");
  check(user, {"reviews", "show", "none", "-p", "demo"}, 3,
        "`greenroom reviews`");
  check(user, {"attach", "x", plain}, 5, "`greenroom logs -f SESSION EXEC`");
  check(user, {"api", "POST", "/projects", "-d", "{\n]"}, 2,
        "at line 2, column 1");
  auto piped = user.run({"api", "POST", "/projects", "-d", "@-"}, "{]");
  CHECK_THAT(piped.err, Catch::Contains("at line 1, column 2"));
  check(user, {"exec", "x", "--", "caf\xe9"}, 2, "not UTF-8: caf\\xe9");
  check(user, {"exec", "x", "-e", "A=\xff", "-c", "ls"}, 2, "env.A");
  check(user, {"run", "-p", "demo", "-t", "--", "ls"}, 2, "needs a terminal");
  check(user, {"shell", "x"}, 2, "`greenroom exec SESSION -- COMMAND`");
  check(user, {"run", "-p", "demo", "--", "\xff"}, 2, "not UTF-8");
  check(user, {"checkin", "x", "-m", "\xff"}, 2, "--message is not");
  CHECK(json::parse(user.out({"list", "--all", "--json"})).size() == 1);
  check(user, {"end", "x"}, 2, "--yes");
  user.out({"end", "x", "--yes"});
  check(user, {"forward", "x", "8080"}, 1, "is over (terminated)");
  check(terminal_user{node, node.port(), "wrong"}, {"list"}, 4,
        "GREENROOM_KEY");
  check(terminal_user{node, unused_port(), "k"}, {"list"}, 69,
        "cannot be reached");
  check(user, {"--url", "https" + user.url.substr(4), "list"}, 69,
        "without TLS has an http:// address");
}

TEST_CASE("a key is made, used from a login, and revoked by commands") {
  node_process node;
  terminal_user admin{node};
  auto key = admin.out({"keys", "create", "bob", "--for-project", "demo"});
  terminal_user bob{node, node.port(), ""};
  CHECK(bob.run({"whoami"}).exit_code == 4);
  bob.out({"login", bob.url, "--key-file", "-"}, key);
  CHECK(bob.out({"whoami", "--json=name"}).find("bob") != std::string::npos);
  auto keys = json::parse(admin.out({"keys", "-o", "json"}));
  admin.out({"keys", "revoke", "-y", keys[0]["id"]});
  CHECK(bob.run({"whoami"}).exit_code == 4);
}

TEST_CASE("a new key's user needs no word for the only project") {
  node_process node;
  terminal_user admin{node};
  auto key = admin.out({"keys", "create", "ada", "--for-project", "demo"});
  terminal_user ada{node, node.port(), key};
  CHECK_THAT(ada.out({"create", "work"}), Catch::EndsWith("  ada\n"));
  CHECK_THAT(ada.out({"list"}), Catch::EndsWith("  ada\n"));
  CHECK(ada.out({"projects", "list", "-q"}) == "demo\n");
  // Also where it may not list them.
  key = admin.out({"keys", "create", "bob", "--for-project", "demo", "--scope",
                   "sessions:read", "--scope", "sessions:execute"});
  terminal_user bob{node, node.port(), key};
  CHECK(bob.out({"run", "--", "cat", "README.md"}) == "# Demo\n");
  auto all = admin.out({"keys", "create", "cy", "--scope", "sessions:execute"});
  auto lost = terminal_user{node, node.port(), all}.run({"create", "x"});
  CHECK(lost.exit_code == 2);
  CHECK_THAT(lost.err, Catch::Contains("--project"));
}

TEST_CASE("what a command's help names is there") {
  node_process node;
  terminal_user user{node};
  for (const char* noun : {"projects", "keys", "nodes"}) {
    INFO(noun);
    CHECK(user.out({noun, "list", "-q"}) == user.out({noun, "-q"}));
  }
  CHECK(user.out({"reviews", "list", "-p", "demo", "--status", "queued"})
        == user.out({"reviews", "-p", "demo", "--status", "queued"}));
  CHECK(user.out({"webhooks", "list", "-p", "demo", "-q"}).empty());
}

TEST_CASE("nodes are listed, and one that is alone is not drained",
          "[one-node]") {
  node_process node;
  terminal_user admin{node};
  auto all = json::parse(admin.out({"nodes", "-o", "json"}));
  REQUIRE(all.size() == 1);
  CHECK(all[0]["state"] == "ready");
  const std::string name = all[0]["name"];
  CHECK(admin.out({"nodes", "-q"}) == name + "\n");
  CHECK(admin.out({"nodes"}).find("REACHABLE") != std::string::npos);

  auto check = [&](std::vector<std::string> words, int code,
                   const std::string& part) {
    auto result = admin.run(std::move(words));
    INFO(result.err);
    CHECK(result.exit_code == code);
    CHECK(result.out.empty());
    CHECK(result.err.find(part) != std::string::npos);
  };
  check({"nodes", "drain", name}, 2, "--yes");
  check({"nodes", "drain", name, "--yes"}, 5, "is alone");
  check({"nodes", "drain", name, "--dry-run"}, 5, "is alone");
  check({"nodes", "resume", name}, 5, "is alone");
  check({"nodes", "drain", "nobody", "--yes"}, 3, "node not found");
  check({"nodes", "drain", name, "--yes", "--deadline", "soon"}, 2,
        "must be a duration like 90s");
  CHECK(admin.out({"nodes", "drain", "--help"}).find("--dry-run")
        != std::string::npos);
  CHECK(admin.out({"completion", "bash"}).find("drain resume")
        != std::string::npos);
}

TEST_CASE("webhooks are managed, and events watched, by commands") {
  node_process node{
    {.sandboxed = false,
     .set = {R"(webhooks.allow_networks=["127.0.0.1"])",
             R"(webhooks.allow_networks_of_sessions=["127.0.0.1"])"}}};
  http_receiver receiver{
    [](const received_request&) { return http_receiver::answer(200); }};
  terminal_user user{node};
  auto secret = user.out({"webhooks", "-p", "demo", "add", receiver.url(),
                          "--type", "session.ended"});
  CHECK(secret.starts_with("whsec_"));
  auto id = user.out({"webhooks", "-p", "demo", "-q"});
  id.erase(id.find('\n'));
  CHECK(user.out({"webhooks", "-p", "demo", "test", id}).find("delivered")
        != std::string::npos);
  CHECK(user.out({"webhooks", "-p", "demo", "disable", id}).find("disabled")
        != std::string::npos);
  user.out({"webhooks", "-p", "demo", "enable", id});
  auto session = user.out({"create", "work", "-p", "demo", "-q"});
  session.erase(session.find('\n'));
  user.out({"end", "-y", session});
  CHECK(eventually([&] { return receiver.requests().size() == 2; }));
  auto sent = user.out({"webhooks", "-p", "demo", "deliveries", id, "-q"});
  user.out({"webhooks", "-p", "demo", "redeliver", id,
            sent.substr(0, sent.find('\n'))});
  CHECK(eventually([&] { return receiver.requests().size() == 3; }));
  auto hooked = user.run({"create", "hooked", "-p", "demo", "-q", "--webhook",
                          receiver.url("/own")});
  CHECK(hooked.exit_code == 0);
  CHECK(hooked.out.find("whsec_") == std::string::npos);
  CHECK(hooked.err.find("whsec_") != std::string::npos);
  CHECK(hooked.err.find(receiver.url("/own")) != std::string::npos);
  hooked.out.erase(hooked.out.find('\n'));
  CHECK(user.out({"webhooks", "-p", "demo"}).find(hooked.out)
        != std::string::npos);
  CHECK(eventually([&] {
    return std::ranges::any_of(receiver.requests(), [](auto& one) {
      return one.line.find("/own") != std::string::npos;
    });
  }));
  user.out({"end", "-y", hooked.out});
  user.out({"webhooks", "-p", "demo", "-y", "remove", id});
  CHECK(user.run({"webhooks", "-p", "demo", "test", id}).exit_code == 3);

  auto events = user.out({"events", "--session", session, "--earliest", "-n",
                          "2", "--json=type,session_id"});
  CHECK(events.find("\"session.created\"") != std::string::npos);
  CHECK(events.find("\"session.ended\"") != std::string::npos);
  auto first =
    user.out({"events", "--session", session, "--earliest", "-n", "1", "-q"});
  first.erase(first.find('\n'));
  auto as_json =
    json::parse(user.out({"events", "--session", session.substr(0, 10),
                          "--earliest", "-n", "1", "-o", "json"}));
  // Before the point is when it was asked.
  auto place = [](const std::string& cursor) {
    return cursor.substr(cursor.find('.'));
  };
  CHECK(place(as_json["id"]) == place(first));
  CHECK(as_json["session_id"] == session);
  CHECK(user.out({"events", "--session", session, "--after", first, "-n", "1"})
          .find("session.ended")
        != std::string::npos);
}
