// Git inside of a session, as in any clone of the upstream.
#include "tests/api/demo.hpp"

#include <fstream>
#include <set>
#include <sstream>

using namespace greenroom::test;
namespace fs = std::filesystem;

namespace {

node_options with_project(json project, bool sandboxed = true) {
  node_options result;
  result.sandboxed = sandboxed;
  result.project = std::move(project);
  return result;
}

/// Somebody else's clone of the upstream.
class other_clone {
public:
  explicit other_clone(const node_process& node) {
    run_git(home_.path(), {"clone", "-q", node.upstream().string(), "mine"});
  }

  /// A commit that is pushed.
  std::string push(const std::string& branch, const std::string& name,
                   const std::string& text) {
    auto mine = home_.path() / "mine";
    run_git(mine, {"checkout", "-q", branch});
    fs::create_directories((mine / name).parent_path());
    std::ofstream{mine / name} << text;
    run_git(mine, {"add", "-A"});
    run_git(mine, {"commit", "-qm", "Write " + name});
    run_git(mine, {"push", "-q", "origin", branch});
    return run_git(mine, {"rev-parse", "HEAD"});
  }

  fs::path path() const {
    return home_.path() / "mine";
  }

private:
  temp_dir home_;
};

std::string output(const json& exec) {
  INFO(exec.dump());
  REQUIRE(exec["exit_code"] == 0);
  auto text = exec["stdout"].get<std::string>();
  if (text.ends_with('\n'))
    text.pop_back();
  return text;
}

json pushed_by_session(const session_user& user) {
  json found;
  await("a push", [&] {
    for (auto& event : user.timeline())
      if (event["type"] == "git.pushed" && event["data"]["by"] == "session")
        found = event;
    return !found.is_null();
  });
  return found;
}

} // namespace

TEST_CASE("origin has what the upstream has beside branches and tags") {
  node_process node{with_project(json::object())};
  session_user session{node, json{{"new_branch", "work"}}};
  auto pull = node.git({"commit-tree", "-p", "main", "-m", "P", "main^{tree}"});
  auto other = node.git({"commit-tree", "-m", "O", "main^{tree}"});
  auto ours = node.git({"commit-tree", "-m", "Ours", "main^{tree}"});
  node.git({"update-ref", "refs/pull/7/head", pull});
  node.git({"update-ref", "refs/notes/commits", other});
  node.git({"update-ref", "refs/greenroom/rescue/x/tree", ours});
  output(session.run("git fetch -q origin refs/pull/7/head"));
  CHECK(output(session.run("git rev-parse FETCH_HEAD")) == pull);
  output(session.run("git fetch -q origin '+refs/notes/*:refs/notes/*'"));
  CHECK(output(session.run("git rev-parse refs/notes/commits")) == other);
  // What is gone there is gone here.
  node.git({"update-ref", "-d", "refs/pull/7/head"});
  for (auto name : {"refs/pull/7/head", "refs/greenroom/rescue/x/tree"})
    CHECK(session.run(std::string{"git fetch -q origin "} + name)["exit_code"]
          != 0);
}

TEST_CASE("origin lists what the upstream has beside branches and tags") {
  node_process node{with_project(json::object())};
  session_user session{node, json{{"new_branch", "work"}}};
  auto first = node.git({"commit-tree", "-m", "1", "main^{tree}"});
  auto second = node.git({"commit-tree", "-m", "2", "main^{tree}"});
  for (auto name :
       {"refs/pull/1/head", "refs/merge-requests/2/head", "refs/changes/3/3/1",
        "refs/notes/commits", "refs/greenroom/rescue/x/tree"})
    node.git({"update-ref", name, first});
  auto listed = [&](const std::string& what) {
    return output(session.run("git ls-remote " + what));
  };
  CHECK(listed("origin 'refs/pull/*'") == first + "\trefs/pull/1/head");
  CHECK(listed("origin 'refs/merge-requests/*' 'refs/changes/*'")
        == first + "\trefs/changes/3/3/1\n" + first
             + "\trefs/merge-requests/2/head");
  // One that was fetched before, and has moved since.
  output(session.run("git fetch -q origin refs/pull/1/head"));
  node.git({"update-ref", "refs/pull/1/head", second});
  CHECK(listed("origin 'refs/pull/*'") == second + "\trefs/pull/1/head");
  node.git({"update-ref", "-d", "refs/pull/1/head"});
  CHECK(listed("origin 'refs/pull/*'").empty());
  // The rest is as git itself has it, and ours are not shown.
  auto all = listed("--symref origin");
  CHECK_THAT(all, Catch::StartsWith("ref: refs/heads/main\tHEAD\n"));
  CHECK_THAT(all, Catch::Contains("\trefs/heads/topic\n"));
  CHECK_THAT(all, Catch::EndsWith("\trefs/tags/v1"));
  CHECK_THAT(all, Catch::Contains("\trefs/notes/commits"));
  CHECK_THAT(all, !Catch::Contains("greenroom"));
}

TEST_CASE("origin has for a mirror, and for clients of old, all there is") {
  node_process node{with_project(json::object())};
  session_user session{node, json{{"new_branch", "work"}}};
  // Of what sessions keep in the upstream nothing is shown.
  auto without_ours = [](const std::string& text) {
    std::set<std::string> result;
    std::istringstream lines{text};
    for (std::string line; std::getline(lines, line);)
      if (line.find("refs/greenroom/") == line.npos)
        result.insert(line);
    return result;
  };
  node.git({"tag", "-a", "-m", "Kept", "kept", "main"});
  node.git({"update-ref", "refs/archive/kept", "refs/tags/kept"});
  node.git({"tag", "-d", "kept"});
  for (const std::string version : {"0", "1", "2"}) {
    INFO("version " << version);
    auto fresh = node.git({"commit-tree", "-m", version, "main^{tree}"});
    for (const std::string name :
         {"refs/stash", "refs/remotes/other/main", "refs/pull/7/head"})
      node.git({"update-ref", name, fresh});
    const auto git = "git -c protocol.version=" + version + ' ';
    CHECK(without_ours(output(session.run(git + "ls-remote origin")))
          == without_ours(node.git({"ls-remote", node.upstream().string()})));
    output(session.run(git
                       + "clone -q --mirror \"$(git remote get-url origin)"
                         "\" \"$HOME/"
                       + version + '"'));
    CHECK(without_ours(output(
            session.run("git -C \"$HOME/" + version + "\" for-each-ref")))
          == without_ours(node.git({"for-each-ref"})));
    auto next = node.git({"commit-tree", "-m", "N" + version, "main^{tree}"});
    node.git({"update-ref", "refs/stash", next});
    output(session.run(git + "fetch -q origin refs/stash"));
    CHECK(output(session.run("git rev-parse FETCH_HEAD")) == next);
  }
}

TEST_CASE("origin is the upstream as it is now") {
  node_process node{with_project(json::object(), GENERATE(true, false))};
  session_user session{node, json{{"new_branch", "work"}}};
  other_clone other{node};
  auto tip = other.push("main", "theirs.txt", "theirs\n");
  output(session.run("git fetch -q origin main"));
  CHECK(output(session.run("git rev-parse FETCH_HEAD origin/main"))
        == tip + '\n' + tip);
  CHECK(output(session.run("git rev-parse --abbrev-ref origin/HEAD"))
        == "origin/main");
  output(session.run("echo mine >mine.txt; git add .; git commit -qm Mine"));
  output(session.run("git pull -q --rebase origin main"));
  CHECK(output(session.run("git rev-parse HEAD~")) == tip);
  output(session.run("git checkout -q topic"));
  CHECK(output(session.run("git rev-parse --abbrev-ref topic@{upstream}"))
        == "origin/topic");
  auto shown = output(session.run("git remote -v; cat .git/config"));
  CHECK(shown.find(node.upstream().parent_path().string() + "/demo")
        == std::string::npos);
  CHECK_THAT(shown, Catch::Contains("git://greenroom/demo.git"));

  // Also once the server has come back.
  auto next = other.push("main", "more.txt", "more\n");
  node.kill9();
  node.start();
  output(session.run("git fetch -q --prune --tags"));
  CHECK(output(session.run("git rev-parse origin/main")) == next);
  CHECK(output(session.run("git ls-remote origin v1 | cut -f 2"))
        == "refs/tags/v1");
  output(session.run("git clone -q --depth 1 \"$(git remote get-url origin)\" "
                     "\"$HOME/deep\" && git -C \"$HOME/deep\" log -1"));
}

TEST_CASE("a push from inside moves the session's branch upstream") {
  node_process node{with_project(json::object(), GENERATE(true, false))};
  session_user session{node, json{{"new_branch", "work"}}};
  output(session.run("echo 1 >1.txt; git add .; git commit -qm One"));
  output(session.run("git push -q"));
  auto event = pushed_by_session(session);
  CHECK(event["data"]["branch"] == "work");
  CHECK(event["data"]["new"] == output(session.run("git rev-parse HEAD")));
  auto head = output(session.run("git rev-parse HEAD"));
  CHECK(node.git({"rev-parse", "work"}) == head);
  CHECK(output(session.run("git rev-parse @{upstream}")) == head);
  output(session.run("echo 2 >2.txt; git add .; git commit -qm Two; "
                     "git push -q --atomic origin HEAD"));
  head = output(session.run("git rev-parse HEAD"));
  CHECK(node.git({"rev-parse", "work"}) == head);

  // A history that is rewritten, as the branch is the session's.
  output(session.run("git commit -q --amend -m Better; git push -qf"));
  head = output(session.run("git rev-parse HEAD"));
  CHECK(node.git({"rev-parse", "work"}) == head);

  for (auto other : {"HEAD:main", "HEAD:refs/heads/new", "HEAD:refs/tags/t",
                     ":topic", "HEAD:refs/greenroom/x"}) {
    auto refused = session.run(std::string{"git push origin "} + other);
    INFO(other << refused.dump());
    CHECK(refused["exit_code"] != 0);
  }
  const auto with_option = session.run("git push -o ci.skip origin HEAD");
  CHECK(with_option["exit_code"] == 128);
  CHECK_THAT(with_option["stderr"],
             Catch::Contains("does not support push options"));
  // Three that were taken, and then those that were not.
  json pushes;
  await("all of them in the audit", [&] {
    pushes = json::array();
    const auto audit =
      expect(200, node.admin().get("/audit?session=" + session.id())).data();
    for (auto& one : audit["entries"])
      if (one.value("key_name", "") == "session")
        pushes.push_back(one);
    return pushes.size() >= 6;
  });
  for (std::size_t i = 0; i < pushes.size(); ++i) {
    const auto& one = pushes[pushes.size() - 1 - i];
    INFO(one.dump());
    CHECK(one["route"] == "/git/{id}/{sid}.git/git-receive-pack");
    CHECK(one["status"] == (i < 3 ? 200 : 409));
    CHECK_FALSE(one.contains("key_id"));
  }
  CHECK_THAT(session.run("git push origin HEAD:main")["stderr"],
             Catch::Contains("only the branch \"work\" of this session can be "
                             "pushed"));
  // Checkpoints are the server's own, where there are several nodes.
  CHECK(node.git({"for-each-ref", "--format=%(refname)", "refs/heads",
                  "refs/tags", "refs/greenroom/x"})
        == "refs/heads/main\nrefs/heads/topic\nrefs/heads/work\nrefs/tags/v1");

  auto answer = expect(200, session.checkin({{"skip_review", true}})).data();
  CHECK(answer["commit"] == head);
}

TEST_CASE("a push that the upstream does not want says why") {
  node_process node;
  auto hook = node.upstream() / "hooks/pre-receive";
  fs::create_directories(hook.parent_path());
  std::ofstream{hook} << "#!/bin/sh\necho 'Policy 7: sign your work'\nexit 1\n";
  fs::permissions(hook, fs::perms{0755});
  session_user session{node, json{{"branch", "topic"}}};
  auto before = node.git({"rev-parse", "topic"});
  auto refused = session.run("echo 1 >1.txt; git add .; git commit -qm One; "
                             "git push");
  CHECK(refused["exit_code"] != 0);
  CHECK_THAT(refused["stderr"], Catch::Contains("Policy 7: sign your work"));
  CHECK(node.git({"rev-parse", "topic"}) == before);
  fs::remove(hook);

  other_clone other{node};
  auto theirs = other.push("topic", "theirs.txt", "theirs\n");
  refused = session.run("git push 2>&1");
  CHECK(refused["exit_code"] != 0);
  CHECK_THAT(refused["stdout"], Catch::Contains("[rejected]"));
  refused = session.run("git push --force-with-lease 2>&1");
  CHECK(refused["exit_code"] != 0);
  CHECK(node.git({"rev-parse", "topic"}) == theirs);
  output(session.run("git pull -q --rebase && git push -q"));
  CHECK(node.git({"rev-parse", "topic~"}) == theirs);
}

TEST_CASE("submodules by relative URL are those beside the upstream") {
  node_process node{with_project(json::object(), GENERATE(true, false))};
  auto home = node.upstream().parent_path();
  run_git(home, {"clone", "-q", "--bare", "demo.git", "lib.git"});
  run_git(home, {"clone", "-q", "--bare", "demo.git", "secret.git"});
  other_clone other{node};
  run_git(other.path(), {"-c", "protocol.file.allow=always", "submodule", "add",
                         "-q", "../lib.git", "vendor/lib"});
  other.push("main", "with.txt", "a submodule\n");
  session_user session{node, json{{"new_branch", "work"}}};
  output(session.run("git submodule update -q --init"));
  CHECK(output(session.run("cat vendor/lib/README.md")) == "# Demo");
  CHECK(output(session.run("git config submodule.vendor/lib.url"))
        == "git://greenroom/lib.git");
  output(session.run("git -C vendor/lib fetch -q"));
  // And theirs.
  run_git(home, {"clone", "-q", "--bare", "demo.git", "deep.git"});
  temp_dir dir;
  run_git(dir.path(), {"clone", "-q", (home / "lib.git").string(), "lib"});
  auto lib = dir.path() / "lib";
  run_git(lib, {"-c", "protocol.file.allow=always", "submodule", "add", "-q",
                "../deep.git", "deep"});
  run_git(lib, {"commit", "-qm", "Deep"});
  run_git(lib, {"push", "-q", "origin", "HEAD"});
  await("what has been pushed meanwhile", [&] {
    return session.run("cd vendor/lib; git pull -q origin main && git "
                       "submodule update -q --init --recursive; cat "
                       "deep/README.md")["stdout"]
           == "# Demo\n";
  });
  auto other_one = session.run("git ls-remote git://greenroom/secret.git");
  CHECK(other_one["exit_code"] != 0);
  CHECK_THAT(other_one["stderr"], Catch::Contains("there is no repository"));
  auto pushed =
    session.run("cd vendor/lib && git push origin HEAD:refs/heads/work 2>&1");
  CHECK(pushed["exit_code"] != 0);
}

TEST_CASE("a submodule shows no project that not all may use") {
  node_process node;
  auto home = node.upstream().parent_path();
  run_git(home, {"clone", "-q", "--bare", "demo.git", "lib.git"});
  other_clone other{node};
  run_git(other.path(), {"-c", "protocol.file.allow=always", "submodule", "add",
                         "-q", "../lib.git", "vendor/lib"});
  other.push("main", "with.txt", "a submodule\n");
  expect(201,
         node.admin().post(
           "/projects",
           {{"id", "lib"}, {"repo", "file://" + (home / "lib.git").string()}}));
  session_user session{node, json{{"new_branch", "work"}}};
  const std::string look = "git ls-remote git://greenroom/lib.git";
  output(session.run(look));
  // From now on there is somebody who may not see it.
  auto key =
    expect(201, node.admin().post("/keys", {{"name", "guest"},
                                            {"scopes", {"sessions:execute"}},
                                            {"projects", {"demo"}}}))
      .data()["id"]
      .get<std::string>();
  auto refused = session.run(look);
  CHECK(refused["exit_code"] != 0);
  CHECK_THAT(refused["stderr"], Catch::Contains("of another project"));
  expect(200, node.admin().remove("/keys/" + key));
  output(session.run(look));
}

TEST_CASE("commits of a session are its key's author's") {
  node_process node;
  auto key =
    expect(201,
           node.admin().post("/keys", {{"name", "ada"},
                                       {"scopes", {"sessions:execute"}},
                                       {"author", "Ada B <ada@example.org>"}}))
      .data()["key"]
      .get<std::string>();
  auto made =
    expect(201, node.with_key(key).post(sessions, {{"new_branch", "work"}}))
      .data();
  session_user session{node, made["id"].get<std::string>()};
  CHECK(output(session.run("git commit -q --allow-empty -m One; git log -1 "
                           "--format='%an <%ae>, %cn <%ce>'"))
        == "Ada B <ada@example.org>, Ada B <ada@example.org>");
}

TEST_CASE("what is kept of a session is its key's author's, or named after the "
          "key") {
  node_process node;
  for (const std::string given : {"Ada B <ada@example.org>", ""}) {
    json body{{"name", "ada"}, {"scopes", {"sessions:execute"}}};
    if (!given.empty())
      body["author"] = given;
    auto made = expect(201, node.admin().post("/keys", body)).data();
    auto author = given.empty() ? "ada <" + made["id"].get<std::string>()
                                    + "@greenroom.invalid>"
                                : given;
    auto user = node.with_key(made["key"].get<std::string>());
    auto branch = given.empty() ? "of-key" : "of-author";
    auto sid = expect(201, user.post(sessions, {{"new_branch", branch}}))
                 .data()["id"]
                 .get<std::string>();
    session_user session{node, sid};
    const std::string format = "--format=%an <%ae>, %cn <%ce>";
    CHECK(output(session.run("git commit -q --allow-empty -m One; git log -1 '"
                             + format + "'"))
          == author + ", " + author);
    output(session.run("echo mine >mine.txt"));
    auto kept = expect(200, session.remove()).data()["rescue_refs"];
    REQUIRE_FALSE(kept.empty());
    for (auto& one : kept)
      CHECK(node.git({"log", "-1", format, one["commit"].get<std::string>()})
            == author + ", " + author);
  }
}

TEST_CASE("the default branch is the one of the upstream's HEAD") {
  node_process node{with_project(
    {{"default_branch", nullptr}, {"protected_branches", nullptr}})};
  node.git({"branch", "-m", "main", "master"});
  auto refused = node.admin().post(sessions, {{"branch", "master"}});
  expect_refusal(refused, 400, "BAD_REQUEST",
                 "cannot checkout protected branch");
  expect_refusal(node.admin().post(sessions, {{"new_branch", "master"}}), 400,
                 "BAD_REQUEST", "cannot checkout protected branch");
  session_user session{node, json{{"new_branch", "work"}}};
  CHECK(output(session.run("git rev-parse --abbrev-ref origin/HEAD"))
        == "origin/master");
  output(session.run("echo 1 >1.txt"));
  auto answer =
    expect(200, session.checkin({{"skip_review", true}, {"auto_merge", true}}))
      .data();
  CHECK(answer["merge"]["status"] == "merged");
  CHECK(node.git({"rev-parse", "master"}) == answer["commit"]);
  CHECK(node.git({"for-each-ref", "--format=%(refname)", "refs/heads"})
        == "refs/heads/master\nrefs/heads/topic\nrefs/heads/work");
  // At once where it gets another name, too.
  session_user before{node, json{{"new_branch", "before"}}};
  node.git({"branch", "-m", "master", "trunk"});
  output(before.run("git fetch -q"));
  expect(200, before.remove());
  session_user after{node, json{{"new_branch", "after"}}};
  CHECK(output(after.run("git rev-parse --abbrev-ref origin/HEAD"))
        == "origin/trunk");
}

TEST_CASE("nothing that a session has set runs outside because of origin") {
  node_process node;
  auto canary = node.data_dir() / "canary";
  session_user session{node, json{{"new_branch", "work"}}};
  output(session.run("evil='touch " + canary.string() + "'\n" + R"(
for file in .git/config ~/.gitconfig; do
  for key in uploadpack.packObjectsHook core.fsmonitor core.sshCommand \
      core.alternateRefsCommand credential.helper receive.procReceiveRefs \
      filter.x.clean filter.x.smudge uploadpack.hideRefs; do
    git config -f $file $key "$evil"
  done
done
for hook in pre-receive update post-receive reference-transaction proc-receive \
    push-to-checkout post-update; do
  printf '#!/bin/sh\n%s\n' "$evil" >.git/hooks/$hook; chmod +x .git/hooks/$hook
done
echo 1 >1.txt; git -c core.fsmonitor= add .; git commit -qm One; true)"));
  session.run("git -c core.fsmonitor= fetch origin; git push -q origin HEAD");
  CHECK_FALSE(fs::exists(canary));
  auto head = output(session.run("git rev-parse HEAD"));
  CHECK(node.git({"rev-parse", "work"}) == head);
}

TEST_CASE("what a session pushes to origin is checked") {
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  auto pushed = session.run(R"(
blob=$(echo x | git hash-object -w --stdin)
{ printf '100644 ..\0'; perl -e 'print pack("H*", $ARGV[0])' $blob; } >/tmp/t
tree=$(git hash-object -t tree -w --literally /tmp/t)
commit=$(git commit-tree -m Bad $tree -p HEAD)
git push origin $commit:refs/heads/work 2>&1)");
  INFO(pushed.dump());
  CHECK(pushed["exit_code"] != 0);
  CHECK(node.git({"for-each-ref", "refs/heads/work"}).empty());
  for (auto object : {"HEAD^{tree}", "HEAD:README.md", "annotated"}) {
    pushed = session.run(std::string{"git tag -fam A annotated >/dev/null\n"
                                     "git push origin $(git rev-parse "}
                         + object + "):refs/heads/work 2>&1");
    INFO(pushed.dump());
    CHECK(pushed["exit_code"] != 0);
    CHECK_THAT(pushed["stdout"], !Catch::Contains("cannot be reached"));
    CHECK(node.git({"for-each-ref", "refs/heads/work"}).empty());
  }
  // Whatever is said there, it serves on, and shows no other session.
  output(session.run(
    "printf garbage | /run/greenroom/git-connect x 1 >/dev/null || true\n"
    "printf '0032git-upload-pack /../other.git\\0host=greenroom\\0\\0' | "
    "/run/greenroom/git-connect x 1 | grep -q 'there is no repository'\n"
    "test \"$(ls /run/greenroom/origin)\" = socket\n"
    "git ls-remote -q origin >/dev/null"));
}
