#include "runtime/git/mirror/merges.hpp"
#include "tests/runtime/git/fixture.hpp"
#include "tests/support/process_figures.hpp"

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

TEST_CASE("a merge takes so much memory and no more, and names the number") {
  // Each line costs git several times its length.
  const std::size_t lines = std::size_t{12} << 20;
  std::string middle(2 * lines, '\n');
  for (std::size_t i = 0; i < lines; ++i)
    middle[2 * i] = static_cast<char>('a' + i % 23);
  forked f{"large", "first\n" + middle};
  REQUIRE(merge(f.spec(f.base)).end == merge_end::merged);
  const auto base = f.main();
  auto place = f.w.checkout("other", base);
  write(place.checkout / "large", "ours\n" + middle);
  auto checked_in = f.w.checkin_of(place, "other", base);
  checked_in.new_branch = true;
  f.commit = checkin(checked_in).commit;
  auto moved = f.w.move_upstream("main", "large", middle + "theirs\n");
  auto why = refusal_of([&] { merge(f.spec(moved)); });
  CHECK(why.code == errc::conflict);
  CHECK_THAT(why.message, Catch::Contains("more than 512 MiB of memory"));
  CHECK(f.main() == moved);
}

TEST_CASE("a .gitattributes file without end is not read") {
  world w;
  auto first = w.upstream_at("refs/heads/main");
  auto place = w.checkout("topic", first);
  write(place.checkout / "topic", "topic\n");
  auto spec = w.checkin_of(place, "topic", first);
  spec.new_branch = true;
  auto commit = checkin(spec).commit;
  auto moved = w.move_upstream("main", "deep/.gitattributes",
                               std::string(std::size_t{3} << 20, '#'));
  auto why = refusal_of([&] {
    merge({w.mirror, "main", moved, commit, w.user, "Merge"});
  });
  CHECK(why.code == errc::conflict);
  CHECK_THAT(why.message,
             Catch::Contains("`deep/.gitattributes` is larger than 1 MiB"));
  CHECK(w.upstream_at("refs/heads/main") == moved);
}

TEST_CASE("a diff reads no large file that has come or gone") {
  world w;
  auto place = w.session("main");
  auto base = w.upstream_at("refs/heads/main");
  const std::string much(std::size_t{64} << 20, 'x');
  run_git(place.checkout, {"mv", "bin/tool", "bin/instrument"});
  write(place.checkout / "old", much);
  auto before = checkin(w.checkin_of(place, "main", base)).commit;
  auto again = w.session("main");
  fs::remove(again.checkout / "old");
  write(again.checkout / "new", much + "y");
  auto after = checkin(w.checkin_of(again, "main", before)).commit;
  std::ofstream{"/proc/self/clear_refs"} << 5; // the peak begins anew
  const auto usual = peak_kib();
  auto text = diff_commits(w.mirror, before, after);
  CHECK_THAT(text, Catch::Contains("new"));
  CHECK(peak_kib() < usual + 40 * 1024);
  CHECK_THAT(diff_commits(w.mirror, base, before),
             Catch::Contains("rename to bin/instrument"));
}

TEST_CASE("of files without end no diff is made") {
  world w;
  auto base = w.upstream_at("refs/heads/main");
  auto endless = bomb(w, 12, "x");
  std::ofstream{"/proc/self/clear_refs"} << 5; // the peak begins anew
  const auto usual = peak_kib();
  auto why = refusal_of([&] { diff_commits(w.mirror, base, endless); });
  CHECK((why.code == errc::conflict || why.code == errc::timeout));
  CHECK_THAT(why.message, Catch::Contains("to be compared here"));
  CHECK(peak_kib() < usual + 40 * 1024);
}

TEST_CASE("no more of a diff is made than is shown") {
  world w;
  auto place = w.session("main");
  auto base = w.upstream_at("refs/heads/main");
  std::string lines;
  for (int i = 0; i < 100'000; ++i)
    lines += "line " + std::to_string(i) + '\n';
  for (int i = 0; i < 8; ++i)
    write(place.checkout / "new" / std::to_string(i), lines);
  auto commit = checkin(w.checkin_of(place, "main", base)).commit;
  auto text = diff_commits(w.mirror, base, commit);
  CHECK(text.size() < (std::size_t{4} << 20) + 100);
  CHECK(text.ends_with("\n(cut here: the diff is longer than 4 MiB)\n"));
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
