// What a session may begin from: all that names a commit of the upstream, and
// work that was rescued here.
#include "tests/api/demo.hpp"

#include <fstream>

using namespace greenroom::test;
namespace fs = std::filesystem;

namespace {

http_reply create_from(const node_process& node, const std::string& ref) {
  static int count = 0;
  return node.admin().post(
    sessions,
    {{"new_branch", "n" + std::to_string(++count)}, {"from_ref", ref}});
}

/// Where the checkout of a session that begins there stands. It is ended.
std::string head_from(const node_process& node, const std::string& ref) {
  INFO(ref);
  auto made = expect(201, create_from(node, ref)).data();
  session_user session{node, made["id"].get<std::string>()};
  auto seen = session.run("git rev-parse HEAD; git status --porcelain");
  expect(200, session.remove());
  auto text = seen["stdout"].get<std::string>();
  REQUIRE(text.size() == 41); // and nothing that differs
  return text.substr(0, 40);
}

void expect_not_found(const node_process& node, const std::string& ref) {
  INFO(ref);
  auto refused = create_from(node, ref);
  expect_refusal(refused, 404, "NOT_FOUND", "branch not found");
  CHECK_THAT(json::parse(refused.body)["error"]["details"]["remediation"]
               .get<std::string>(),
             Catch::Contains("from_ref a branch, tag or commit"));
}

/// A commit of the upstream that is at no reference.
std::string loose_commit(const node_process& node, const std::string& message) {
  return node.git({"commit-tree", "-p", "main", "-m", message, "main^{tree}"});
}

std::string ref_of(const json& rescued, const std::string& suffix) {
  for (auto& one : rescued)
    if (auto name = one["ref"].get<std::string>(); name.ends_with(suffix))
      return name;
  FAIL("no rescue ref ends with " << suffix << ": " << rescued.dump());
  return {};
}

} // namespace

TEST_CASE("a session begins from every kind of name of the upstream's") {
  node_process node;
  auto main = node.git({"rev-parse", "main"});
  auto topic = node.git({"rev-parse", "topic"});
  node.git({"tag", "-a", "-m", "One", "annotated", "topic"});
  node.git({"tag", "-a", "-m", "Two", "of-a-tag", "annotated"});
  node.git({"branch", "deep/er/still", "topic"});
  // The same name as a branch's, elsewhere: short it is the branch.
  node.git({"tag", "topic", "main"});
  CHECK(head_from(node, "topic") == topic);
  CHECK(head_from(node, "refs/tags/topic") == main);
  CHECK(head_from(node, "refs/heads/topic") == topic);
  CHECK(head_from(node, "refs/heads/deep/er/still") == topic);
  CHECK(head_from(node, "origin/topic") == topic);
  CHECK(head_from(node, "v1") == main);
  CHECK(head_from(node, "refs/tags/v1") == main);
  for (auto name :
       {"annotated", "of-a-tag", "refs/tags/annotated", "refs/tags/of-a-tag"})
    CHECK(head_from(node, name) == topic);
  CHECK(head_from(node, topic) == topic);
  CHECK(head_from(node, node.git({"rev-parse", "annotated"})) == topic);
  CHECK(head_from(node, topic.substr(0, 7)) == topic);
}

TEST_CASE("a name is read as git reads it, whatever it begins with") {
  node_process node;
  auto main = node.git({"rev-parse", "main"});
  auto topic = node.git({"rev-parse", "topic"});
  auto pull = loose_commit(node, "Pull");
  node.git({"update-ref", "refs/heads/refs/x", topic});
  node.git({"update-ref", "refs/heads/refs/pull/7/head", topic});
  node.git({"update-ref", "refs/heads/pull/8/head", topic});
  node.git({"update-ref", "refs/stash", pull});
  for (auto name : {"refs/x", "refs/pull/7/head", "refs/heads/refs/x",
                    "heads/topic", "pull/8/head"})
    CHECK(head_from(node, name) == topic);
  CHECK(head_from(node, "tags/v1") == main);
  CHECK(head_from(node, "refs/stash") == pull);
  // In full it comes first, and a short one after branches.
  for (auto name : {"refs/pull/7/head", "refs/pull/8/head", "refs/pull/9/head"})
    node.git({"update-ref", name, pull});
  CHECK(head_from(node, "refs/pull/7/head") == pull);
  CHECK(head_from(node, "pull/8/head") == topic);
  CHECK(head_from(node, "pull/9/head") == pull);
  node.git({"update-ref", "-d", "refs/pull/7/head"});
  CHECK(head_from(node, "refs/pull/7/head") == topic);
  node.git({"update-ref", "-d", "refs/pull/9/head"});
  expect_not_found(node, "pull/9/head");
  // An id is one, also where a branch is called so.
  node.git({"update-ref", "refs/heads/" + main, topic});
  CHECK(head_from(node, main) == main);
  CHECK(head_from(node, "refs/heads/" + main) == topic);
}

TEST_CASE("a session begins from what the upstream has beside branches") {
  node_process node;
  auto pull = loose_commit(node, "Pull");
  auto change = loose_commit(node, "Change");
  node.git({"update-ref", "refs/pull/7/head", pull});
  node.git({"update-ref", "refs/changes/34/1234/2", change});
  CHECK(head_from(node, "refs/pull/7/head") == pull);
  CHECK(head_from(node, "refs/changes/34/1234/2") == change);
  // It is asked for each time: as it is now, or not at all.
  auto next = loose_commit(node, "Next");
  node.git({"update-ref", "refs/pull/7/head", next});
  CHECK(head_from(node, "refs/pull/7/head") == next);
  node.git({"update-ref", "-d", "refs/pull/7/head"});
  expect_not_found(node, "refs/pull/7/head");
  // A commit need not be at any reference.
  auto loose = loose_commit(node, "Loose");
  CHECK(head_from(node, loose) == loose);
}

TEST_CASE("what has come since the upstream was last asked is found") {
  node_process node;
  expect_not_found(node, "late");
  auto late = loose_commit(node, "Late");
  node.git({"branch", "late", late});
  node.git({"tag", "-a", "-m", "Late", "late-tag", late});
  for (auto name :
       {"late", "refs/heads/late", "late-tag", "refs/tags/late-tag"})
    CHECK(head_from(node, name) == late);
}

TEST_CASE("what names no commit of the upstream's is refused") {
  node_process node;
  auto tree = node.git({"rev-parse", "main^{tree}"});
  auto blob = node.git({"rev-parse", "main:README.md"});
  node.git({"tag", "tree", tree});
  node.git({"tag", "-a", "-m", "Blob", "blob", blob});
  node.git({"update-ref", "refs/pull/8/head", blob});
  for (const std::string& name :
       {std::string{"ghost"}, std::string{"refs/heads/ghost"},
        std::string{"refs/tags/main"}, std::string{"refs/heads/v1"},
        std::string{"refs/pull/9/head"}, std::string{"origin/ghost"},
        std::string(40, '1'), std::string{"1234567"}, tree, blob,
        std::string{"tree"}, std::string{"blob"}, std::string{"refs/tags/blob"},
        std::string{"refs/pull/8/head"},
        // Ours, by which nothing is shown that is not the upstream's.
        std::string{"refs/upstream/heads/main"},
        std::string{"refs/greenroom/asked/heads/main"},
        std::string{"refs/greenroom/rescue/nobody/tree"}})
    expect_not_found(node, name);
  for (const std::string bad :
       {"refs/heads", "refs/", "refs/heads/", "refs/heads/a..b",
        "refs/heads/../x", "refs/heads/-x\n", "refs/pull/*/head", "main~1",
        "main@{1}", ":main", "^main"}) {
    auto reply = create_from(node, bad);
    INFO(bad << ": " << to_string(reply));
    CHECK(reply.status == 400);
    CHECK_THAT(reply.message(), Catch::StartsWith("from_ref must "));
  }
}

TEST_CASE("a session begins from the work of one that has ended") {
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  session.run("echo committed > committed.txt; git add .; git commit -qm Mine; "
              "git checkout -q -b beside; echo b > beside.txt; git add .; "
              "git commit -qm Beside; git tag -a -m Kept kept; "
              "git checkout -q work; echo stashed >> README.md; git stash -q; "
              "echo dirty > dirty.txt");
  auto rescued = expect(200, session.remove()).data()["rescue_refs"];
  INFO(rescued.dump());
  struct kept {
    const char* suffix;
    const char* look;
    const char* shown;
  };
  const std::vector<kept> all{
    {"/tree", "cat committed.txt dirty.txt", "committed\ndirty\n"},
    {"/heads/work", "cat committed.txt; ls dirty.txt beside.txt",
     "committed\n"},
    {"/heads/beside", "cat committed.txt beside.txt", "committed\nb\n"},
    {"/tags/kept", "cat beside.txt", "b\n"},
  };
  auto check = [&](const node_process& at) {
    for (auto& one : all) {
      INFO(one.suffix);
      auto made =
        expect(201, create_from(at, ref_of(rescued, one.suffix))).data();
      session_user next{at, made["id"].get<std::string>()};
      CHECK(next.run(one.look)["stdout"] == one.shown);
      expect(200, next.remove());
    }
  };
  check(node);
  // They are the upstream's, and outlive what this node has of it.
  node.kill9();
  fs::remove_all(node.data_dir() / "repos");
  node.start();
  check(node);
  // Once they are dropped there, and here, nobody has them.
  auto tree = ref_of(rescued, "/tree");
  node.git({"update-ref", "-d", tree});
  node.kill9();
  fs::remove_all(node.data_dir() / "repos");
  node.start();
  expect_not_found(node, tree);
}
