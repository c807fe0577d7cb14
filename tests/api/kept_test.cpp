// What of a session's work can be kept is kept, what cannot is named, and none
// of it is held in the node's memory; what stays on disk can be listed and
// dropped.
#include "tests/api/demo.hpp"

#include <fstream>

using namespace greenroom::test;
namespace fs = std::filesystem;

TEST_CASE("files that their user has closed are kept all the same") {
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  auto made = session.run(
    "mkdir -p d/e && echo one > d/e/f && echo two > closed && echo three > open"
    " && chmod 000 closed d/e && chmod 000 d");
  REQUIRE(made["exit_code"] == 0);
  expect(409, session.checkin());
  auto answer = expect(200, session.remove()).data();
  INFO(answer.dump());
  auto tree = "refs/greenroom/rescue/" + session.id() + "/tree:";
  CHECK(node.git({"show", tree + "d/e/f"}) == "one");
  CHECK(node.git({"show", tree + "closed"}) == "two");
  CHECK(node.git({"show", tree + "open"}) == "three");
  CHECK(eventually([&] { return !fs::exists(session.checkout()); }));
}

TEST_CASE("what git cannot keep is named, and the rest is kept") {
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  // Deeper than a path is long.
  auto made = session.run(
    "echo three > open; i=0; n=$(printf '%0200d' 0); "
    "while [ $i -lt 25 ]; do mkdir $n && cd $n || exit 1; i=$((i+1)); done; "
    "echo deep > file");
  REQUIRE(made["exit_code"] == 0);
  auto answer = expect(200, session.remove()).data();
  INFO(answer.dump());
  CHECK(
    node.git({"show", "refs/greenroom/rescue/" + session.id() + "/tree:open"})
    == "three");
  CHECK_THAT(answer["rescue_note"].get<std::string>(),
             Catch::Contains("not kept"));
  // It is there only.
  CHECK(fs::exists(session.checkout() / "open"));
  auto list = expect(200, node.admin().get("/projects/demo/kept")).data();
  REQUIRE(list["kept"].size() == 1);
  CHECK_THAT(list["kept"][0]["status_reason"].get<std::string>(),
             Catch::Contains("a part of the work could not be saved"));
}

TEST_CASE("settings that git cannot read cost none of the work") {
  auto [spoil, told] = GENERATE(table<std::string, std::string>({
    {"echo garbage here >>~/.gitconfig", " of ~/.gitconfig"},
    {"printf '[broken\\n\\tname = x\\n' >>~/.gitconfig", " of ~/.gitconfig"},
    {"echo '<<<<<<< ours' >>.git/config", " of .git/config"},
  }));
  INFO(spoil);
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  session.run("echo one >one; git add one; git commit -qm One; "
              "echo secret >ignored; echo ignored >.gitignore; echo two >two; "
              + spoil);
  expect(409, session.checkin());
  auto answer = expect(200, session.remove()).data();
  INFO(answer.dump());
  auto at = "refs/greenroom/rescue/" + session.id();
  CHECK(node.git({"show", at + "/heads/work:one"}) == "one");
  CHECK(node.git({"show", at + "/tree:two"}) == "two");
  CHECK(node.git({"ls-tree", "--name-only", at + "/tree", "ignored"}).empty());
  CHECK_THAT(answer["rescue_note"].get<std::string>(),
             Catch::Contains("left out was line ") && Catch::Contains(told));
  CHECK(eventually([&] { return !fs::exists(session.checkout()); }));
}

TEST_CASE("a DELETE says where work is that could not be saved") {
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  auto spoil = GENERATE("rm -rf .git", "echo '[filter' >>~/.gitconfig");
  session.run(std::string{"echo three > open; "} + spoil);
  auto answer = expect(200, session.remove()).data();
  INFO(answer.dump());
  CHECK(answer["rescue_refs"].empty());
  CHECK_THAT(answer["rescue_note"].get<std::string>(),
             Catch::StartsWith("the work could not be saved (")
               && Catch::Contains("is kept in sessions/" + session.id()));
  CHECK(fs::exists(session.checkout() / "open"));
}

TEST_CASE("a file too large for git is named, and the rest is kept") {
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  session.run("echo small > open; truncate -s 100G 'a hole'; git add open");
  auto refused = expect(409, session.checkin());
  CHECK_THAT(refused.message(), Catch::Contains("'a hole' has 100 GiB"));
  auto answer = expect(200, session.remove()).data();
  INFO(answer.dump());
  CHECK(
    node.git({"show", "refs/greenroom/rescue/" + session.id() + "/tree:open"})
    == "small");
  CHECK_THAT(answer["rescue_note"].get<std::string>(),
             Catch::Contains("'a hole' has 100 GiB"));
}

TEST_CASE("what an ended session keeps on disk can be listed and dropped") {
  node_process node;
  auto admin = node.admin();
  const std::string kept = "/projects/demo/kept";
  session_user session{node, json{{"new_branch", "work"}}};
  session_user live{node, json{{"new_branch", "live"}}};
  session.run("echo precious > work.txt; rm -rf .git");
  live.run("true");
  expect(200, session.remove());
  CHECK(fs::exists(session.checkout() / "work.txt"));
  auto list = expect(200, admin.get(kept)).data()["kept"];
  REQUIRE(list.size() == 1);
  INFO(list.dump());
  CHECK(list[0]["session_id"] == session.id());
  CHECK(list[0]["bytes"] > 0);
  CHECK_THAT(list[0]["status_reason"].get<std::string>(),
             Catch::Contains("is kept in"));
  CHECK(expect(200, admin.get(kept + "?limit=1")).data()["kept"] == list);
  auto next = expect(200, admin.get(kept + "?cursor=" + session.id())).data();
  CHECK(next["kept"].empty());
  CHECK_FALSE(next.contains("next_cursor"));
  expect(400, admin.get(kept + "?cursor=none"));
  expect(409, admin.remove(live.path("/kept")));
  expect(200, admin.remove(session.path("/kept")));
  CHECK_FALSE(fs::exists(session.checkout()));
  CHECK(expect(200, admin.get(kept)).data()["kept"].empty());
  CHECK(session.get()["status"] == "terminated");
  CHECK(live.run("echo fine")["stdout"] == "fine\n");
}

TEST_CASE("a large file costs the node no memory") {
  node_process node;
  auto work = node.upstream().parent_path() / "large";
  run_git(node.upstream().parent_path(),
          {"clone", "-q", node.upstream().string(), work.string()});
  constexpr std::size_t size = 300 << 20;
  {
    std::ofstream file{work / "large.bin", std::ios::binary};
    const std::string part(1 << 20, 'x');
    for (std::size_t i = 0; i < size / part.size(); ++i)
      file << part;
  }
  run_git(work, {"checkout", "-q", "-b", "large"});
  run_git(work, {"add", "."});
  run_git(work, {"-c", "user.name=T", "-c", "user.email=t@example.org",
                 "commit", "-q", "-m", "large"});
  run_git(work, {"push", "-q", "origin", "large"});
  auto most_memory = [&] {
    std::ifstream status{"/proc/" + std::to_string(node.pid()) + "/status"};
    for (std::string line; std::getline(status, line);)
      if (line.starts_with("VmHWM:"))
        return std::stoull(line.substr(6)) * 1024;
    return 0ULL;
  };
  auto before = most_memory();
  session_user session{node, json{{"branch", "large"}}};
  CHECK(fs::file_size(session.new_checkout() / "large.bin") == size);
  CHECK(session.run("git status --porcelain")["stdout"] == "");
  CHECK(session.run("cat large.bin large.bin > twice")["exit_code"] == 0);
  expect(200, session.checkin({{"skip_review", true}}));
  CHECK(node.git({"cat-file", "-s", "large:twice"})
        == std::to_string(2 * size));
  CHECK(most_memory() < before + (64 << 20));
}

TEST_CASE("a project's ended sessions keep so much output, the newest") {
  node_options options;
  options.set = {"sessions.keep_output=1500KiB"};
  node_process node{options};
  auto printed = [&](const char* branch) {
    session_user session{node, json{{"new_branch", branch}}};
    session.start("big", "head -c 1000000 /dev/zero | tr '\\0' x; echo done");
    session.await_status("big", "exited");
    expect(200, session.remove());
    return session;
  };
  auto first = printed("a");
  auto second = printed("b");
  session_user live{node, json{{"new_branch", "c"}}};
  live.start("big", "head -c 3000000 /dev/zero");
  live.await_status("big", "exited");
  // It is looked at every now and then, and when the node starts.
  node.kill9();
  node.start();
  auto output = [&](const session_user& session) {
    return node.admin().get(session.path("/execs/big/output"));
  };
  await("the output to be dropped",
        [&] { return output(first).status == 404; });
  CHECK_THAT(output(first).message(), Catch::Contains("sessions.keep_output"));
  CHECK(output(second).body.size() == 1'000'005);
  CHECK(output(live).body.size() == 3'000'000);
  // What it was is known still, and its events say what is missing.
  auto exec = first.exec("big");
  CHECK(exec["exit_code"] == 0);
  CHECK(exec["stdout_bytes"] == 1'000'005);
  std::size_t lost = 0;
  auto events = first.watch().rest();
  REQUIRE_FALSE(events.empty());
  for (auto& event : events)
    if (event.type == "exec.output")
      lost += event.data.value("lost", std::size_t{0});
  CHECK(lost == 1'000'005);
  CHECK(events.back().type == "session.ended");
}
