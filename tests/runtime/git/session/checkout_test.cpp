// What git sees of a checkout that was just made.
#include "tests/runtime/git/fixture.hpp"

using namespace greenroom;
using namespace greenroom::test;

TEST_CASE_METHOD(world, "git reads no file of a new checkout to find it "
                        "unchanged") {
  // Looked at by the one who made it.
  git::checkout_spec spec;
  spec.paths = {dir.path() / "session" / "checkout", mirror.path()};
  spec.branch = "main";
  spec.commit = mirror.resolve_branch("main").value();
  spec.upstream_refs = mirror.upstream_refs();
  spec.origin = {upstream.string(), {}, "main"};
  git::make_checkout(spec);
  git::install_checkout(spec.paths.checkout, false);
  const auto& top = spec.paths.checkout;
  // git passes what it reads of a file through its filter.
  write(top / ".git/info/attributes", "* filter=note\n");
  auto seen = dir.path() / "seen";
  run_git(top, {"config", "filter.note.clean",
                "echo %f >>" + seen.string() + "; cat"});
  CHECK(run_git(top, {"status", "--porcelain"}).empty());
  CHECK_FALSE(fs::exists(seen));
  auto a_file = run_git(top, {"ls-files"});
  a_file.erase(a_file.find('\n'));
  write(top / a_file, "changed\n");
  CHECK(run_git(top, {"status", "--porcelain"}) == " M " + a_file);
}

TEST_CASE_METHOD(world, "a commit with names that git does not take is refused "
                        "in its words") {
  const std::string blob = run_git(work(), {"rev-parse", "HEAD:bin/tool"});
  auto name = GENERATE(std::string{"git~1"}, std::string(300, 'n'));
  auto tree = dir.path() / "tree";
  std::string text = "100644 " + name + '\0';
  for (std::size_t i = 0; i < blob.size(); i += 2)
    text += static_cast<char>(std::stoi(blob.substr(i, 2), nullptr, 16));
  write(tree, text);
  auto made =
    run_git(work(), {"commit-tree", "-m", "Odd",
                     run_git(work(), {"hash-object", "-t", "tree", "-w",
                                      "--literally", tree.string()})});
  run_git(work(), {"push", "-q", "origin", made + ":refs/heads/odd"});
  mirror.fetch();
  auto what = refusal_of([&] { session("odd"); });
  CHECK(what.code == errc::conflict);
  CHECK_THAT(what.message,
             Catch::Contains(name == "git~1" ? "invalid path 'git~1'"
                                             : "File name too long"));
  CHECK(what.message.size() < 500);
}

TEST_CASE_METHOD(world, "a commit that libgit2 cannot read is checked out") {
  auto tip = run_git(work(), {"rev-parse", "HEAD"});
  write(dir.path() / "commit",
        "tree " + run_git(work(), {"rev-parse", "HEAD^{tree}"}) + "\nparent "
          + tip
          + "\nauthor A B 1700000000 +0000\ncommitter C <c> 1 +0000\n\nOdd\n");
  auto made =
    run_git(work(), {"hash-object", "-t", "commit", "-w", "--literally",
                     (dir.path() / "commit").string()});
  run_git(work(), {"push", "-q", "origin", made + ":refs/heads/odd"});
  mirror.fetch();
  auto top = session("odd").checkout;
  CHECK(run_git(top, {"rev-parse", "HEAD"}) == made);
  CHECK(run_git(top, {"status", "--porcelain"}).empty());
}

TEST_CASE_METHOD(world, "a change of the same size is seen in the second in "
                        "which the checkout was made") {
  auto top = session("main").checkout;
  write(top / "bin/tool", "#!/bin/sh\necho loot\n");
  CHECK(run_git(top, {"status", "--porcelain"}) == " M bin/tool");
}
