// A session's work goes to the upstream beside its commands, and comes back on
// another node.
#include "runtime/git/session/checkpoint.hpp"
#include "tests/runtime/git/fixture.hpp"
#include "tests/support/eventually.hpp"

using namespace greenroom;
using namespace greenroom::test;

namespace {

// A second node: its own mirror of the same upstream.
struct two_nodes : world {
  git::checkout_paths place = session("main");
  git::mirror there = git::mirror::open_or_create(
    dir.path() / "there" / "demo.git", upstream.string());

  bool save() {
    return git::save_checkpoint({mirror, in(place), "main"});
  }

  std::optional<git::checkpoint> fetched() {
    there.fetch();
    return git::fetch_checkpoint(there, sid, "main");
  }

  // The checkout that the other node makes.
  fs::path restore() {
    auto found = fetched();
    REQUIRE(found);
    git::checkout_spec spec;
    spec.paths = {dir.path() / "moved" / "checkout", there.path()};
    spec.branch = "main";
    spec.commit = found->tip;
    spec.work_tree = found->commit;
    spec.others = found->others;
    spec.upstream_refs = there.upstream_refs();
    spec.origin = {upstream.string(), {}, "main"};
    git::make_checkout(spec);
    git::install_checkout(spec.paths.checkout, false);
    return spec.paths.checkout;
  }

  static std::string status(const fs::path& top) {
    return run_git(top, {"status", "--porcelain", "-uall"});
  }
};

} // namespace

TEST_CASE_METHOD(two_nodes, "a checkout comes back as it was left") {
  auto& top = place.checkout;
  write(top / "committed", "mine\n");
  run_git(top, {"add", "-A"});
  run_git(top, {"commit", "-qm", "Mine"});
  run_git(top, {"branch", "other/branch", "HEAD~1"});
  run_git(top, {"tag", "mark"});
  write(top / "empty", "stashed\n");
  run_git(top, {"stash", "-q"});
  write(top / "empty", "changed\n");
  write(top / "new/file", "new\n");
  fs::remove(top / "bin/tool");
  write(top / "ignored.o", "not kept\n");
  REQUIRE(save());
  auto moved = restore();
  CHECK(run_git(moved, {"rev-parse", "HEAD"})
        == run_git(top, {"rev-parse", "HEAD"}));
  CHECK(run_git(moved, {"symbolic-ref", "HEAD"}) == "refs/heads/main");
  CHECK(status(moved) == status(top));
  CHECK(run_git(moved, {"diff", "HEAD"}) == run_git(top, {"diff", "HEAD"}));
  for (auto ref : {"refs/heads/other/branch", "refs/tags/mark", "refs/stash"})
    CHECK(run_git(moved, {"rev-parse", ref})
          == run_git(top, {"rev-parse", ref}));
  CHECK(run_git(moved, {"stash", "list"}).find("stash@{0}") == 0);
  CHECK_FALSE(fs::exists(moved / "ignored.o"));
  check_sound(upstream);
  check_sound(moved);
}

TEST_CASE_METHOD(two_nodes, "what has not changed is not saved again") {
  CHECK(save());
  CHECK_FALSE(save());
  write(place.checkout / "a", "a\n");
  CHECK(save());
  CHECK_FALSE(save());
  fs::remove(place.checkout / "a");
  CHECK(save());
  CHECK(status(restore()).empty());
}

TEST_CASE_METHOD(two_nodes, "a checkpoint leaves alone what commands work on") {
  auto& top = place.checkout;
  auto lock = top / ".git/index.lock";
  write(lock, "");
  write(top / "closed", "mine\n");
  fs::permissions(top / "closed", fs::perms{0});
  write(top / "open", "open\n");
  REQUIRE(save());
  CHECK(fs::exists(lock));
  CHECK(fs::status(top / "closed").permissions() == fs::perms{0});
  CHECK(fs::exists(restore() / "open"));
}

TEST_CASE_METHOD(two_nodes, "a checkpoint that the upstream did not take is "
                            "tried again") {
  auto away = dir.path() / "away";
  fs::rename(upstream, away);
  write(place.checkout / "a", "a\n");
  CHECK_THROWS_AS(save(), refused);
  fs::rename(away, upstream);
  CHECK(eventually([&] {
    try {
      return save();
    } catch (const refused&) {
      return false; // the upstream is left alone for a moment
    }
  }));
  CHECK(fs::exists(restore() / "a"));
}

TEST_CASE_METHOD(two_nodes, "checkpoints go with their session") {
  CHECK_FALSE(fetched());
  git::drop_checkpoint(mirror, sid);
  save();
  CHECK(fetched());
  git::drop_checkpoint(there, sid);
  CHECK_FALSE(fetched());
  CHECK(upstream_at("refs/greenroom/checkpoints/" + sid).empty());
  git::drop_checkpoint(mirror, sid);
  CHECK(save());
}
