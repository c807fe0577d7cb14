#include "runtime/git/mirror/merges.hpp"
#include "runtime/git/session/checkpoint.hpp"
#include "tests/runtime/git/fixture.hpp"
#include "tests/support/process_figures.hpp"

using namespace greenroom;
using namespace greenroom::test;
using greenroom::git::checkin;
using greenroom::git::install_checkout;
using greenroom::git::make_checkout;
using greenroom::git::mirror;
using greenroom::git::rescue;

namespace {

std::string commit(const fs::path& top, const std::string& file) {
  write(top / file, file + "\n");
  run_git(top, {"add", "-A"});
  run_git(top, {"commit", "-qm", file});
  return run_git(top, {"rev-parse", "HEAD"});
}

std::string content(const fs::path& repository, const std::string& spec) {
  return run_git(repository, {"cat-file", "-p", spec});
}

/// What a user does who has been told a command.
void paste(const fs::path& top, const std::string& text) {
  INFO(text);
  command what{{"/bin/bash", "-c", text}, top};
  what.env = {"PATH=/usr/local/bin:/usr/bin:/bin",
              "HOME=/nonexistent",
              "GIT_CONFIG_NOSYSTEM=1",
              "GIT_AUTHOR_NAME=Ada",
              "GIT_AUTHOR_EMAIL=ada@example.org",
              "GIT_COMMITTER_NAME=Ada",
              "GIT_COMMITTER_EMAIL=ada@example.org"};
  auto result = run_command(what);
  INFO(result.err);
  REQUIRE(result.ok());
}

} // namespace

TEST_CASE("check-in brings commits and what was not committed upstream") {
  world w;
  auto place = w.session("main");
  auto base = w.upstream_at("refs/heads/main");
  auto mine = commit(place.checkout, "committed");
  write(place.checkout / "dirty", "dirty\n");
  auto done = checkin(w.checkin_of(place, "main", base));
  CHECK(done.changed);
  CHECK(done.rescued.refs.empty());
  CHECK(w.upstream_at("refs/heads/main") == done.commit);
  CHECK(w.upstream_at("refs/heads/main^") == mine);
  CHECK(content(w.upstream, "main:dirty") == "dirty");
  CHECK(run_git(w.upstream, {"log", "-1", "--format=%s", "main"})
        == "Check in from a session");
  CHECK(w.mirror.resolve_branch("main") == done.commit);
  CHECK(w.mirror.ref("refs/heads/main") == done.commit);
  for (const auto& repository : {w.upstream, w.mirror.path(), place.checkout})
    w.check_sound(repository);
  // The mirror needs nothing of the checkout.
  fs::remove_all(place.checkout);
  w.check_sound(w.mirror.path());
}

TEST_CASE("check-in again, as after a crash, gives the same") {
  world w;
  auto place = w.session("main");
  auto spec = w.checkin_of(place, "main", w.upstream_at("refs/heads/main"));
  write(place.checkout / "dirty", "dirty\n");
  auto first = checkin(spec);
  auto again = checkin(spec);
  CHECK(again.commit == first.commit);
  CHECK(again.changed);
  // Somebody has built on it since.
  auto moved = w.move_upstream("main", "on top");
  CHECK(checkin(spec).commit == first.commit);
  CHECK(w.upstream_at("refs/heads/main") == moved);
}

TEST_CASE("check-in goes on where a crash came after the commit") {
  world w;
  auto place = w.session("main");
  write(place.checkout / "dirty", "dirty\n");
  auto made = commit_all(place, w.user, "Before the crash");
  auto done =
    checkin(w.checkin_of(place, "main", w.upstream_at("refs/heads/main")));
  CHECK(done.commit == made.commit);
  CHECK(w.upstream_at("refs/heads/main") == made.commit);
}

TEST_CASE("child: check in", "[.]") {
  std::string sid = std::getenv("SID");
  fs::path checkout = std::getenv("CHECKOUT");
  auto m =
    mirror::open_or_create(std::getenv("MIRROR"), std::getenv("UPSTREAM"));
  greenroom::git::sandboxed_git session{
    sandboxed(), {sid, checkout.parent_path(), checkout, m.path()}};
  checkin({m, session, "main", std::getenv("BASE"), false, {"A", "a@b"}, "C"});
}

TEST_CASE("a check-in that was cut off anywhere can be made again") {
  auto point =
    GENERATE(as<std::string>{}, "checkin.committed", "checkin.imported",
             "checkin.rescued", "checkin.pushed");
  world w;
  auto place = w.session("main");
  auto spec = w.checkin_of(place, "main", w.upstream_at("refs/heads/main"));
  run_git(place.checkout, {"branch", "side"});
  auto mine = commit(place.checkout, "mine");
  write(place.checkout / "dirty", "dirty\n");
  run_git(place.checkout, {"branch", "-f", "side", mine});
  write(place.checkout / "empty", "stashed\n");
  run_git(place.checkout, {"stash", "-q"});
  write(place.checkout / "dirty", "dirty\n");
  die_at(point, "child: check in",
         {"TMPDIR=" + w.dir.path().string(), "SID=" + w.sid,
          "CHECKOUT=" + place.checkout.string(),
          "MIRROR=" + w.mirror.path().string(),
          "UPSTREAM=" + w.upstream.string(), "BASE=" + spec.base_commit});
  auto done = checkin(spec);
  CHECK(w.upstream_at("refs/heads/main") == done.commit);
  CHECK(w.upstream_at("refs/heads/main^") == mine);
  CHECK(content(w.upstream, "main:dirty") == "dirty");
  CHECK(content(w.upstream, w.rescue_ref("stash") + ":empty") == "stashed");
  CHECK(w.upstream_at(w.rescue_ref("heads/side")).empty());
  for (const auto& repository : {w.upstream, w.mirror.path()})
    w.check_sound(repository);
}

TEST_CASE("check-in of an untouched session changes nothing") {
  world w;
  auto place = w.session("main");
  auto base = w.upstream_at("refs/heads/main");
  auto moved = w.move_upstream("main", "news");
  auto done = checkin(w.checkin_of(place, "main", base));
  CHECK_FALSE(done.changed);
  CHECK(done.commit == base);
  CHECK(w.upstream_at("refs/heads/main") == moved);
}

TEST_CASE("check-in makes a new branch, with commits or without") {
  world w;
  auto base = *w.mirror.resolve_ref("light");
  auto place = w.checkout("new/one", base);
  auto spec = w.checkin_of(place, "new/one", base);
  spec.new_branch = true;
  SECTION("without") {
    auto done = checkin(spec);
    CHECK_FALSE(done.changed);
    CHECK(w.upstream_at("refs/heads/new/one") == base);
    CHECK(checkin(spec).commit == base);
  }
  SECTION("with") {
    auto tip = commit(place.checkout, "mine");
    CHECK(checkin(spec).commit == tip);
    CHECK(w.upstream_at("refs/heads/new/one") == tip);
  }
  SECTION("unless somebody else made another of that name") {
    run_git(w.work(), {"checkout", "-q", "-b", "new/one", "main"});
    auto theirs = commit(w.work(), "theirs");
    run_git(w.work(), {"push", "-q", "origin", "new/one"});
    commit(place.checkout, "mine");
    auto what = refusal_of([&] { checkin(spec); });
    CHECK(what.code == errc::conflict);
    CHECK(w.upstream_at("refs/heads/new/one") == theirs);
  }
}

TEST_CASE("check-in into an empty upstream makes its first branch") {
  world w;
  auto empty = w.dir.path() / "empty.git";
  run_git(w.dir.path(), {"init", "-q", "--bare", empty.string()});
  auto m = mirror::open_or_create(w.dir.path() / "repos/e.git", empty.string());
  m.fetch();
  greenroom::git::checkout_paths place{w.dir.path() / "s/checkout", m.path()};
  make_checkout({place, "main", "", {}});
  install_checkout(place.checkout, false);
  greenroom::git::checkin_spec spec{m,    w.in(place), "main", "",
                                    true, w.user,      "First"};
  auto nothing = checkin(spec);
  CHECK(nothing.commit.empty());
  CHECK_FALSE(nothing.changed);
  write(place.checkout / "a", "a\n");
  auto done = checkin(spec);
  CHECK(done.changed);
  CHECK(run_git(empty, {"rev-parse", "main"}) == done.commit);
}

TEST_CASE("check-in does not overwrite what the upstream gained") {
  world w;
  auto place = w.session("main");
  auto base = w.upstream_at("refs/heads/main");
  commit(place.checkout, "mine");
  auto moved = w.move_upstream("main", "news");
  auto spec = w.checkin_of(place, "main", base);
  auto what = refusal_of([&] { checkin(spec); });
  CHECK(what.code == errc::conflict);
  CHECK(what.message
        == "branch \"main\" has moved in the upstream; merge it in the session "
           "by `git pull --no-rebase --no-edit origin 'main'`, or, where all "
           "that it has there is what this session has pushed and rewritten "
           "since, replace it by `git push --force-with-lease origin 'main'`, "
           "then check in again");
  CHECK(w.upstream_at("refs/heads/main") == moved);

  paste(place.checkout, git::split(what.message, '`').at(1));
  auto done = checkin(spec);
  CHECK(w.upstream_at("refs/heads/main") == done.commit);
  CHECK(content(w.upstream, "main:news") == "from somebody else");
  CHECK(content(w.upstream, "main:mine") == "mine");
  w.check_sound(w.upstream);
}

TEST_CASE("what was pushed and then rewritten is checked in as is told") {
  world w;
  auto place = w.session("main");
  auto base = w.upstream_at("refs/heads/main");
  commit(place.checkout, "one");
  run_git(place.checkout, {"push", "-q", "origin", "main"});
  run_git(place.checkout, {"commit", "-q", "--amend", "-m", "Better"});
  auto tip = head_of(place.checkout);
  auto spec = w.checkin_of(place, "main", base);
  auto what = refusal_of([&] { checkin(spec); });
  CHECK(what.code == errc::conflict);
  paste(place.checkout, git::split(what.message, '`').at(3));
  CHECK(checkin(spec).commit == tip);
  CHECK(w.upstream_at("refs/heads/main") == tip);
}

TEST_CASE("check-in goes on from what the session pushed itself") {
  world w;
  auto place = w.session("main");
  auto base = w.upstream_at("refs/heads/main");
  commit(place.checkout, "one");
  run_git(place.checkout, {"push", "-q", "origin", "main"});
  auto tip = commit(place.checkout, "two");
  CHECK(checkin(w.checkin_of(place, "main", base)).commit == tip);
  CHECK(w.upstream_at("refs/heads/main") == tip);
}

TEST_CASE("a rewritten branch is checked in while the upstream stands still") {
  world w;
  auto place = w.session("feature/x");
  auto base = w.upstream_at("refs/heads/feature/x");
  run_git(place.checkout, {"commit", "-q", "--amend", "-m", "Better"});
  auto spec = w.checkin_of(place, "feature/x", base);
  SECTION("it does") {
    auto done = checkin(spec);
    CHECK(w.upstream_at("refs/heads/feature/x") == done.commit);
  }
  SECTION("it does not") {
    auto moved = w.move_upstream("feature/x", "news");
    CHECK(refusal_of([&] { checkin(spec); }).code == errc::conflict);
    CHECK(w.upstream_at("refs/heads/feature/x") == moved);
  }
}

TEST_CASE("a branch that is gone is not made again by check-in") {
  world w;
  auto place = w.session("feature/x");
  auto base = w.upstream_at("refs/heads/feature/x");
  auto spec = w.checkin_of(place, "feature/x", base);
  commit(place.checkout, "mine");
  SECTION("from the upstream") {
    run_git(w.upstream, {"branch", "-D", "feature/x"});
    auto what = refusal_of([&] { checkin(spec); });
    CHECK(what.code == errc::conflict);
    CHECK(w.upstream_at("refs/heads/feature/x").empty());
    // The way on that it names works.
    auto named = w.rescue_ref("heads/feature/x");
    CHECK_THAT(what.message,
               Catch::Contains(named) && Catch::Contains("POST .../discard"));
    rescue(w.rescue_of(place));
    CHECK(w.mirror.resolve_ref(named));
  }
  SECTION("from the session") {
    run_git(place.checkout, {"checkout", "-q", "--detach"});
    run_git(place.checkout, {"branch", "-D", "feature/x"});
    auto what = refusal_of([&] { checkin(spec); });
    CHECK(what.code == errc::conflict);
    CHECK(w.upstream_at("refs/heads/feature/x") == base);
  }
}

TEST_CASE(
  "of a branch that was merged and is gone nothing is left to check in") {
  world w;
  auto place = w.session("feature/x");
  auto spec =
    w.checkin_of(place, "feature/x", w.upstream_at("refs/heads/feature/x"));
  commit(place.checkout, "mine");
  auto tip = head_of(place.checkout);
  run_git(place.checkout, {"push", "-q", w.upstream.string(), "feature/x"});
  run_git(w.upstream, {"update-ref", "refs/heads/main", tip});
  run_git(w.upstream, {"branch", "-D", "feature/x"});
  auto what = refusal_of([&] { checkin(spec); });
  CHECK(what.code == errc::conflict);
  CHECK_THAT(what.message, Catch::Contains("from_ref \"main\"")
                             && !Catch::Contains("refs/greenroom"));
  CHECK(rescue(w.rescue_of(place)).refs.empty());
  CHECK(w.mirror.resolve_ref("main") == tip);
}

TEST_CASE("check-in takes the session's branch and rescues the rest") {
  world w;
  auto place = w.session("main");
  auto base = w.upstream_at("refs/heads/main");
  auto tip = commit(place.checkout, "mine");
  write(place.checkout / "empty", "stashed\n");
  run_git(place.checkout, {"stash", "-q"});
  run_git(place.checkout, {"checkout", "-q", "-b", "side"});
  auto side = commit(place.checkout, "side");
  write(place.checkout / "dirty", "dirty\n");
  auto done = checkin(w.checkin_of(place, "main", base));
  CHECK(done.commit == tip);
  CHECK(w.upstream_at("refs/heads/main") == tip);
  CHECK(names_of(done.rescued)
        == std::vector<std::string>{w.rescue_ref("heads/side"),
                                    w.rescue_ref("stash"),
                                    w.rescue_ref("tree")});
  CHECK_FALSE(done.rescued.upstream_failure);
  CHECK(w.upstream_at(w.rescue_ref("heads/side")) == side);
  CHECK(content(w.upstream, w.rescue_ref("tree") + ":dirty") == "dirty");
  CHECK(content(w.upstream, w.rescue_ref("stash") + ":empty") == "stashed");
}

TEST_CASE("check-in with the upstream out of reach can be tried again") {
  world w;
  auto place = w.session("main");
  auto spec = w.checkin_of(place, "main", w.upstream_at("refs/heads/main"));
  write(place.checkout / "mine", "mine\n");
  auto away = w.dir.path() / "away.git";
  fs::rename(w.upstream, away);
  auto what = refusal_of([&] { checkin(spec); });
  CHECK(what.code == errc::unavailable);
  fs::rename(away, w.upstream);
  auto done = checkin(spec);
  CHECK(w.upstream_at("refs/heads/main") == done.commit);
}

TEST_CASE("rescued work outlives the checkout, in mirror and upstream") {
  world w;
  auto place = w.session("main");
  const auto& top = place.checkout;
  auto tip = commit(top, "mine");
  write(top / "untracked", "untracked\n");
  write(top / "x.o", "ignored\n");
  run_git(top, {"tag", "-a", "-m", "mine", "mine"});
  run_git(top, {"branch", "old", "HEAD^"});
  auto saved = rescue(w.rescue_of(place));
  CHECK(names_of(saved)
        == std::vector<std::string>{w.rescue_ref("heads/main"),
                                    w.rescue_ref("tags/mine"),
                                    w.rescue_ref("tree")});
  CHECK_FALSE(saved.upstream_failure);
  fs::remove_all(top);
  w.mirror.fetch();
  for (const auto& repository : {w.mirror.path(), w.upstream}) {
    CHECK(run_git(repository, {"rev-parse", w.rescue_ref("heads/main")})
          == tip);
    CHECK(content(repository, w.rescue_ref("tree") + ":untracked")
          == "untracked");
    CHECK_FALSE(
      try_git(repository, {"cat-file", "-e", w.rescue_ref("tree") + ":x.o"})
        .ok());
    w.check_sound(repository);
  }
}

TEST_CASE("rescue has nothing to do where all is in the upstream") {
  world w;
  auto place = w.session("main");
  CHECK(rescue(w.rescue_of(place)).refs.empty());
  auto fresh = w.checkout("fresh", *w.mirror.resolve_branch("main"));
  CHECK(rescue(w.rescue_of(fresh)).refs.empty());
}

TEST_CASE("rescue can be run again") {
  world w;
  auto place = w.session("main");
  commit(place.checkout, "mine");
  write(place.checkout / "dirty", "1\n");
  auto first = rescue(w.rescue_of(place));
  write(place.checkout / "dirty", "2\n");
  auto again = rescue(w.rescue_of(place));
  CHECK(names_of(again) == names_of(first));
  CHECK_FALSE(again.upstream_failure);
  CHECK(content(w.upstream, w.rescue_ref("tree") + ":dirty") == "2");
}

TEST_CASE("what an earlier try has kept does not stand in the way") {
  world w;
  auto place = w.session("main");
  auto& top = place.checkout;
  auto kept = [&](const std::string& name) {
    return w.upstream_at(w.rescue_ref(name));
  };
  run_git(top, {"checkout", "-qb", "side"});
  auto mine = commit(top, "mine");
  run_git(top, {"checkout", "-q", "main"});
  commit(top, "ours");
  auto spec = w.checkin_of(place, "main", w.upstream_at("refs/heads/main"));
  w.move_upstream("main", "theirs");
  CHECK(refusal_of([&] { checkin(spec); }).code == errc::conflict);
  REQUIRE(kept("heads/side") == mine);
  auto rename = [&](const std::string& from, const std::string& to) {
    run_git(top, {"branch", "-m", from, "between"});
    run_git(top, {"branch", "-m", "between", to});
  };
  auto check = [&](const std::string& name, const std::string& before) {
    CHECK(kept("heads/" + name) == mine);
    CHECK(kept("heads/" + before).empty());
    CHECK(w.mirror.ref(w.rescue_ref("heads/" + name)) == mine);
  };
  // A directory where a file was, and the other way round.
  SECTION("here and in the upstream") {
    rename("side", "side/x");
    CHECK(refusal_of([&] { checkin(spec); }).code == errc::conflict);
    check("side/x", "side");
    rename("side/x", "side");
    CHECK_FALSE(rescue(w.rescue_of(place)).upstream_failure);
    check("side", "side/x");
  }
  SECTION("in the upstream only") {
    w.mirror.forget_ref(w.rescue_ref("heads/side"));
    rename("side", "side/x");
    CHECK_FALSE(rescue(w.rescue_of(place)).upstream_failure);
    check("side/x", "side");
  }
}

TEST_CASE("what another node has rescued stays, and this one's is beside it") {
  world w;
  auto place = w.session("main");
  auto theirs = w.move_upstream("feature/x", "theirs");
  auto put = [&](const std::string& name) {
    run_git(w.upstream, {"update-ref", w.rescue_ref(name), theirs});
  };
  run_git(place.checkout, {"branch", "plain"});
  run_git(place.checkout, {"checkout", "-qb", "side"});
  commit(place.checkout, "mine");
  run_git(place.checkout, {"branch", "-f", "plain"});
  write(place.checkout / "dirty", "1\n");
  auto check = [&](const std::vector<std::string>& names) {
    std::vector<std::string> wanted;
    for (const auto& name : names)
      wanted.push_back(w.rescue_ref(name));
    auto saved = rescue(w.rescue_of(place));
    CHECK_FALSE(saved.upstream_failure);
    CHECK(names_of(saved) == wanted);
    for (const auto& one : saved.refs) {
      CHECK(w.upstream_at(one.ref) == one.commit);
      CHECK(w.mirror.ref(one.ref) == one.commit);
    }
  };
  SECTION("under the same name") {
    put("tree");
    put("heads/side");
    const std::vector<std::string> names{"heads/plain", "2/heads/side",
                                         "2/tree"};
    check(names);
    CHECK(w.upstream_at(w.rescue_ref("tree")) == theirs);
    CHECK(w.upstream_at(w.rescue_ref("heads/side")) == theirs);
    // Under the first name is the other's, here too.
    CHECK_FALSE(w.mirror.ref(w.rescue_ref("tree")));
    // The same once more, and what has changed since.
    check(names);
    write(place.checkout / "dirty", "2\n");
    check(names);
    CHECK(content(w.upstream, w.rescue_ref("2/tree") + ":dirty") == "2");
    CHECK(w.upstream_at(w.rescue_ref("3/tree")).empty());
  }
  SECTION("under names that exclude this one's") {
    put("heads/side/x");
    put("heads/plain/x");
    put("2/heads/plain");
    check({"3/heads/plain", "2/heads/side", "tree"});
    CHECK(w.upstream_at(w.rescue_ref("heads/side/x")) == theirs);
    CHECK(w.upstream_at(w.rescue_ref("2/heads/plain")) == theirs);
  }
  SECTION("after this one's") {
    check({"heads/plain", "heads/side", "tree"});
    put("tree");
    write(place.checkout / "dirty", "2\n");
    check({"heads/plain", "heads/side", "2/tree"});
    CHECK(w.upstream_at(w.rescue_ref("tree")) == theirs);
  }
  SECTION("and is gone again") {
    check({"heads/plain", "heads/side", "tree"});
    run_git(w.upstream, {"update-ref", "-d", w.rescue_ref("tree")});
    write(place.checkout / "dirty", "2\n");
    check({"heads/plain", "heads/side", "tree"});
  }
}

TEST_CASE("rescue saves in the mirror where the upstream is out of reach") {
  world w;
  auto place = w.session("main");
  auto tip = commit(place.checkout, "mine");
  fs::remove_all(w.upstream);
  auto saved = rescue(w.rescue_of(place));
  REQUIRE(saved.upstream_failure);
  CHECK_THAT(*saved.upstream_failure, Catch::Contains("upstream.git"));
  CHECK(w.mirror.ref(w.rescue_ref("heads/main")) == tip);
  fs::remove_all(place.checkout);
  w.check_sound(w.mirror.path());
}

TEST_CASE("rescue saves many branches") {
  world w;
  auto place = w.session("main");
  auto tip = commit(place.checkout, "mine");
  std::string updates;
  for (int i = 0; i < 600; ++i)
    updates += tip + " refs/heads/b/" + std::to_string(i) + '\n';
  write(place.checkout / ".git/packed-refs",
        "# pack-refs with: peeled fully-peeled \n" + updates);
  auto saved = rescue(w.rescue_of(place));
  CHECK(saved.refs.size() == 601);
  CHECK_FALSE(saved.upstream_failure);
  CHECK(w.upstream_at(w.rescue_ref("heads/b/599")) == tip);
}

TEST_CASE("two sessions of one project do not disturb each other") {
  world w;
  auto one = w.session("main");
  auto two = w.session("feature/x");
  auto main = commit(one.checkout, "one");
  auto feature = commit(two.checkout, "two");
  auto main_base = w.upstream_at("refs/heads/main");
  auto feature_base = w.upstream_at("refs/heads/feature/x");
  CHECK(checkin(w.checkin_of(one, "main", main_base)).commit == main);
  CHECK(checkin(w.checkin_of(two, "feature/x", feature_base)).commit
        == feature);
  CHECK(w.upstream_at("refs/heads/main") == main);
  CHECK(w.upstream_at("refs/heads/feature/x") == feature);
}

// libgit2 reads whole what it looks at, to find that it is no commit.
TEST_CASE_METHOD(world, "a file that a tag stands for is kept, and never read "
                        "into this process") {
  auto place = session("main");
  auto base = upstream_at("refs/heads/main");
  write(place.checkout / "large", std::string(std::size_t{128} << 20, 'x'));
  auto file = run_git(place.checkout, {"hash-object", "-w", "large"});
  fs::remove(place.checkout / "large");
  run_git(place.checkout, {"tag", "plain", file});
  run_git(place.checkout, {"tag", "-a", "-m", "A file", "told", file});
  std::ofstream{"/proc/self/clear_refs"} << 5; // the peak begins anew
  const auto usual = peak_kib();
  CHECK(git::save_checkpoint({mirror, in(place), "main"}));
  auto kept = git::checkin(checkin_of(place, "main", base)).rescued.refs;
  CHECK(kept.size() == 2);
  CHECK(upstream_at(rescue_ref("tags/plain")) == file);
  // All that others in this project do looks at what is kept.
  CHECK_FALSE(mirror.tips().empty());
  CHECK_FALSE(mirror.resolve_ref(file));
  CHECK_FALSE(mirror.resolve_ref(file.substr(0, 12)));
  CHECK_FALSE(mirror.resolve_ref(rescue_ref("tags/told")));
  CHECK_FALSE(mirror.is_ancestor(file, base));
  CHECK(refusal_of([&] { git::diff_commits(mirror, base, file); }).code
        == errc::not_found);
  CHECK(peak_kib() < usual + 40 * 1024);
}

TEST_CASE("pointers of Git LFS get upstream with their contents only, wherever "
          "they came from") {
  world w;
  const std::string pointer =
    "version https://git-lfs.github.com/spec/v1\noid sha256:"
    + std::string(64, '7') + "\nsize 7\n";
  auto place = w.session("main");
  auto base = w.upstream_at("refs/heads/main");
  // Git LFS was never used in the session.
  REQUIRE_FALSE(fs::exists(place.checkout / ".git/lfs"));
  SECTION("unless they only look like some") {
    write(place.checkout / "big.bin", pointer);
    auto done = checkin(w.checkin_of(place, "main", base));
    CHECK(w.upstream_at("refs/heads/main") == done.commit);
    return;
  }
  write(place.checkout / ".gitattributes", "*.bin filter=lfs\n");
  SECTION("committed, as a push from a clone leaves them") {
    write(place.checkout / "big.bin", pointer);
    commit(place.checkout, "other");
    fs::remove(place.checkout / "big.bin");
    commit(place.checkout, "gone again");
  }
  SECTION("not committed") {
    write(place.checkout / "big.bin", pointer);
  }
  auto why = refusal_of([&] { checkin(w.checkin_of(place, "main", base)); });
  CHECK(why.code == errc::conflict);
  CHECK_THAT(why.message, Catch::Contains("`big.bin` is kept by Git LFS")
                            && Catch::Contains("git lfs push --object-id"));
  CHECK(w.upstream_at("refs/heads/main") == base);
}

TEST_CASE("a check-in that moves nothing asks for nothing of Git LFS") {
  world w;
  w.move_upstream("main", "big.bin",
                  "version https://git-lfs.github.com/spec/v1\noid sha256:"
                    + std::string(64, '7') + "\nsize 7\n");
  w.mirror.fetch();
  auto place = w.session("main");
  auto base = w.upstream_at("refs/heads/main");
  run_git(w.upstream, {"update-ref", "refs/heads/main", base + "^"});
  w.mirror.fetch();
  CHECK(checkin(w.checkin_of(place, "main", base)).commit == base);
}
