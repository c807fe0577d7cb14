// A repository with a long history and many files, worked on from both sides:
// by git from outside and by commands inside, to a merge.
#include "tests/api/demo.hpp"
#include "tests/soak/size.hpp"

#include <filesystem>
#include <fstream>
#include <string>

using namespace greenroom::test;

namespace fs = std::filesystem;

namespace {

// The upstream's main becomes a history of so many commits, with a file for
// each tenth of them.
void grow(const node_process& node, int commits) {
  auto stream = node.upstream().parent_path() / "history";
  {
    std::ofstream out{stream};
    for (int i = 1; i <= commits; ++i) {
      auto number = std::to_string(i);
      auto text = "line " + number + '\n';
      auto path = "d" + std::to_string(i / 10 % 97) + "/f"
                  + std::to_string(i / 10) + ".txt";
      out << "commit refs/heads/main\nmark :" << i
          << "\ncommitter Ada <ada@example.org> " << 1'700'000'000 + i
          << " +0000\ndata " << number.size() << '\n'
          << number << '\n';
      if (i == 1)
        out << "from refs/heads/main^0\n";
      out << "M 100644 inline " << path << "\ndata " << text.size() << '\n'
          << text << '\n';
    }
  }
  run_git(node.upstream(),
          {"-c", "alias.import=!git fast-import --quiet <" + stream.string(),
           "import"});
}

} // namespace

TEST_CASE("a long history and many files are worked on from both sides") {
  const int commits = how_many(2'000, 30'000);
  node_process node;
  grow(node, commits);
  auto main = node.git({"rev-parse", "main"});
  auto made =
    expect(201, node.admin().post(sessions, {{"new_branch", "work"}})).data();
  session_user session{node, made["id"].get<std::string>()};
  auto url = made["auth_clone_url"].get<std::string>();

  // From outside: clone, edit, push; the session sees it at once.
  auto outside = node.upstream().parent_path() / "outside";
  run_git(outside.parent_path(), {"clone", "-q", "-b", "work", url, "outside"});
  CHECK(run_git(outside, {"rev-list", "--count", "HEAD"})
        == std::to_string(commits + 1));
  std::ofstream{outside / "pushed.txt"} << "from outside\n";
  run_git(outside, {"add", "-A"});
  run_git(outside, {"commit", "-qm", "Outside"});
  run_git(outside, {"push", "-q", "origin", "work"});
  CHECK(session.run("cat pushed.txt")["stdout"] == "from outside\n");

  // From inside: a commit; outside it can be pulled at once.
  CHECK(session.run("echo from inside > made.txt && git add -A && "
                    "git commit -qm Inside && git status --porcelain")["stdout"]
        == "");
  run_git(outside, {"pull", "-q"});
  CHECK(fs::exists(outside / "made.txt"));
  // A push on a dirty checkout is refused, and says what to do.
  session.run("echo dirty > made.txt");
  std::ofstream{outside / "late.txt"} << "late\n";
  run_git(outside, {"add", "-A"});
  run_git(outside, {"commit", "-qm", "Late"});
  CHECK_THROWS(run_git(outside, {"push", "-q", "origin", "work"}));
  session.run("git checkout -q made.txt");
  run_git(outside, {"push", "-q", "origin", "work"});

  auto done =
    expect(200, session.checkin({{"auto_merge", true}, {"skip_review", true}}))
      .data();
  CHECK(done["merge"]["status"] == "merged");
  for (auto file : {"pushed.txt", "made.txt", "late.txt"})
    CHECK(!node.git({"show", std::string{"main:"} + file}).empty());
  CHECK(node.git({"merge-base", main, "main"}) == main);
  // The token is dead, nothing is left of the session, all repositories are
  // sound.
  CHECK_THROWS(run_git(outside, {"fetch", "-q"}));
  CHECK(eventually([&] { return !fs::exists(session.checkout()); }));
  CHECK(run_git(node.data_dir() / "repos/demo.git",
                {"for-each-ref", "refs/greenroom"})
          .empty());
  for (auto& repo : {node.upstream(), node.data_dir() / "repos/demo.git"}) {
    CHECK(run_git(repo, {"worktree", "list"}).find('\n') == std::string::npos);
    run_git(repo, {"fsck", "--strict"});
  }
}
