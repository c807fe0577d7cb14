// What is beside the session's branch is kept, and named.
#include "tests/git_matrix/matrix.hpp"

#include "messages/left_work.hpp"
#include "runtime/base/fd.hpp"
#include "runtime/base/memfd.hpp"

#include <fcntl.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <optional>
#include <set>
#include <string>

using namespace greenroom;
using namespace greenroom::test;

using names = std::set<std::string>;

TEST_CASE("an operation under way is named, with the commands that end it") {
  struct row {
    const char* script;
    const char* name;
    const char* command;
  };
  const std::string apart =
    "echo base >f; git add f; git commit -qm base\n"
    "git checkout -qb side; echo side >f; git commit -qam side\n"
    "git checkout -q work; echo work >f; git commit -qam work\n";
  const row rows[] = {
    {"git rebase side && false || true", "a rebase", "git rebase --abort"},
    {"git rebase --apply side && false || true", "a rebase",
     "git -c core.editor=true rebase --continue"},
    {"GIT_SEQUENCE_EDITOR='sed -i s/pick/edit/' git rebase -i HEAD~1",
     "a rebase", "git -c core.editor=true rebase --continue"},
    {"git merge side && false || true", "a merge", "git merge --abort"},
    {"git cherry-pick side && false || true", "a cherry-pick",
     "git cherry-pick --abort"},
    {"echo more >>f; git commit -qam more; git revert HEAD~1 && false || true",
     "a revert", "git revert --abort"},
    {"git format-patch -q -1 side -o ~/p; git am ~/p/* && false || true",
     "an am", "git am --abort"},
    {"git bisect start HEAD HEAD~1 >/dev/null", "a bisect", "git bisect reset"},
  };
  auto which = GENERATE_COPY(range(std::size_t{0}, std::size(rows)));
  INFO(rows[which].script);
  matrix_row at{apart + rows[which].script};
  auto what = refusal_of([&] { at.check_in(); });
  CHECK(what.code == errc::operation_in_progress);
  CHECK_THAT(what.message, Catch::Contains(rows[which].name));
  CHECK_THAT(what.message, Catch::Contains(rows[which].command));
  CHECK(at.committed().empty());
  // The end of the session keeps both branches all the same.
  auto kept = at.kept(at.rescue());
  CHECK(kept.contains("heads/side"));
  CHECK(kept.contains("heads/work"));
}

TEST_CASE("what ends an operation does so as it is pasted") {
  const char* const rows[] = {
    "git rebase side",
    "git rebase --apply side",
    "git merge side",
    "git cherry-pick side",
    "echo more >>f; git commit -qam more; git revert HEAD~1",
    "git format-patch -q -1 side -o ~/p; git am ~/p/*",
  };
  const auto which = GENERATE_COPY(range(std::size_t{0}, std::size(rows)));
  const bool finished = GENERATE(true, false);
  INFO(rows[which] << ", finished: " << finished);
  matrix_row at{
    std::string{"echo base >f; git add f; git commit -qm base\n"
                "git checkout -qb side; echo side >f; git commit -qam side\n"
                "git checkout -q work; echo work >f; git commit -qam work\n"}
    + rows[which] + " && false || true"};
  const auto message = refusal_of([&] { at.check_in(); }).message;
  const auto words = git::split(message, '`');
  REQUIRE(words.size() == 5);
  if (finished)
    at.in_session("echo both >f; git add f\n" + words[1]);
  else
    at.in_session(words[3]);
  at.check_in();
  CHECK((run_git(at.w.upstream, {"show", "work:f"}) == "both") == finished);
}

TEST_CASE("what a squashed merge has put aside is checked in, or kept") {
  const bool fits = GENERATE(true, false);
  const std::string theirs = fits ? "" : "; echo theirs >d";
  matrix_row at{"echo base >f; echo d >d; git add .; git commit -qm base\n"
                "git checkout -qb side; echo side >f"
                + theirs
                + "; git commit -qam side\n"
                  "git checkout -q work; echo work >f; git commit -qam work\n"
                  "echo mine >d\n"
                  "git merge --squash --autostash side && false || true\n"
                  "echo both >f; git add f; [ -f .git/MERGE_AUTOSTASH ]"};
  auto result = at.check_in();
  CHECK(run_git(at.w.upstream, {"show", "work:f"}) == "both");
  CHECK(run_git(at.w.upstream, {"show", "work:d"})
        == (fits ? "mine" : "theirs"));
  auto kept = at.kept(result.rescued);
  CHECK(kept == (fits ? names{"heads/side"} : names{"heads/side", "stash"}));
  if (!fits)
    CHECK(at.in_rescue("stash:d") == "mine");
}

TEST_CASE("what is beside the branch is kept under names that say what it is") {
  struct row {
    const char* script;
    names kept;
  };
  const row rows[] = {
    {"git checkout -qb side; echo 1 >a; git add a; git commit -qm 1; echo 2 >b",
     {"heads/side", "tree"}},
    {"git checkout -q --detach; echo 1 >a; git add a; git commit -qm 1",
     {"detached"}},
    {"git tag -a -m mine mine; git tag base HEAD; echo 1 >a",
     {"tags/mine", "tags/base"}},
    {"git notes add -m note; git notes --ref review add -m r",
     {"notes/commits", "notes/review"}},
    {"echo 1 >empty; git stash -q; echo 2 >empty; git stash -q",
     {"stash", "stash-1"}},
    {"git update-ref refs/mine/x $(git commit-tree -m x HEAD^{tree})",
     {"other/mine/x"}},
    {"echo 1 >new; git update-index --assume-unchanged empty; echo 2 >empty",
     {"tree"}},
  };
  auto which = GENERATE_COPY(range(std::size_t{0}, std::size(rows)));
  INFO(rows[which].script);
  matrix_row at{rows[which].script};
  CHECK(at.kept(at.check_in().rescued) == rows[which].kept);
}

TEST_CASE("a directory among the references that is called as a lock keeps no "
          "work back") {
  matrix_row at{"mkdir -p .git/refs/heads/x.lock/y; git checkout -qb side\n"
                "echo 1 >a; git add a; git commit -qm 1; echo 2 >b"};
  auto kept = at.kept(at.rescue());
  CHECK(kept.contains("heads/side"));
  CHECK(at.in_rescue("tree:b") == "2");
}

TEST_CASE("a pipe where a rescue reads keeps no work back") {
  matrix_row at{"mkdir .git/rebase-merge; mkfifo .git/rebase-merge/autostash\n"
                "echo 2 >b"};
  CHECK(at.kept(at.rescue()) == names{"tree"});
  CHECK(at.in_rescue("tree:b") == "2");
}

TEST_CASE("a tag that is called HEAD takes nothing else's place") {
  matrix_row at{"git tag HEAD; git checkout -q --detach\n"
                "echo 1 >a; git add a; git commit -qm 1; echo 2 >b"};
  CHECK(at.git().state("").dirty_files == 1);
  auto kept = at.kept(at.rescue());
  CHECK(kept.contains("detached"));
  CHECK(kept.contains("tree"));
  CHECK(at.in_rescue("detached:a") == "1");
  CHECK(at.in_rescue("tree:b") == "2");
}

TEST_CASE("an annotated tag stays one") {
  matrix_row at{"git tag -a -m mine mine"};
  at.rescue();
  CHECK(run_git(at.w.upstream, {"cat-file", "-t", at.w.rescue_ref("tags/mine")})
        == "tag");
}

TEST_CASE("a repository inside is kept: commits, branches, dirty files") {
  matrix_row at{"git init -q svc; cd svc; echo 1 >f; git add f\n"
                "git commit -qm 1; git checkout -qb other; echo 2 >g\n"
                "git add g; git commit -qm 2; echo dirty >d"};
  CHECK(at.git().state("").dirty_files > 0);
  auto kept = at.kept(at.check_in().rescued);
  CHECK(kept.size() == 3);
  CHECK(kept.contains("nested/svc/heads/other"));
  CHECK(kept.contains("nested/svc/tree"));
  CHECK(at.in_rescue("nested/svc/tree:d") == "dirty");
  CHECK(run_git(at.w.upstream, {"ls-tree", "work", "svc"})
          .starts_with(
            "160000 commit "
            + at.w.upstream_at(at.w.rescue_ref("nested/svc/heads/other"))));
}

TEST_CASE("a repository inside without a commit is kept and left out") {
  matrix_row at{"git init -q svc; echo 1 >svc/f; echo 2 >mine"};
  CHECK(at.expected().empty()); // git gives up
  auto kept = at.kept(at.check_in().rescued);
  CHECK(kept == names{"nested/svc/tree"});
  CHECK(at.in_rescue("nested/svc/tree:f") == "1");
  CHECK(run_git(at.w.upstream, {"cat-file", "-p", "work:mine"}) == "2");
}

TEST_CASE("repositories inside repositories are kept") {
  matrix_row at{"git init -q a; git init -q a/b; echo 1 >a/b/f"};
  CHECK(at.kept(at.rescue()).contains("nested/a-b/tree"));
}

TEST_CASE("a submodule's commits and dirty files are kept and counted") {
  // Somebody's library, where the session can read it.
  matrix_row at{":"};
  auto lib = at.place.checkout.parent_path() / "home/lib";
  fs::copy(at.w.upstream, lib, fs::copy_options::recursive);
  at.in_session("git -c protocol.file.allow=always submodule add -q ~/lib "
                "vendor/lib; git commit -qm Submodule");
  CHECK(at.git().state("").dirty_files == 0);
  SECTION("nothing was done there") {
    CHECK(at.kept(at.check_in().rescued).empty());
  }
  SECTION("a file") {
    at.in_session("echo work >vendor/lib/work.txt");
    CHECK(at.git().state("").dirty_files == 1);
    CHECK(at.kept(at.check_in().rescued) == names{"nested/vendor-lib/tree"});
    CHECK(at.in_rescue("nested/vendor-lib/tree:work.txt") == "work");
  }
  SECTION("a commit") {
    at.in_session("cd vendor/lib; echo work >w; git add w; git commit -qm W");
    CHECK(at.git().state("").dirty_files == 1);
    auto kept = at.kept(at.check_in().rescued);
    REQUIRE(kept == names{"nested/vendor-lib/heads/main"});
    CHECK(
      run_git(at.w.upstream, {"ls-tree", "work", "vendor/lib"})
        .find(at.w.upstream_at(at.w.rescue_ref("nested/vendor-lib/heads/main")))
      != std::string::npos);
  }
}

TEST_CASE("linked work trees are kept") {
  matrix_row at{"git worktree add -q --detach .wt; cd .wt; echo 1 >a\n"
                "git add a; git commit -qm 1; echo 2 >b"};
  auto kept = at.kept(at.check_in().rescued);
  CHECK(kept == names{"worktrees/_wt/detached", "worktrees/_wt/tree"});
  CHECK(at.in_rescue("worktrees/_wt/tree:b") == "2");
}

TEST_CASE("commits of a linked work tree whose files are gone are kept") {
  matrix_row at{"git worktree add -q --detach ~/wt; cd ~/wt; echo 1 >a\n"
                "git add a; git commit -qm 1; rm -r ~/wt"};
  auto result = at.check_in().rescued;
  CHECK(at.kept(result) == names{"worktrees/wt/detached"});
  CHECK(at.in_rescue("worktrees/wt/detached:a") == "1");
  REQUIRE(result.note);
  CHECK_THAT(*result.note, Catch::Contains("could not be reached"));
}

TEST_CASE("a damaged index costs nothing but what was staged") {
  matrix_row at{"echo more >>empty; echo new >new; echo rubbish >.git/index"};
  CHECK(at.git().state("").dirty_files == 2);
  CHECK_THAT(at.git().diff({at.base}), Catch::Contains("+more"));
  SECTION("check-in") {
    at.check_in();
    CHECK(run_git(at.w.upstream, {"cat-file", "-p", "work:new"}) == "new");
  }
  SECTION("rescue") {
    CHECK(at.kept(at.rescue()) == names{"tree"});
    CHECK(at.in_rescue("tree:new") == "new");
  }
  CHECK(run_git(at.w.upstream, {"cat-file", "-p", "main:bin/tool"})
        == "#!/bin/sh\necho tool");
}

TEST_CASE("a rescue deletes nothing that was not checked out") {
  auto kind =
    GENERATE(as<std::string>{}, "--cone", "--cone --sparse-index", "--no-cone");
  matrix_row at{"git sparse-checkout set " + kind
                + " src/part1; echo more >>src/part1/file1.txt\n"
                  "mkdir -p other; echo n >other/n"};
  CHECK(at.kept(at.rescue()) == names{"tree"});
  auto deleted = run_git(
    at.w.upstream, {"diff", "--name-status", at.base, at.w.rescue_ref("tree")});
  CHECK(deleted == "A\tother/n\nM\tsrc/part1/file1.txt");
}

TEST_CASE(
  "files that Git LFS keeps are kept, and not pushed as pointers only") {
  const std::string lfs =
    "cat >~/lfs <<'END'\n"
    "#!/bin/bash\n"
    "t=$(mktemp); cat >$t; o=$(sha256sum <$t | cut -c1-64)\n"
    "d=$(git rev-parse --git-dir)/lfs/objects/${o:0:2}/${o:2:2}\n"
    "mkdir -p $d; cp $t $d/$o\n"
    "printf 'version https://git-lfs.github.com/spec/v1\\noid sha256:%s\\n"
    "size %s\\n' $o $(stat -c %s $t)\n"
    "END\n"
    "chmod +x ~/lfs; git config filter.lfs.clean '~/lfs'\n"
    "echo '*.bin filter=lfs' >.gitattributes; seq 5000 >big.bin";
  matrix_row at{lfs};
  auto what = refusal_of([&] { at.check_in(); });
  CHECK(what.code == errc::conflict);
  CHECK_THAT(what.message,
             Catch::Contains("`big.bin`") && Catch::Contains("Git LFS"));
  CHECK(at.committed().empty());
  auto kept = at.kept(at.rescue());
  CHECK(kept == names{"heads/work", "lfs"});
  CHECK_THAT(at.in_rescue("heads/work:big.bin"),
             Catch::StartsWith("version https://git-lfs"));
  auto oid =
    run_git(at.w.upstream, {"ls-tree", "--name-only", at.w.rescue_ref("lfs")});
  CHECK(at.in_rescue("lfs:" + oid).starts_with("1\n2\n"));
}

TEST_CASE("many files are looked at for Git LFS, and kept, at once") {
  matrix_row at{
    "mkdir -p many .git/lfs/objects\n"
    "for i in $(seq 200); do echo $i >many/$i; done\n"
    "for i in $(seq 100); do echo contents $i >c\n"
    "o=$(sha256sum <c | cut -c1-64); s=$(stat -c %s c)\n"
    "d=.git/lfs/objects/${o:0:2}/${o:2:2}; mkdir -p $d; mv c $d/$o\n"
    "printf 'version https://git-lfs.github.com/spec/v1\\noid sha256:%s\\n"
    "size %s\\n' $o $s >p$i; done"};
  at.in_session("git config --global trace2.normalTarget ~/trace");
  CHECK(at.kept(at.rescue()) == names{"lfs", "tree"});
  auto contents =
    run_git(at.w.upstream, {"ls-tree", "--name-only", at.w.rescue_ref("lfs")});
  CHECK(std::ranges::count(contents, '\n') == 99);
  auto trace = read(at.session_home() / "trace");
  auto calls = 0;
  for (auto from = trace.find(" start git "); from != trace.npos;
       from = trace.find(" start git ", from + 1))
    ++calls;
  CHECK(calls > 0);
  CHECK(calls < 100);
}

TEST_CASE("hooks of the session and its filters run inside only") {
  matrix_row at{":"};
  auto canary = at.w.dir.path() / "canary";
  at.in_session("git config filter.f.clean \"touch '" + canary.string()
                + "' ~/canary; cat\"; echo '* filter=f' >.gitattributes");
  at.check_in();
  CHECK_FALSE(fs::exists(canary));
}

TEST_CASE("what lies outside of a sparse checkout is kept beside the branch") {
  matrix_row at{"git sparse-checkout set src/part1; mkdir -p src/part2\n"
                "echo back >src/part2/file2.txt; echo n >src/part2/new"};
  CHECK(at.kept(at.check_in().rescued) == names{"tree"});
  CHECK(at.in_rescue("tree:src/part2/new") == "n");
  CHECK(at.in_rescue("tree:src/part2/file2.txt") == "back");
}

TEST_CASE("what is new outside of a sparse checkout is kept where all that git "
          "knows lies inside") {
  matrix_row at{"git sparse-checkout set bin src Grüße; mkdir apart\n"
                "echo n >apart/new; echo more >>empty"};
  CHECK(at.kept(at.check_in().rescued) == names{"tree"});
  CHECK(at.in_rescue("tree:apart/new") == "n");
  CHECK(at.in_rescue("tree:empty") == "more");
}

TEST_CASE("what was left out of settings is said by every rescue after it") {
  matrix_row at{"echo 1 >a; git add a; git commit -qm 1; echo 2 >b"};
  auto config = at.place.checkout / ".git/config";
  write(config, read(config) + "garbage here\n");
  for (int i = 0; i < 2; ++i) {
    auto result = at.rescue();
    REQUIRE(result.note);
    CHECK_THAT(*result.note, Catch::Contains("left out was line ")
                               && Catch::Contains(" of .git/config"));
  }
}

TEST_CASE("a pack that is larger than a file may be is refused in words") {
  matrix_row at{"for i in 1 2 3; do head -c 60000 /dev/urandom >$i; done\n"
                "git add .; git commit -qm large"};
  constexpr std::uint64_t bound = 100'000;
  const nlohmann::json request{{"op", "save"},
                               {"mirror", at.place.mirror.string()},
                               {"name", "Ada"},
                               {"email", "ada@example.org"},
                               {"rescue_message", "Kept"},
                               {"known", nlohmann::json::array({at.base})},
                               {"upstream", nlohmann::json::array()},
                               {"max_file", bound}};
  const auto input = git::memfd(request.dump());
  const auto file = at.w.dir.path() / "answer";
  const unique_fd answer{
    ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)};
  REQUIRE(answer);
  const auto& program = at.w.tools.program;
  auto what = at.as_session({program.string(), "session"});
  what.stdin_fd = input.get();
  what.stdout_fd = answer.get();
  auto result = run_command(sandbox::run_in_sandbox(
    *at.w.tools.host, at.git().paths(), what, {program}));
  CHECK(result.exit_code == 3);
  CHECK_THAT(result.err, Catch::Contains("more than 100000 bytes")
                           && Catch::Contains("(sandbox.disk)"));
  CHECK(fs::file_size(file) <= bound);
}

TEST_CASE("a tag or a branch that is too large for the node costs itself") {
  constexpr const char* tag =
    "git tag fine; echo work >new\n"
    "(printf 'object %s\\ntype commit\\ntag large\\ntagger Ada "
    "<ada@example.org> 1 +0000\\n\\n' $(git rev-parse HEAD)\n"
    "head -c 67108865 /dev/zero | tr '\\0' a) >.git/large\n"
    "git tag large $(git hash-object -t tag -w .git/large)";
  constexpr const char* commit =
    "head -c 67108865 /dev/zero | tr '\\0' a >.git/large\n"
    "git update-ref refs/heads/other $(git commit-tree -F .git/large "
    "HEAD^{tree})\n"
    "git tag fine; echo work >new";
  const auto script = GENERATE_COPY(as<std::string>{}, tag, commit);
  const auto name =
    script == tag ? "refs/tags/large" : std::string{"refs/heads/other"};
  matrix_row at{script};
  std::optional<std::string> note;
  SECTION("rescue") {
    auto result = at.rescue();
    CHECK(at.kept(result) == std::set<std::string>{"tags/fine", "tree"});
    note = result.note;
  }
  SECTION("check-in") {
    auto result = at.check_in();
    CHECK(at.committed() == at.expected());
    CHECK(at.kept(result.rescued) == std::set<std::string>{"tags/fine"});
    note = result.rescued.note;
  }
  REQUIRE(note);
  CHECK(leaves_work(*note));
  CHECK_THAT(*note, Catch::Contains(name + " could not be saved (it has 671")
                      && Catch::Contains("may have no more than 64MiB"));
}

TEST_CASE("a check-in of a branch that is too large for the node is refused") {
  matrix_row at{"head -c 67108865 /dev/zero | tr '\\0' a >.git/large\n"
                "git commit -q --allow-empty -F .git/large"};
  auto what = refusal_of([&] { at.check_in(); });
  CHECK(what.code == errc::conflict);
  CHECK_THAT(what.message,
             Catch::Contains("refs/heads/work could not be saved (it has 671")
               && Catch::Contains("may have no more than 64MiB"));
}
