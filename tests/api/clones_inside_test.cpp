// Clones that leave things out, made and worked in inside a session; and
// upstreams that have left things out themselves.
#include "tests/api/demo.hpp"

#include <fstream>

using namespace greenroom::test;
namespace fs = std::filesystem;

namespace {

/// Runs it in the session by a shell that stops at the first failure.
std::string output(const session_user& session, const std::string& script) {
  auto exec = session.run("set -e\n" + script);
  INFO(exec.dump());
  REQUIRE(exec["exit_code"] == 0);
  return exec["stdout"];
}

/// A history of a few commits on the upstream's main, with a file that changes.
void grow(const node_process& node) {
  temp_dir home;
  run_git(home.path(), {"clone", "-q", node.upstream().string(), "mine"});
  auto mine = home.path() / "mine";
  for (int i = 1; i <= 5; ++i) {
    std::ofstream{mine / "counter.txt"} << i << '\n';
    run_git(mine, {"add", "-A"});
    run_git(mine, {"commit", "-qm", "Count to " + std::to_string(i)});
  }
  run_git(mine, {"push", "-q", "origin", "main"});
}

/// A project whose upstream is this directory.
void add_project(const node_process& node, const fs::path& repo) {
  expect(201, node.admin().post("/projects", {{"id", "odd"},
                                              {"repo", repo.string()},
                                              {"max_active_sessions", 9}}));
}

http_reply create_odd(const node_process& node, const std::string& branch) {
  return node.admin().post("/projects/odd/sessions", {{"new_branch", branch}});
}

std::string bytes_of(const fs::path& file) {
  std::ifstream in{file, std::ios::binary};
  return {std::istreambuf_iterator<char>{in}, {}};
}

} // namespace

TEST_CASE("a partial clone inside a session gets the rest when it is needed") {
  node_process node{{.sandboxed = GENERATE(true, false)}};
  grow(node);
  session_user session{node, json{{"new_branch", "work"}}};
  const std::string in = "cd \"$HOME/part\"\n";
  output(session, "git clone -q --filter=blob:none --no-checkout "
                  "\"$(git remote get-url origin)\" \"$HOME/part\"");
  auto missing = [&] {
    return std::stoi(output(session, in
                                       + "git rev-list --objects --all "
                                         "--missing=print | grep -c '^?' "
                                         "|| true"));
  };
  auto before = missing();
  REQUIRE(before > 5);
  // Checked out, what is needed comes, and nothing else.
  CHECK(output(session, in + "git checkout -q main && cat counter.txt")
        == "5\n");
  auto then = missing();
  CHECK(then < before);
  CHECK(then > 0);
  CHECK(output(session, in + "git show HEAD~3:counter.txt") == "2\n");
  CHECK(output(session, in
                          + "git log -p --format= -- counter.txt | "
                            "grep -c '^+[1-5]'")
        == "5\n");
  CHECK(output(session, in + "git blame -s counter.txt | wc -l") == "1\n");

  // Worked in, and brought home by the session's own branch.
  output(session, in
                    + "git checkout -q -b mine; echo 6 > counter.txt; "
                      "git commit -qam 'Count to 6'; git merge -q "
                      "-m Both origin/topic; git fsck --connectivity-only");
  output(session, "git pull -q --no-rebase \"$HOME/part\" mine");
  output(session, "git push -q origin HEAD:work");
  CHECK(node.git({"show", "work:counter.txt"}) == "6");
  CHECK(node.git({"show", "work:src/topic.txt"}) == "topic");
  output(session, in + "git fetch -q origin && git gc -q && git fsck");
  expect(200, session.checkin({{"skip_review", true}}));
}

TEST_CASE("a shallow clone inside a session is deepened and worked in") {
  node_process node{{.sandboxed = GENERATE(true, false)}};
  grow(node);
  auto all = node.git({"rev-list", "--count", "main"}) + '\n';
  session_user session{node, json{{"new_branch", "work"}}};
  const std::string in = "cd \"$HOME/deep\"\n";
  auto count = [&] {
    return output(session, in + "git rev-list --count HEAD");
  };
  output(session, "git clone -q --depth=1 \"$(git remote get-url origin)\" "
                  "\"$HOME/deep\"");
  CHECK(count() == "1\n");
  output(session, in + "git fetch -q --deepen=2");
  CHECK(count() == "3\n");
  output(session, in
                    + "git checkout -q -b mine; echo shallow > shallow.txt; "
                      "git add .; git commit -qm Shallow; "
                      "git push -q origin HEAD:work");
  CHECK(node.git({"show", "work:shallow.txt"}) == "shallow");
  output(session, in + "git fetch -q --unshallow; git checkout -q main");
  CHECK(count() == all);
  output(session, in + "git fsck --strict");
  output(session, "git clone -q --shallow-since=2000-01-01 --single-branch "
                  "-b topic \"$(git remote get-url origin)\" \"$HOME/since\"");
}

TEST_CASE("work in a partial or shallow clone within the checkout is kept") {
  const std::string how = GENERATE("--filter=blob:none", "--depth=1");
  INFO(how);
  node_process node;
  grow(node);
  session_user session{node, json{{"new_branch", "work"}}};
  output(session, "git clone -q " + how
                    + " \"$(git remote get-url origin)\" inner\n"
                      "cd inner; echo precious > precious.txt; git add .; "
                      "git commit -qm Precious; echo dirty > dirty.txt");
  auto answer = expect(200, session.checkin({{"skip_review", true}})).data();
  INFO(answer.dump());
  std::string kept;
  for (auto& one : answer["rescue_refs"])
    kept +=
      node.git({"ls-tree", "-r", "--name-only", one["ref"].get<std::string>()})
      + '\n';
  CHECK_THAT(kept, Catch::Contains("precious.txt"));
  CHECK_THAT(kept, Catch::Contains("dirty.txt"));
  node.git({"fsck", "--strict"});
}

TEST_CASE("a session's own checkout may be made shallow or partial") {
  node_process node;
  grow(node);
  session_user session{node, json{{"new_branch", "work"}}};
  // What it has is not thrown away; git only pretends from now on.
  output(session, "git fetch -q --depth=1 origin main");
  output(session, "git config remote.origin.promisor true\n"
                  "git config remote.origin.partialclonefilter blob:none\n"
                  "git fetch -q origin");
  output(session, "echo mine > mine.txt; git add .; git commit -qm Mine; "
                  "echo dirty > dirty.txt");
  auto seen = expect(200, node.admin().get(session.path("/git"))).data();
  CHECK(seen["branch"] == "work");
  auto answer = session.checkin({{"skip_review", true}});
  INFO(to_string(answer));
  REQUIRE(answer.status == 200);
  CHECK(node.git({"show", "work:mine.txt"}) == "mine");
  CHECK(node.git({"show", "work:dirty.txt"}) == "dirty");
  CHECK(node.git({"merge-base", "work", "main"})
        == node.git({"rev-parse", "main"}));
  node.git({"fsck", "--strict"});
}

TEST_CASE("an upstream that is a shallow clone is refused until it is whole") {
  node_process node{{.sandboxed = false}};
  grow(node);
  temp_dir home;
  run_git(home.path(), {"clone", "-q", "--bare", "--depth=2",
                        "file://" + node.upstream().string(), "odd.git"});
  auto repo = home.path() / "odd.git";
  add_project(node, repo);
  expect_refusal(create_odd(node, "one"), 409, "CONFLICT",
                 "the upstream is a shallow clone, so its history is cut off; "
                 "complete it there by `git fetch --unshallow`");
  CHECK(expect(200, node.admin().get("/projects/odd/sessions"))
          .data()["sessions"]
          .empty());
  // What it says helps.
  run_git(repo, {"fetch", "-q", "--unshallow"});
  await("a session of it",
        [&] { return create_odd(node, "two").status == 201; });
}

TEST_CASE("an upstream of SHA-256 is refused, be there commits or none") {
  auto empty = GENERATE(true, false);
  node_process node{{.sandboxed = false}};
  temp_dir home;
  run_git(home.path(),
          {"init", "-q", "--object-format=sha256", "-b", "main", "odd"});
  auto repo = home.path() / "odd";
  if (!empty)
    run_git(repo, {"commit", "-q", "--allow-empty", "-m", "First"});
  auto config = bytes_of(repo / ".git/config");
  add_project(node, repo);
  auto reply = create_odd(node, "one");
  INFO(to_string(reply));
  CHECK(reply.status == 409);
  CHECK_THAT(reply.message(), Catch::Contains("SHA-256"));
  CHECK(expect(200, node.admin().get("/projects/odd/sessions"))
          .data()["sessions"]
          .empty());
  CHECK(bytes_of(repo / ".git/config") == config);
}

TEST_CASE("an upstream that is a partial clone is refused until it is whole") {
  node_process node;
  grow(node);
  temp_dir home;
  auto source = node.upstream();
  run_git(source, {"config", "uploadpack.allowFilter", "true"});
  run_git(source, {"config", "uploadpack.allowAnySHA1InWant", "true"});
  run_git(home.path(), {"clone", "-q", "--bare", "--filter=blob:none",
                        "file://" + source.string(), "odd.git"});
  auto repo = home.path() / "odd.git";
  add_project(node, repo);
  auto reply = create_odd(node, "one");
  // An older git gets what is missing, and gives all of it.
  if (reply.status != 201)
    expect_refusal(reply, 409, "CONFLICT",
                   "the upstream is a partial clone, so it lacks objects that "
                   "it should give; complete it there by `git fetch --refetch "
                   "--no-filter origin '+refs/*:refs/refetched/*'`");
  run_git(repo, {"fetch", "-q", "--refetch", "--no-filter", "origin",
                 "+refs/*:refs/refetched/*"});
  http_reply next;
  CHECK(eventually([&] {
    next = create_odd(node, "two");
    return next.status == 201;
  }));
  const auto made = expect(201, next).data();
  auto path = "/projects/odd/sessions/" + made["id"].get<std::string>();
  auto ran =
    expect(200, node.admin().post(path + "/exec",
                                  {{"command", "cat counter.txt && git fsck"},
                                   {"wait", "60s"}}))
      .data();
  INFO(ran.dump());
  CHECK(ran["exit_code"] == 0);
  CHECK(ran["stdout"] == "5\n");
}
