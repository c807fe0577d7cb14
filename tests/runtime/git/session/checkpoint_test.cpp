// A session's work goes to the upstream beside its commands, and comes back on
// another node.
#include "runtime/git/session/checkpoint.hpp"
#include "tests/runtime/git/fixture.hpp"
#include "tests/support/eventually.hpp"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

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
    return restore_at(there, "moved");
  }

  fs::path restore_at(const git::mirror& node, const std::string& name) {
    node.fetch();
    auto found = git::fetch_checkpoint(node, sid, "main");
    REQUIRE(found);
    aside = "refs/" + found->others.aside;
    git::checkout_spec spec;
    spec.paths = {dir.path() / name / "checkout", node.path()};
    spec.branch = "main";
    spec.commit = found->tip;
    spec.work_tree = found->commit;
    spec.others = found->others;
    spec.upstream_refs = node.upstream_refs();
    spec.origin = {upstream.string(), {}, "main"};
    git::make_checkout(spec);
    git::install_checkout(spec.paths.checkout, false);
    return spec.paths.checkout;
  }

  // The other node saves what it has made of it.
  bool save_there(const fs::path& moved) {
    return git::save_checkpoint({there, in({moved, there.path()}), "main"});
  }

  static std::string status(const fs::path& top) {
    return run_git(top, {"status", "--porcelain", "-uall"});
  }
  static std::string at(const fs::path& top, const std::string& name) {
    return run_git(top, {"rev-parse", "--verify", name});
  }
  static void commit(const fs::path& top, const std::string& file) {
    write(top / file, file + "\n");
    run_git(top, {"add", file});
    run_git(top, {"commit", "-qm", file});
  }
  static std::string stashes(const fs::path& top) {
    return run_git(top, {"stash", "list", "--format=%H %gs"});
  }

  std::string aside; // where a restored checkout has what has no place in it
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

TEST_CASE_METHOD(two_nodes, "all that has a name comes back") {
  auto& top = place.checkout;
  run_git(top, {"tag", "-a", "-m", "A tag", "annotated"});
  run_git(top, {"tag", "-a", "-m", "Of it", "twice", "annotated"});
  run_git(top, {"tag", "a-file", "HEAD:bin/tool"});
  run_git(top, {"tag", "-a", "-m", "A tree", "a-tree", "HEAD:src"});
  run_git(top, {"notes", "add", "-m", "A note"});
  run_git(top, {"update-ref", "refs/pull/7/head", "HEAD~0"});
  for (std::string name : {"one", "two", "three"}) {
    write(top / "empty", name);
    run_git(top, {"stash", "push", "-qm", name});
  }
  REQUIRE(save());
  auto moved = restore();
  for (auto ref :
       {"refs/tags/annotated", "refs/tags/twice", "refs/tags/a-file",
        "refs/tags/a-tree", "refs/notes/commits", "refs/pull/7/head"})
    CHECK(at(moved, ref) == at(top, ref));
  CHECK(stashes(moved) == stashes(top));
  CHECK(stashes(moved).find("On main: one") != std::string::npos);
  check_sound(upstream);
  check_sound(moved);
  // Nothing is lost, nor new, when it goes on.
  REQUIRE(save_there(moved));
  CHECK_FALSE(save_there(moved));
  auto refs = [](const fs::path& of) {
    return run_git(of, {"for-each-ref", "refs/heads", "refs/tags", "refs/notes",
                        "refs/pull", "refs/stash"});
  };
  auto again = restore_at(mirror, "again");
  CHECK(refs(again) == refs(top));
  CHECK(stashes(again) == stashes(top));
}

TEST_CASE_METHOD(two_nodes, "what has no place in a new checkout is beside "
                            "its branches") {
  auto& top = place.checkout;
  run_git(top, {"checkout", "-q", "--detach"});
  commit(top, "detached");
  write(top / "inside/file", "mine\n");
  run_git(top, {"init", "-q", "-b", "main", "inside"});
  run_git(top / "inside", {"add", "-A"});
  run_git(top / "inside", {"commit", "-qm", "Inside"});
  write(top / ".git/rebase-merge/autostash", at(top, "HEAD") + "\n");
  run_git(top, {"update-ref", "refs/heads/-odd", "HEAD"});
  REQUIRE(save());
  auto moved = restore();
  CHECK(run_git(moved, {"symbolic-ref", "HEAD"}) == "refs/heads/main");
  CHECK(at(moved, aside + "detached") == at(top, "HEAD"));
  CHECK(at(moved, aside + "autostash") == at(top, "HEAD"));
  CHECK(at(moved, aside + "odd/" + at(top, "HEAD")) == at(top, "HEAD"));
  CHECK(at(moved, aside + "nested/inside/heads/main")
        == at(top / "inside", "HEAD"));
  check_sound(moved);
  // It goes along, beside what has none the next time.
  auto first = aside;
  run_git(moved, {"checkout", "-q", "--detach", "-f"});
  commit(moved, "again");
  REQUIRE(save_there(moved));
  auto again = restore_at(mirror, "again");
  CHECK(aside != first);
  CHECK(at(again, first + "detached") == at(top, "HEAD"));
  CHECK(at(again, first + "nested/inside/heads/main")
        == at(top / "inside", "HEAD"));
  CHECK(at(again, aside + "detached") == at(moved, "HEAD"));
  // And is rescued when the session ends.
  auto rescued =
    names_of(git::rescue({mirror, in({again, mirror.path()}), user, false}));
  auto named = [&](const std::string& name) {
    return std::ranges::count(rescued, rescue_ref("other/" + name.substr(5)));
  };
  CHECK(named(first + "nested/inside/heads/main") == 1);
  CHECK(named(aside + "detached") == 1);
}

TEST_CASE_METHOD(two_nodes, "a name that the upstream has taken since keeps "
                            "nothing from coming back") {
  run_git(place.checkout, {"tag", "v2/x"});
  REQUIRE(save());
  run_git(upstream, {"tag", "v2", "main"});
  auto moved = restore();
  CHECK(at(moved, aside + "tags/v2/x") == at(place.checkout, "HEAD"));
  CHECK(at(moved, "refs/tags/v2") == at(place.checkout, "HEAD"));
}

TEST_CASE_METHOD(two_nodes, "contents that Git LFS keeps come back") {
  auto& top = place.checkout;
  std::string contents = "large\n";
  std::string oid =
    "7b3d4ba7b0e6f7e0a1d7e9ed5b1b1b0d1f6c7b0f5a2a3b4c5d6e7f8091a2b3c4";
  auto kept = ".git/lfs/objects/7b/3d/" + oid;
  write(top / kept, contents);
  write(top / "large.bin", "version https://git-lfs.github.com/spec/v1\n"
                           "oid sha256:"
                             + oid + "\nsize 6\n");
  run_git(top, {"add", "-A"});
  run_git(top, {"commit", "-qm", "Large"});
  REQUIRE(save());
  CHECK(read(restore() / kept) == contents);
}

TEST_CASE_METHOD(two_nodes, "a checkpoint that another node made is newer than "
                            "one's own") {
  REQUIRE(save());
  auto moved = restore();
  write(moved / "there", "there\n");
  REQUIRE(save_there(moved));
  auto back = restore_at(mirror, "back");
  CHECK(fs::exists(back / "there"));
  fs::remove(back / "there");
  REQUIRE(git::save_checkpoint({mirror, in({back, mirror.path()}), "main"}));
  CHECK(status(restore_at(there, "again")).empty());
}

TEST_CASE_METHOD(two_nodes, "a checkpoint of which no checkout was made is "
                            "rescued as it is") {
  auto& top = place.checkout;
  commit(top, "mine");
  run_git(top, {"tag", "-a", "-m", "A tag", "annotated"});
  write(top / "empty", "stashed");
  run_git(top, {"stash", "-q"});
  write(top / "new", "new\n");
  REQUIRE(save());
  CHECK(git::last_checkpoint(there, sid).empty());
  REQUIRE(fetched());
  auto kept =
    git::rescue_objects(there, sid, git::last_checkpoint(there, sid), true);
  CHECK_FALSE(kept.upstream_failure);
  auto names = names_of(kept);
  std::ranges::sort(names);
  CHECK(names
        == std::vector{rescue_ref("heads/main"), rescue_ref("stash"),
                       rescue_ref("tags/annotated"), rescue_ref("tree")});
  CHECK(upstream_at(rescue_ref("heads/main")) == at(top, "HEAD"));
  CHECK(upstream_at(rescue_ref("stash")) == at(top, "refs/stash"));
  CHECK(upstream_at(rescue_ref("tags/annotated")) == at(top, "annotated"));
  CHECK(run_git(upstream, {"show", rescue_ref("tree") + ":new"}) == "new");
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

TEST_CASE_METHOD(two_nodes, "a checkpoint without what git does not take is "
                            "saved, and not all") {
  auto& top = place.checkout;
  write(top / "open", "open\n");
  SECTION("a file whose filter fails") {
    run_git(top, {"config", "filter.bad.clean", "false"});
    run_git(top, {"config", "filter.bad.required", "true"});
    write(top / ".gitattributes", "*.sec filter=bad\n");
    write(top / "note.sec", "secret\n");
  }
  SECTION("a file that is too large") {
    write(top / "large", "");
    fs::resize_file(top / "large", std::uintmax_t{5} << 30);
  }
  CHECK_THROWS_AS(save(), refused);
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

TEST_CASE_METHOD(two_nodes,
                 "what the next node has saved stays, whatever comes "
                 "late from the one before") {
  const auto ref = "refs/greenroom/checkpoints/" + sid;
  write(place.checkout / "a", "a\n");
  SECTION("which had saved before") {
    REQUIRE(save());
    restore();
  }
  SECTION("which had saved nothing") {
    there.fetch();
  }
  auto moved = session("main");
  auto save_there = [&] {
    return git::save_checkpoint({there, in(moved), "main"});
  };
  write(moved.checkout / "b", "b\n");
  REQUIRE(save_there());
  auto second = upstream_at(ref);
  write(place.checkout / "late", "late\n");
  try {
    save();
    FAIL("it has replaced what the next node has saved");
  } catch (const refused& e) {
    CHECK(e.code() == errc::conflict);
  }
  CHECK(upstream_at(ref) == second);
  CHECK_FALSE(save_there()); // it is still there
  // One that has lost nothing goes on from what is there.
  CHECK(save());
  write(moved.checkout / "c", "c\n");
  CHECK_THROWS_AS(save_there(), refused);
  CHECK(save_there());
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
