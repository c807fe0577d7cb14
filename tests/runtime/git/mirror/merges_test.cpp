#include "runtime/git/mirror/merges.hpp"
#include "tests/runtime/git/fixture.hpp"

using namespace greenroom;
using namespace greenroom::test;
using greenroom::git::diff_commits;
using greenroom::git::merge;
using greenroom::git::merge_end;
using greenroom::git::merge_spec;

namespace {

// A checked-in branch `topic` that forked from main, one commit ahead.
struct forked {
  explicit forked(const std::string& file = "topic",
                  const std::string& text = "topic\n") {
    base = w.upstream_at("refs/heads/main");
    auto place = w.checkout("topic", base);
    write(place.checkout / file, text);
    auto spec = w.checkin_of(place, "topic", base);
    spec.new_branch = true;
    commit = checkin(spec).commit;
  }

  merge_spec spec(const std::string& expected) const {
    return {w.mirror, "main", expected, commit, w.user, "Merge topic"};
  }

  std::string main() const {
    return w.upstream_at("refs/heads/main");
  }

  world w;
  std::string base;
  std::string commit;
};

std::string show(const fs::path& repository, const std::string& format,
                 const std::string& commit) {
  return run_git(repository, {"log", "-1", "--format=" + format, commit});
}

} // namespace

TEST_CASE("a target that stands still is moved forward") {
  forked f;
  auto done = merge(f.spec(f.base));
  CHECK(done.end == merge_end::merged);
  CHECK(done.commit == f.commit);
  CHECK(f.main() == f.commit);
  CHECK(f.w.mirror.ref("refs/heads/main") == f.commit);
}

TEST_CASE("a target that has moved gets a merge commit of both") {
  forked f;
  auto moved = f.w.move_upstream("main", "news");
  auto done = merge(f.spec(moved));
  CHECK(done.end == merge_end::merged);
  CHECK(f.main() == done.commit);
  CHECK(show(f.w.upstream, "%P", "main") == moved + ' ' + f.commit);
  CHECK(show(f.w.upstream, "%an <%ae> %cn <%ce>", "main")
        == "Session User <user@example.org> Session User <user@example.org>");
  CHECK(show(f.w.upstream, "%s", "main") == "Merge topic");
  CHECK(run_git(f.w.upstream, {"cat-file", "-p", "main:topic"}) == "topic");
  CHECK(run_git(f.w.upstream, {"cat-file", "-p", "main:news"})
        == "from somebody else");
  for (const auto& repository : {f.w.upstream, f.w.mirror.path()})
    f.w.check_sound(repository);
}

TEST_CASE("changes of one file in different places are merged") {
  world w;
  std::string lines;
  for (int i = 0; i < 30; ++i)
    lines += std::to_string(i) + '\n';
  write(w.work() / "shared", lines);
  auto base = w.move_upstream("main", "other");
  w.mirror.fetch();
  auto place = w.checkout("topic", base);
  write(place.checkout / "shared", "first\n" + lines);
  auto spec = w.checkin_of(place, "topic", base);
  spec.new_branch = true;
  auto commit = checkin(spec).commit;
  write(w.work() / "shared", lines + "last\n");
  auto moved = w.move_upstream("main", "more");
  auto done = merge({w.mirror, "main", moved, commit, w.user, "Merge"});
  REQUIRE(done.end == merge_end::merged);
  CHECK(run_git(w.upstream, {"cat-file", "-p", "main:shared"})
        == "first\n" + lines + "last");
  w.check_sound(w.mirror.path());
}

TEST_CASE("a conflict names the files and moves nothing") {
  forked f{"news", "mine\n"};
  auto moved = f.w.move_upstream("main", "news");
  auto done = merge(f.spec(moved));
  CHECK(done.end == merge_end::conflict);
  CHECK(done.files == std::vector<std::string>{"news"});
  CHECK(done.commit.empty());
  CHECK(f.main() == moved);
  CHECK(f.w.upstream_at("refs/heads/topic") == f.commit);
}

TEST_CASE("a target that is not where the review saw it is stale") {
  forked f;
  auto moved = f.w.move_upstream("main", "news");
  CHECK(merge(f.spec(f.base)).end == merge_end::stale);
  CHECK(merge(f.spec("")).end == merge_end::stale);
  CHECK(f.main() == moved);
  run_git(f.w.upstream, {"branch", "-D", "main"});
  CHECK(merge(f.spec(moved)).end == merge_end::stale);
  CHECK(f.main().empty());
}

TEST_CASE("a target that does not exist yet is made where that was expected") {
  forked f;
  auto spec = f.spec("");
  spec.target = "release/1";
  auto done = merge(spec);
  CHECK(done.end == merge_end::merged);
  CHECK(f.w.upstream_at("refs/heads/release/1") == f.commit);
}

TEST_CASE("merging again, as after a crash, finds what was merged") {
  forked f;
  SECTION("by a merge commit, built upon since") {
    auto moved = f.w.move_upstream("main", "news");
    auto first = merge(f.spec(moved));
    CHECK(merge(f.spec(moved)).commit == first.commit);
    auto later = f.w.move_upstream("main", "later");
    auto again = merge(f.spec(moved));
    CHECK(again.end == merge_end::merged);
    CHECK(again.commit == first.commit);
    CHECK(f.main() == later);
  }
  SECTION("by moving forward, built upon since") {
    merge(f.spec(f.base));
    auto later = f.w.move_upstream("main", "later");
    CHECK(merge(f.spec(f.base)).commit == f.commit);
    CHECK(f.main() == later);
  }
  SECTION("by somebody else") {
    run_git(f.w.work(), {"fetch", "-q", "origin"});
    run_git(f.w.work(), {"merge", "-q", "--no-ff", "-m", "By hand", f.commit});
    run_git(f.w.work(), {"push", "-q", "origin", "main"});
    CHECK(merge(f.spec(f.base)).commit == f.main());
  }
}

TEST_CASE("child: merge", "[.]") {
  merge({greenroom::git::mirror::open_or_create(std::getenv("MIRROR"),
                                                std::getenv("UPSTREAM")),
         "main",
         std::getenv("BASE"),
         std::getenv("COMMIT"),
         {"A", "a@b"},
         "Merge"});
}

TEST_CASE("a merge that was cut off anywhere is made once") {
  auto point = GENERATE(as<std::string>{}, "merge.made", "merge.pushed");
  forked f;
  auto moved = f.w.move_upstream("main", "news");
  die_at(point, "child: merge",
         {"MIRROR=" + f.w.mirror.path().string(),
          "UPSTREAM=" + f.w.upstream.string(), "BASE=" + moved,
          "COMMIT=" + f.commit});
  auto done = merge(f.spec(moved));
  CHECK(done.end == merge_end::merged);
  CHECK(f.main() == done.commit);
  CHECK(show(f.w.upstream, "%P", "main") == moved + ' ' + f.commit);
  f.w.check_sound(f.w.mirror.path());
}

TEST_CASE("what has no history in common is refused") {
  world w;
  auto place = w.session("main");
  auto base = w.upstream_at("refs/heads/main");
  run_git(place.checkout, {"checkout", "-q", "--orphan", "fresh"});
  run_git(place.checkout, {"commit", "-qm", "Fresh"});
  auto spec = w.checkin_of(place, "fresh", "");
  spec.new_branch = true;
  auto commit = checkin(spec).commit;
  auto what = refusal_of([&] {
    merge({w.mirror, "main", base, commit, w.user, "Merge"});
  });
  CHECK(what.code == errc::conflict);
  CHECK(w.upstream_at("refs/heads/main") == base);
}

TEST_CASE("an upstream that does not want a merge says why") {
  forked f;
  auto hook = f.w.upstream / "hooks/pre-receive";
  write(hook, "#!/bin/sh\nexit 1\n");
  fs::permissions(hook, fs::perms{0755});
  auto what = refusal_of([&] { merge(f.spec(f.base)); });
  CHECK(what.code == errc::conflict);
  CHECK_THAT(what.message, Catch::Contains("pre-receive hook declined"));
  CHECK(f.main() == f.base);
}

TEST_CASE("a commit that is not here cannot be merged or compared") {
  world w;
  std::string unknown(40, 'b');
  auto base = w.upstream_at("refs/heads/main");
  CHECK(refusal_of([&] {
          merge({w.mirror, "main", base, unknown, w.user, "Merge"});
        }).code
        == errc::not_found);
  CHECK(refusal_of([&] { diff_commits(w.mirror, base, unknown); }).code
        == errc::not_found);
}

TEST_CASE("a diff of commits leaves out what the target gained meanwhile") {
  forked f;
  auto moved = f.w.move_upstream("main", "news");
  f.w.mirror.fetch();
  auto text = diff_commits(f.w.mirror, moved, f.commit);
  CHECK_THAT(text, Catch::Contains("+topic\n"));
  CHECK(text.find("somebody") == std::string::npos);
  CHECK(diff_commits(f.w.mirror, f.commit, f.commit).empty());
  CHECK_THAT(diff_commits(f.w.mirror, "", f.commit),
             Catch::Contains("+line 7\n"));
}

TEST_CASE("a renamed file is shown as such") {
  world w;
  auto place = w.session("main");
  auto base = w.upstream_at("refs/heads/main");
  run_git(place.checkout, {"mv", "bin/tool", "bin/instrument"});
  auto commit = checkin(w.checkin_of(place, "main", base)).commit;
  CHECK_THAT(diff_commits(w.mirror, base, commit),
             Catch::Contains("rename to bin/instrument"));
}
