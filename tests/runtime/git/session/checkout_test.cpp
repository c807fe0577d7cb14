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

TEST_CASE_METHOD(world, "a change of the same size is seen in the second in "
                        "which the checkout was made") {
  auto top = session("main").checkout;
  write(top / "bin/tool", "#!/bin/sh\necho loot\n");
  CHECK(run_git(top, {"status", "--porcelain"}) == " M bin/tool");
}
