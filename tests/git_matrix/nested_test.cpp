// Repositories inside of a checkout: what only they have is kept, and none of
// them stands in the way of the rest.
#include "messages/left_work.hpp"
#include "tests/git_matrix/matrix.hpp"

using namespace greenroom;
using namespace greenroom::test;

using names = std::set<std::string>;

namespace {

// Somebody else's repository, whose history is no matter of the upstream's.
const std::string lib =
  "git init -q -b main ~/lib; cd ~/lib; git config uploadpack.allowFilter "
  "true\n"
  "git config uploadpack.allowAnySHA1InWant true\n"
  "for i in 1 2 3; do echo $i >f$i; git add .; git commit -qm $i; done\n"
  "cd ~-\n";

const std::string whole_clone = "git clone -q file://$HOME/lib vendor/x";

std::string in_home(const matrix_row& at, const std::string& command) {
  auto result =
    run_command({{"/bin/bash", "-c", command},
                 at.session_home() / "lib",
                 {"PATH=/usr/bin:/bin", "HOME=/nonexistent",
                  "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_COUNT=1",
                  "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"}});
  INFO(result.err);
  REQUIRE(result.ok());
  return result.out.substr(0, result.out.find('\n'));
}

bool upstream_has(const matrix_row& at, const std::string& object) {
  return try_git(at.w.upstream, {"cat-file", "-e", object}).ok();
}

// In a clone of what it was cloned from.
std::string from_bundle(const matrix_row& at, const std::string& name,
                        const std::string& spec) {
  auto file = at.w.dir.path() / "work.bundle";
  auto blob = try_git(
    at.w.upstream,
    {"cat-file", "blob", at.w.rescue_ref(name + "/bundle") + ":work.bundle"});
  REQUIRE(blob.ok());
  write(file, blob.out);
  return in_home(at, "git fetch -q '" + file.string()
                       + "' '+refs/*:refs/rescued/*' && git cat-file -p "
                         "refs/rescued/"
                       + spec);
}

void check_note(const git::rescue_result& result, const std::string& words) {
  REQUIRE(result.note);
  CHECK_THAT(*result.note, Catch::Contains(words));
}

bool leaves(const git::rescue_result& result) {
  return result.note && leaves_work(*result.note);
}

} // namespace

TEST_CASE("of a clone of something else only what is new is kept") {
  struct row {
    const char* name;
    std::string script;
  };
  const row rows[] = {
    {"shallow", "git clone -q --depth 1 file://$HOME/lib vendor/x"},
    {"shallow, at a tag",
     "git -C ~/lib tag v1; git clone -q --depth 1 -b v1 file://$HOME/lib "
     "vendor/x 2>/dev/null"},
    {"partial", "git clone -q --filter=blob:none file://$HOME/lib vendor/x"},
    {"partial to the trees",
     "git clone -q --filter=tree:0 file://$HOME/lib vendor/x"},
    {"whole", whole_clone},
    {"without its remote",
     whole_clone + "; git -C vendor/x remote remove origin"},
    {"shallow submodule",
     "git submodule --quiet add file://$HOME/lib vendor/x; git commit -qm s\n"
     "git submodule --quiet deinit -f vendor/x; rm -rf .git/modules/vendor\n"
     "git submodule --quiet update --init --depth 1"},
  };
  auto which = GENERATE_COPY(range(std::size_t{0}, std::size(rows)));
  auto checks_in = GENERATE(true, false);
  INFO(rows[which].name);
  matrix_row at{lib + rows[which].script
                + "\necho mine >work; cd vendor/x; echo more >>f1; rm f2"};
  auto root = in_home(at, "git rev-list --max-parents=0 main");
  auto tip = in_home(at, "git rev-parse main");
  names expected{"nested/vendor-x/tree"};
  SECTION("files that are not committed") {}
  SECTION("a commit too") {
    at.in_session(
      "cd vendor/x; echo own >own; git add own; git commit -qm own\n"
      "git branch side; git tag -am t t1");
    expected.insert("nested/vendor-x/bundle");
  }
  auto result = checks_in ? at.check_in().rescued : at.rescue();
  CHECK_FALSE(leaves(result));
  auto kept = at.kept(result);
  std::erase_if(kept,
                [](const auto& name) { return !name.starts_with("nested/"); });
  CHECK(kept == expected);
  CHECK(at.in_rescue("nested/vendor-x/tree:f1") == "1\nmore");
  CHECK(run_git(at.w.upstream, {"ls-tree", "--name-only",
                                at.w.rescue_ref("nested/vendor-x/tree")})
        == "f1");
  auto message = at.in_rescue("nested/vendor-x/tree");
  CHECK_THAT(message, Catch::Contains("f2"));
  CHECK_FALSE(upstream_has(at, root));
  CHECK_FALSE(upstream_has(at, tip));
  if (expected.contains("nested/vendor-x/bundle")) {
    CHECK(from_bundle(at, "nested/vendor-x", "heads/side:own") == "own");
    CHECK_THAT(message, Catch::Contains("differ from commit"));
  }
}

TEST_CASE("what is kept of a clone names its remote without a password") {
  matrix_row at{lib + whole_clone
                + "\ncd vendor/x; git remote set-url origin "
                  "'https://me:secret@host.example/lib.git?token=secret'\n"
                  "echo own >own; git add own; git commit -qm own; echo d >d"};
  at.rescue();
  for (auto name : {"nested/vendor-x/tree", "nested/vendor-x/bundle"}) {
    auto message = at.in_rescue(name);
    CHECK_THAT(message, Catch::Contains("https://host.example/lib.git"));
    CHECK_THAT(message, !Catch::Contains("secret"));
  }
}

TEST_CASE("a clone of the session's own repository keeps its history") {
  matrix_row at{"git clone -q . copy; cd copy; echo own >own; git add own\n"
                "git commit -qm own; echo dirty >dirty"};
  auto kept = at.kept(at.rescue());
  CHECK(kept.contains("nested/copy/heads/work"));
  CHECK(at.in_rescue("nested/copy/tree:dirty") == "dirty");
  CHECK(at.in_rescue("nested/copy/tree:own") == "own");
}

TEST_CASE("repositories below ignored paths are kept") {
  matrix_row at{"echo 'ignored/' >>.gitignore; mkdir -p ignored/deep/er\n"
                "cd ignored/deep/er; git init -q -b main svc; cd svc\n"
                "echo 1 >f; git add f; git commit -qm 1; echo 2 >g"};
  auto kept = at.kept(at.check_in().rescued);
  CHECK(kept
        == names{"nested/ignored-deep-er-svc/heads/main",
                 "nested/ignored-deep-er-svc/tree"});
}

TEST_CASE("a repository that is a package of npm's is kept") {
  auto name = GENERATE(as<std::string>{}, "own", "@scope/own");
  matrix_row at{"echo node_modules >>.gitignore; mkdir -p node_modules/" + name
                + "; cd node_modules/" + name
                + "; git init -q -b main .; echo 1 >f; git add f\n"
                  "git commit -qm 1"};
  auto kept = at.kept(at.check_in().rescued);
  CHECK(kept.size() == 1);
  CHECK_THAT(*kept.begin(), Catch::EndsWith("own/heads/main"));
}

TEST_CASE("commits of submodules that are not checked out are kept") {
  auto gone =
    GENERATE(as<std::string>{}, "git submodule --quiet deinit -f vendor/x",
             "git submodule --quiet deinit -f vendor/x; git rm -qf vendor/x",
             "rm -r vendor/x");
  INFO(gone);
  matrix_row at{lib
                + "git submodule --quiet add file://$HOME/lib vendor/x\n"
                  "git commit -qm s; cd vendor/x; echo own >own; git add own\n"
                  "git commit -qm own; cd ../..\n"
                + gone};
  auto kept = at.kept(at.rescue());
  CHECK(kept.contains("nested/vendor-x/bundle"));
  CHECK(from_bundle(at, "nested/vendor-x", "heads/main:own") == "own");
}

TEST_CASE("repositories in a linked work tree are kept") {
  matrix_row at{"git worktree add -q --detach .wt; cd .wt; git init -q -b main "
                "svc; cd svc; echo 1 >f; git add f; git commit -qm 1"};
  auto kept = at.kept(at.check_in().rescued);
  CHECK(kept.contains("nested/_wt-svc/heads/main"));
}

TEST_CASE("files where a repository should be and none is are kept") {
  matrix_row at{"git update-index --add --cacheinfo "
                "160000,$(git rev-parse HEAD),sub; git commit -qm s\n"
                "mkdir -p sub/deep; echo f >sub/f; echo g >sub/deep/g\n"
                "git init -q -b main sub/svc; echo h >sub/svc/h"};
  auto result = GENERATE(true, false) ? at.check_in().rescued : at.rescue();
  CHECK_FALSE(leaves(result));
  auto kept = at.kept(result);
  CHECK(kept.contains("nested/sub/tree"));
  CHECK(at.in_rescue("nested/sub/tree:f") == "f");
  CHECK(at.in_rescue("nested/sub/tree:deep/g") == "g");
  CHECK(kept.contains("nested/sub-svc/tree"));
}

TEST_CASE("a repository that lies too deep in others is named and stays") {
  matrix_row at{"d=.; for i in $(seq 19); do d=$d/a; git init -q $d; done\n"
                "echo 1 >$d/f"};
  auto result = at.rescue();
  CHECK(leaves(result));
  check_note(result, "it lies in too many others");
}

TEST_CASE("what git cannot convert is rescued as it is") {
  struct row {
    const char* script;
    const char* file;
    std::string contents;
    const char* words;
  };
  const row rows[] = {
    {"git config core.autocrlf input; git config core.safecrlf true\n"
     "printf 'a\\r\\n' >a.c; printf 'b\\r\\n' >b.c",
     "b.c", "b\r", "'a.c'"},
    {"echo '*.u8 working-tree-encoding=UTF-16' >.gitattributes\n"
     "printf 'abc' >a.u8",
     "a.u8", "abc", "'a.u8'"},
  };
  auto which = GENERATE_COPY(range(std::size_t{0}, std::size(rows)));
  INFO(rows[which].script);
  matrix_row at{"echo 1 >other; git branch side $(git commit-tree -m side "
                "'HEAD^{tree}')\n"
                + std::string{rows[which].script}};
  auto result = at.rescue();
  CHECK(at.kept(result) == names{"heads/side", "tree"});
  CHECK(at.in_rescue("tree:other") == "1");
  CHECK(at.in_rescue(std::string{"tree:"} + rows[which].file)
        == rows[which].contents);
  check_note(result, rows[which].words);
  CHECK_FALSE(leaves(result));
}

// A cipher's clear text belongs to nobody who reads the upstream.
TEST_CASE(
  "what a filter fails at goes nowhere raw, and holds nothing else up") {
  const char* scripts[] = {
    "git config filter.bad.clean false; git config filter.bad.required true\n"
    "echo '*.sec filter=bad' >.gitattributes\n"
    "for i in $(seq 60); do echo secret >note$i.sec; done",
    "git config filter.a.clean no-such; git config filter.a.required true\n"
    "git config filter.bad.process no-such\n"
    "git config filter.bad.required true\n"
    "printf '*.sec filter=a\\n*.key filter=bad\\n' >.gitattributes\n"
    "echo secret >note.sec; echo key >k.key",
    // whose names no command line takes
    "git config filter.bad.clean false; git config filter.bad.required true\n"
    "echo '*.sec filter=bad' >.gitattributes\n"
    "in=$(printf 'd%.0s' {1..240}); mkdir $in\n"
    "for i in {1..9000}; do >$in/$i.sec; done",
  };
  auto which = GENERATE_COPY(range(std::size_t{0}, std::size(scripts)));
  INFO(scripts[which]);
  matrix_row at{"echo 1 >other\n" + std::string{scripts[which]}};
  auto result = at.rescue();
  CHECK(leaves(result));
  check_note(result, "filter");
  CHECK(at.in_rescue("tree:other") == "1");
  auto listed = at.in_rescue("tree^{tree}");
  CHECK_THAT(listed, !Catch::Contains(".sec") && !Catch::Contains(".key"));
}

TEST_CASE("of a filter that fails only changed files are left out") {
  matrix_row at{
    "git config filter.x.clean 'tr a-z n-za-m'\n"
    "git config filter.x.required true\n"
    "echo '*.sec filter=x' >.gitattributes\n"
    "for i in same changed touched; do echo $i >$i.sec\n"
    "touch -d yesterday $i.sec; done; git add -A; git commit -qm 1\n"
    "git config filter.x.clean false; echo two >changed.sec\n"
    "echo 3 >new.sec; touch touched.sec"};
  auto result = at.rescue();
  CHECK(leaves(result));
  check_note(result, "'changed.sec'");
  check_note(result, "'new.sec'");
  CHECK_THAT(*result.note, !Catch::Contains("'same.sec'"));
}

TEST_CASE("what cannot be saved holds nothing else up and stays") {
  struct row {
    const char* name;
    const char* script;
    bool leaves;
    names kept; // besides
    const char* words;
  };
  const row rows[] = {
    {"a submodule whose .git leads nowhere",
     "rm -r vendor/x/.git; echo gitdir: /nowhere >vendor/x/.git",
     false,
     {"nested/vendor-x/tree"},
     "vendor/x"},
    {"a HEAD that is rubbish",
     "echo rubbish >vendor/x/.git/HEAD",
     true,
     {"nested/vendor-x/tree"},
     "vendor/x"},
    {"objects that are gone",
     "rm -r vendor/x/.git/objects/??",
     true,
     {},
     "vendor/x"},
    {"a FIFO in its .git",
     "rm vendor/x/.git/info/exclude; mkfifo vendor/x/.git/info/exclude",
     false,
     {"nested/vendor-x/heads/main", "nested/vendor-x/tree"},
     nullptr},
    {"a file of another kind in its references",
     "mkfifo vendor/x/.git/refs/heads/pipe",
     false,
     {"nested/vendor-x/heads/main", "nested/vendor-x/tree"},
     nullptr},
  };
  auto which = GENERATE_COPY(range(std::size_t{0}, std::size(rows)));
  const auto& one = rows[which];
  INFO(one.name);
  matrix_row at{"git init -q -b main vendor/x; cd vendor/x; echo 1 >f\n"
                "git add f; git commit -qm 1; cd ../..; git add vendor/x\n"
                "git commit -qm nested 2>/dev/null; echo 2 >vendor/x/g\n"
                "git branch side $(git commit-tree -m side 'HEAD^{tree}')\n"
                "echo 1 >other\n"
                + std::string{one.script}};
  auto result = at.rescue();
  INFO(result.note.value_or("no note"));
  auto kept = at.kept(result);
  for (auto name : {"heads/side", "heads/work", "tree"})
    CHECK(kept.contains(name));
  for (const auto& name : one.kept)
    CHECK(kept.contains(name));
  if (one.kept.contains("nested/vendor-x/tree"))
    CHECK(at.in_rescue("nested/vendor-x/tree:g") == "2");
  CHECK(at.in_rescue("tree:other") == "1");
  CHECK(leaves(result) == one.leaves);
  if (one.words != nullptr)
    check_note(result, one.words);
}

TEST_CASE("a FIFO in .git does not keep the rescue from the rest") {
  matrix_row at{"git branch side $(git commit-tree -m side 'HEAD^{tree}')\n"
                "echo 1 >other; rm -f .git/packed-refs; mkfifo .git/MERGE_HEAD "
                ".git/refs/heads/pipe"};
  auto kept = at.kept(at.rescue());
  CHECK(kept.contains("heads/side"));
  CHECK(at.in_rescue("tree:other") == "1");
}

TEST_CASE("contents of Git LFS are kept wherever they are") {
  const std::string lfs =
    "cat >~/lfs <<'END'\n"
    "#!/bin/bash\n"
    "t=$(mktemp); cat >$t; o=$(sha256sum <$t | cut -c1-64)\n"
    "s=$(git config --type=path lfs.storage); s=${s:-lfs}\n"
    "[[ $s = /* ]] || s=$(git rev-parse --git-common-dir)/$s\n"
    "d=$s/objects/${o:0:2}/${o:2:2}; mkdir -p $d; cp $t $d/$o\n"
    "printf 'version https://git-lfs.github.com/spec/v1\\noid sha256:%s\\n"
    "size %s\\n' $o $(stat -c %s $t)\n"
    "END\n"
    "chmod +x ~/lfs; git config --global filter.lfs.clean '~/lfs'\n";
  const std::string add = "echo '*.bin filter=lfs' >.gitattributes\n"
                          "seq 5000 >big.bin; git add -A; git commit -qm big\n";
  struct row {
    std::string script;
    const char* name;
  };
  const row rows[] = {
    {"git worktree add -q --detach .wt; cd .wt\n" + add, "lfs"},
    {"git init -q -b main svc; cd svc\n" + add, "nested/svc/lfs"},
    {lib + whole_clone + "; cd vendor/x\n" + add, "nested/vendor-x/lfs"},
    {"git config lfs.storage ../.store\n" + add, "lfs"},
    {"git config lfs.storage '~/store'\n" + add, "lfs"},
  };
  auto which = GENERATE_COPY(range(std::size_t{0}, std::size(rows)));
  INFO(rows[which].script);
  matrix_row at{lfs + rows[which].script};
  auto kept = at.kept(at.rescue());
  REQUIRE(kept.contains(rows[which].name));
  auto commit = at.w.rescue_ref(rows[which].name);
  auto oid = run_git(at.w.upstream, {"ls-tree", "--name-only", commit});
  CHECK(at.in_rescue(rows[which].name + (':' + oid)).starts_with("1\n2\n"));
}

TEST_CASE("a repository is kept whatever its directory is called") {
  const auto name = GENERATE(as<std::string>{}, R"($'new\nline')",
                             R"($'esc\e[31m')", R"($'caf\xe9')");
  matrix_row at{"git init -q -b main " + name + "; cd " + name
                + "; echo 1 >f; git add f; git commit -qm 1; echo 2 >g"};
  auto result = GENERATE(true, false) ? at.check_in().rescued : at.rescue();
  CHECK_FALSE(leaves(result));
  std::size_t commits = 0;
  std::size_t files = 0;
  for (const auto& one : at.kept(result)) {
    commits += one.starts_with("nested/") && one.ends_with("/heads/main");
    files += one.starts_with("nested/") && one.ends_with("/tree");
  }
  CHECK(commits == 1);
  CHECK(files == 1);
}

TEST_CASE("a repository that keeps objects by SHA-256 costs its own commits") {
  matrix_row at{"git init -q -b main --object-format=sha256 svc; cd svc\n"
                "echo 1 >f; git add f; git commit -qm 1; echo 2 >g; cd ..\n"
                "git init -q -b main fine; cd fine; echo 3 >f; git add f\n"
                "git commit -qm 1; cd ..; echo 4 >other"};
  SECTION("check-in") {
    auto result = at.check_in().rescued;
    CHECK(leaves(result));
    check_note(result, "svc");
    CHECK(at.kept(result)
          == names{"nested/svc/tree", "nested/fine/heads/main"});
    CHECK(run_git(at.w.upstream, {"show", "work:other"}) == "4");
  }
  SECTION("rescue") {
    auto result = at.rescue();
    CHECK(leaves(result));
    check_note(result, "it keeps objects by sha256");
    CHECK(at.kept(result)
          == names{"tree", "nested/svc/tree", "nested/fine/heads/main"});
    CHECK(at.in_rescue("tree:other") == "4");
  }
  CHECK(at.in_rescue("nested/svc/tree:f") == "1");
  CHECK(at.in_rescue("nested/svc/tree:g") == "2");
}

TEST_CASE("a session's own repository by SHA-256 is named, and stays") {
  matrix_row at{":"};
  at.in_session("rm -rf .git; git init -q -b work --object-format=sha256\n"
                "echo 1 >mine; git add mine; git commit -qm 1");
  auto what = refusal_of([&] { at.check_in(); });
  CHECK(what.code == errc::conflict);
  CHECK_THAT(what.message, Catch::Contains("it keeps objects by sha256"));
  CHECK(refusal_of([&] { at.git().state(""); }).code == errc::conflict);
  CHECK(refusal_of([&] { at.git().diff({at.base}); }).code == errc::conflict);
  CHECK_THROWS_AS(at.rescue(), refused);
}
