#include "tests/runtime/git/fixture.hpp"

#include <unistd.h>

#include <chrono>
#include <cstdint>

using namespace greenroom;
using namespace greenroom::test;
using greenroom::git::branch_tip;
using greenroom::git::checkout_paths;
using greenroom::git::install_checkout;
using greenroom::git::make_checkout;
using greenroom::git::status;

namespace {

std::string head(const checkout_paths& place) {
  return run_git(place.checkout, {"rev-parse", "HEAD"});
}

std::string tree_of(const checkout_paths& place, const std::string& commit) {
  return run_git(place.checkout,
                 {"ls-tree", "-r", "--name-only", "-z", commit});
}

bool lists(const std::string& names, const std::string& name) {
  return ('\0' + names).find('\0' + name + '\0') != std::string::npos;
}

std::string content(const checkout_paths& place, const std::string& spec) {
  return run_git(place.checkout, {"cat-file", "-p", spec});
}

// Where the tests run as root, every file can be read: be somebody else.
class as_somebody {
public:
  /// `not_theirs` stays root's.
  explicit as_somebody(const fs::path& top,
                       const std::vector<fs::path>& not_theirs = {}) {
    if (::geteuid() != 0)
      return;
    REQUIRE(run_command({{"chown", "-R", "65534:65534", top.string()}}).ok());
    for (const auto& path : not_theirs)
      REQUIRE(::lchown(path.c_str(), 0, 0) == 0);
    REQUIRE(::seteuid(65534) == 0);
    changed_ = true;
    // git reads the configuration of a home, which must be theirs.
    home_ = std::getenv("HOME") != nullptr ? std::getenv("HOME") : "/";
    ::setenv("HOME", top.c_str(), 1);
  }
  as_somebody(const as_somebody&) = delete;
  as_somebody& operator=(const as_somebody&) = delete;
  ~as_somebody() {
    if (!changed_)
      return;
    CHECK(::seteuid(0) == 0);
    ::setenv("HOME", home_.c_str(), 1);
  }

private:
  bool changed_ = false;
  std::string home_;
};

} // namespace

TEST_CASE("a checkout has the branch, its files and its upstream") {
  world w;
  auto place = w.session("feature/x");
  const auto& top = place.checkout;
  CHECK(run_git(top, {"symbolic-ref", "HEAD"}) == "refs/heads/feature/x");
  CHECK(head(place) == w.upstream_at("refs/heads/feature/x"));
  CHECK(run_git(top, {"status", "--porcelain"}).empty());
  CHECK(read(top / "src/part1/file1.txt") == "line 1\n");
  CHECK(read(top / "Grüße/日本語 and spaces.txt") == "unicode\n");
  CHECK((fs::status(top / "bin/tool").permissions() & fs::perms::owner_exec)
        != fs::perms::none);
  CHECK(fs::read_symlink(top / "outward") == "/etc/passwd");
  CHECK(run_git(top, {"remote", "get-url", "origin"}) == w.upstream.string());
  CHECK(run_git(top, {"rev-parse", "--abbrev-ref", "origin/HEAD"})
        == "origin/main");
  CHECK(run_git(top, {"rev-parse", "origin/main"})
        == w.upstream_at("refs/heads/main"));
  CHECK(run_git(top, {"describe", "--tags", "--match", "v*", "origin/main"})
        == "v1.0");
  CHECK(run_git(top, {"rev-parse", "--abbrev-ref", "@{upstream}"})
        == "origin/feature/x");
  CHECK(fs::is_empty(top / ".git/hooks"));
  w.check_sound(top);
}

TEST_CASE("a checkout borrows its objects from the mirror") {
  world w;
  auto place = w.session("main");
  CHECK(read(place.checkout / ".git/objects/info/alternates")
        == (w.mirror.path() / "objects").string() + '\n');
  CHECK(run_git(place.checkout, {"count-objects"}) == "0 objects, 0 kilobytes");
}

TEST_CASE("a branch with an odd name is checked out like any other") {
  auto name = GENERATE(as<std::string>{}, "odd\"'$x;y&z", "ünï/日本.x",
                       "UPPER.lower", "a]b", "#x", "=x");
  CAPTURE(name);
  world w;
  run_git(w.upstream, {"branch", "--", name, "main"});
  w.mirror.fetch();
  auto place = w.session(name);
  CHECK(status(place).branch == name);
  CHECK(run_git(place.checkout, {"rev-parse", "--abbrev-ref", "@{upstream}"})
        == "origin/" + name);
  write(place.checkout / "mine", "mine\n");
  auto done =
    checkin(w.checkin_of(place, name, *w.mirror.resolve_branch(name)));
  CHECK(w.upstream_at("refs/heads/" + name) == done.commit);
}

TEST_CASE("a checkout may stand on a new branch at any commit") {
  world w;
  auto commit = *w.mirror.resolve_ref("v1.0");
  auto place = w.checkout("new/branch", commit);
  auto now = status(place);
  CHECK(now.branch == "new/branch");
  CHECK(now.head == commit);
  CHECK(now.dirty_files == 0);
  CHECK(branch_tip(place, "new/branch") == commit);
  CHECK(branch_tip(place, "main") == std::nullopt);
}

TEST_CASE("a checkout has its files as their attributes say") {
  world w;
  auto work = w.dir.path() / "elsewhere";
  run_git(w.dir.path(), {"clone", "-q", w.upstream.string(), "elsewhere"});
  write(work / "deep/er/.gitattributes", "*.bat text eol=crlf\n");
  write(work / "deep/er/run.bat", "one\ntwo\n");
  write(work / "deep/run.bat", "one\ntwo\n");
  run_git(work, {"add", "-A"});
  run_git(work, {"commit", "-qm", "Attributes"});
  run_git(work, {"push", "-q", "origin", "HEAD:refs/heads/attributes"});
  w.mirror.fetch();
  auto place = w.checkout("work", *w.mirror.resolve_branch("attributes"));
  CHECK(read(place.checkout / "deep/er/run.bat") == "one\r\ntwo\r\n");
  CHECK(read(place.checkout / "deep/run.bat") == "one\ntwo\n");
  CHECK(run_git(place.checkout, {"status", "--porcelain"}).empty());
}

TEST_CASE("making a checkout again accepts the one that is there") {
  world w;
  auto place = w.session("main");
  write(place.checkout / "mine", "mine\n");
  greenroom::git::checkout_spec spec{
    place, "main", *w.mirror.resolve_branch("main"), {}};
  make_checkout(spec);
  CHECK(read(place.checkout / "mine") == "mine\n");
  spec.branch = "feature/x";
  CHECK(refusal_of([&] { make_checkout(spec); }).code == errc::conflict);
}

TEST_CASE("a checkout half made by a crash is made again") {
  world w;
  checkout_paths place{w.dir.path() / "sessions/s/checkout", w.mirror.path()};
  auto partial = greenroom::git::unplaced(place.checkout);
  write(partial / ".git/HEAD", "rubbish");
  greenroom::git::checkout_spec spec{
    place, "main", *w.mirror.resolve_branch("main"), w.mirror.upstream_refs()};
  make_checkout(spec);
  CHECK_FALSE(fs::exists(place.checkout));
  // Until it is in its place it can be made anew at any time.
  write(partial / "rubbish", "rubbish");
  make_checkout(spec);
  install_checkout(place.checkout, true);
  CHECK(status(place).branch == "main");
  CHECK(status(place).dirty_files == 0);
  CHECK_FALSE(fs::exists(partial));
  // Again does no harm.
  write(place.checkout / "mine", "mine\n");
  make_checkout(spec);
  install_checkout(place.checkout, true);
  CHECK(read(place.checkout / "mine") == "mine\n");
}

TEST_CASE("of a checkout that cannot be made nothing is left to be placed") {
  world w;
  checkout_paths place{w.dir.path() / "sessions/s/checkout", w.mirror.path()};
  CHECK_THROWS(make_checkout({place, "main", std::string(40, 'e'), {}}));
  CHECK_FALSE(fs::exists(greenroom::git::unplaced(place.checkout)));
  CHECK_THROWS(install_checkout(place.checkout, true));
}

TEST_CASE("status counts what differs, ignored files not") {
  world w;
  auto place = w.session("main");
  write(place.checkout / "empty", "no more\n");
  write(place.checkout / "dir/a", "a");
  write(place.checkout / "dir/b", "b");
  write(place.checkout / "c.o", "ignored");
  fs::remove(place.checkout / "link");
  CHECK(status(place).dirty_files == 4);
  run_git(place.checkout, {"checkout", "-q", "--detach"});
  CHECK(status(place).branch == std::nullopt);
  CHECK(status(place).head == head(place));
}

TEST_CASE("all that was written is committed, ignored files are not") {
  world w;
  auto place = w.session("main");
  const auto& top = place.checkout;
  auto before = head(place);
  write(top / "src/part1/file1.txt", "changed\n");
  fs::remove(top / "src/part2/file2.txt");
  write(top / "new/ünï/file", "new\n");
  write(top / "staged", "staged\n");
  run_git(top, {"add", "staged"});
  write(top / "intended", "intended\n");
  write(top / "intended-empty", "");
  run_git(top, {"add", "-N", "intended", "intended-empty"});
  write(top / "x.o", "ignored");
  write(top / "build/y", "ignored");
  fs::create_symlink("/nowhere", top / "dangling");
  fs::permissions(top / "empty", fs::perms{0755});
  fs::remove(top / "link");
  write(top / "link", "a file now\n");
  fs::remove_all(top / "src/part3");
  fs::create_symlink("/etc", top / "src/part3");
  fs::remove(top / "bin/tool");
  write(top / "bin/tool/inside", "a directory now\n");

  auto done = commit_all(place, w.user, "All of it");
  CHECK(done.created);
  CHECK(done.commit == head(place));
  CHECK(run_git(top, {"rev-parse", "HEAD^"}) == before);
  CHECK(run_git(top, {"status", "--porcelain"}).empty());
  CHECK(run_git(top, {"log", "-1", "--format=%an <%ae> %cn|%B"})
        == "Session User <user@example.org> Session User|All of it\n");
  auto files = tree_of(place, "HEAD");
  CHECK(lists(files, "new/ünï/file"));
  CHECK(lists(files, "staged"));
  CHECK(lists(files, "intended-empty"));
  CHECK(content(place, "HEAD:intended") == "intended");
  CHECK(lists(files, "bin/tool/inside"));
  CHECK_FALSE(lists(files, "x.o"));
  CHECK_FALSE(lists(files, "build/y"));
  CHECK_FALSE(lists(files, "src/part2/file2.txt"));
  CHECK(content(place, "HEAD:src/part1/file1.txt") == "changed");
  CHECK(
    run_git(top, {"ls-tree", "HEAD", "src/part3", "dangling", "empty", "link"})
      .substr(0, 6)
    == "120000");
  CHECK(content(place, "HEAD:src/part3") == "/etc");
  CHECK(content(place, "HEAD:dangling") == "/nowhere");
  CHECK(run_git(top, {"ls-tree", "HEAD", "empty"}).starts_with("100755"));
  w.check_sound(top);

  auto again = commit_all(place, w.user, "Nothing new");
  CHECK_FALSE(again.created);
  CHECK(again.commit == done.commit);
}

TEST_CASE("authors with characters that git does not take are cleaned") {
  world w;
  auto place = w.session("main");
  write(place.checkout / "a", "a");
  commit_all(place, {"Eve <eve>\n", ""}, "One");
  CHECK(run_git(place.checkout, {"log", "-1", "--format=%an|%ae"})
        == "Eve eve|greenroom@localhost");
}

TEST_CASE("the first commit of an empty repository can be made") {
  world w;
  auto place = w.checkout("first", "");
  CHECK(status(place).head == std::nullopt);
  CHECK(status(place).branch == "first");
  CHECK_FALSE(commit_all(place, w.user, "Empty").created);
  auto names = saved_names(place, w.user, "Empty");
  CHECK_FALSE(names.contains("tree"));
  CHECK_FALSE(names.contains("heads/first"));
  write(place.checkout / "a", "a\n");
  CHECK(save_tree(place, w.user, "Saved"));
  auto done = commit_all(place, w.user, "First");
  CHECK(done.created);
  CHECK(branch_tip(place, "first") == done.commit);
}

TEST_CASE("a saved tree leaves HEAD, index and work tree alone") {
  world w;
  auto place = w.session("main");
  const auto& top = place.checkout;
  CHECK(save_tree(place, w.user, "Clean") == std::nullopt);
  write(top / "staged", "1\n");
  run_git(top, {"add", "staged"});
  write(top / "staged", "2\n");
  write(top / "untracked", "u\n");
  auto before = run_git(top, {"status", "--porcelain"});
  auto at = head(place);
  auto saved = save_tree(place, w.user, "Saved");
  REQUIRE(saved);
  CHECK(run_git(top, {"status", "--porcelain"}) == before);
  CHECK(head(place) == at);
  CHECK(content(place, ":staged") == "1");
  CHECK(content(place, *saved + ":staged") == "2");
  CHECK(content(place, *saved + ":untracked") == "u");
  CHECK(run_git(top, {"rev-parse", *saved + "^"}) == at);
}

TEST_CASE("a saved tree has what was changed when git had just looked") {
  world w;
  auto place = w.session("main");
  const auto file = place.checkout / "file";
  const auto index = place.checkout / ".git/index";
  // All of one moment, and of one size; of the change time nobody can say so.
  run_git(place.checkout, {"config", "core.trustctime", "false"});
  const auto then = fs::file_time_type::clock::now() - std::chrono::hours{1};
  write(file, "before\n");
  fs::last_write_time(file, then);
  run_git(place.checkout, {"add", "file"});
  run_git(place.checkout, {"commit", "-qm", "Before"});
  fs::last_write_time(index, then);
  write(file, "after!\n");
  fs::last_write_time(file, then);
  CHECK_THAT(git::diff_work(place, {head(place)}), Catch::Contains("+after!"));
  auto saved = save_tree(place, w.user, "Saved");
  REQUIRE(saved);
  CHECK(content(place, *saved + ":file") == "after!");
}

TEST_CASE("a saved tree takes what git was told to overlook") {
  world w;
  auto place = w.session("main");
  const auto& top = place.checkout;
  run_git(top, {"update-index", "--assume-unchanged", "empty"});
  run_git(top, {"update-index", "--skip-worktree", "src/part1/file1.txt",
                "src/part2/file2.txt"});
  write(top / "empty", "overlooked\n");
  write(top / "src/part1/file1.txt", "overlooked too\n");
  fs::remove(top / "src/part2/file2.txt");
  CHECK_FALSE(commit_all(place, w.user, "Nothing").created);
  auto saved = save_tree(place, w.user, "Saved");
  REQUIRE(saved);
  CHECK(content(place, *saved + ":empty") == "overlooked");
  CHECK(content(place, *saved + ":src/part1/file1.txt") == "overlooked too");
  // Not checked out on purpose: that is no deletion.
  CHECK(content(place, *saved + ":src/part2/file2.txt") == "line 2");
}

TEST_CASE("a merge in progress is not committed, but it can be saved") {
  world w;
  auto place = w.session("main");
  const auto& top = place.checkout;
  write(top / "mine", "mine\n");
  run_git(top, {"add", "-A"});
  run_git(top, {"commit", "-qm", "Mine"});
  auto mine = head(place);
  run_git(top, {"merge", "-q", "--no-ff", "--no-commit", "origin/feature/x"});
  CHECK_THROWS_AS(commit_all(place, w.user, "Merged"),
                  greenroom::git::operation_fault);
  CHECK(fs::exists(top / ".git/MERGE_HEAD"));
  auto saved = save_tree(place, w.user, "Saved");
  REQUIRE(saved);
  CHECK(run_git(top, {"log", "-1", "--format=%P", *saved})
        == mine + ' ' + w.upstream_at("refs/heads/feature/x"));
}

TEST_CASE("a merge with conflicts is not committed, but it can be saved") {
  world w;
  auto place = w.session("feature/x");
  const auto& top = place.checkout;
  auto at = head(place);
  run_git(top, {"checkout", "-q", "-b", "other", "origin/main"});
  write(top / "feature", "another\n");
  run_git(top, {"add", "-A"});
  run_git(top, {"commit", "-qm", "Another"});
  run_git(top, {"checkout", "-q", "feature/x"});
  CHECK_FALSE(try_git(top, {"merge", "-q", "other"}).ok());
  auto what = refusal_of([&] { commit_all(place, w.user, "Half"); });
  CHECK_THAT(what.message, Catch::Contains("git merge --abort"));
  CHECK(head(place) == at);
  auto saved = save_tree(place, w.user, "Saved");
  REQUIRE(saved);
  CHECK_THAT(content(place, *saved + ":feature"), Catch::Contains("<<<<<<<"));
}

TEST_CASE("a file that cannot be read is no part of a commit, and named") {
  world w;
  auto place = w.session("main");
  write(place.checkout / "secret", "secret\n");
  for (auto path : {"secret", "empty", "bin"})
    fs::permissions(place.checkout / path, fs::perms::none);
  as_somebody other{w.dir.path()};
  auto what = refusal_of([&] { commit_all(place, w.user, "All"); });
  CHECK(what.code == errc::conflict);
  for (auto path : {"secret", "empty", "bin/"})
    CHECK_THAT(what.message, Catch::Contains(path));
  fs::permissions(place.checkout / "bin", fs::perms{0755});
}

TEST_CASE("a directory that cannot be looked into is named, not left out") {
  world w;
  auto place = w.session("main");
  write(place.checkout / "new/closed/file", "mine\n");
  write(place.checkout / ".gitignore", "build/\n");
  write(place.checkout / "build/closed/file", "made\n");
  auto mode = GENERATE(0u, 0100u, 0400u);
  CAPTURE(mode);
  for (auto dir : {"new/closed", "build/closed"})
    fs::permissions(place.checkout / dir, fs::perms{mode});
  as_somebody other{w.dir.path()};
  auto what = refusal_of([&] { commit_all(place, w.user, "All"); });
  CHECK(what.code == errc::conflict);
  CHECK_THAT(what.message, Catch::Contains("new/closed/"));
  CHECK_THAT(what.message, !Catch::Contains("build"));
  for (auto dir : {"new/closed", "build/closed"})
    fs::permissions(place.checkout / dir, fs::perms{0755});
  CHECK(commit_all(place, w.user, "All").created);
}

TEST_CASE("a changed file in a directory without a way in is not committed "
          "without it") {
  world w;
  auto place = w.session("main");
  write(place.checkout / "src/part1/file1.txt", "changed\n");
  auto mode = GENERATE(0u, 0400u);
  CAPTURE(mode);
  fs::permissions(place.checkout / "src/part1", fs::perms{mode});
  as_somebody other{w.dir.path()};
  auto what = refusal_of([&] { commit_all(place, w.user, "All"); });
  CHECK(what.code == errc::conflict);
  CHECK_THAT(what.message, Catch::Contains("src/part1/"));
  fs::permissions(place.checkout / "src/part1", fs::perms{0755});
}

TEST_CASE("a saved tree has what its user has closed") {
  world w;
  auto place = w.session("main");
  const auto& top = place.checkout;
  write(top / "new/closed/file", "mine\n");
  write(top / "src/part1/file1.txt", "changed\n");
  write(top / "secret", "secret\n");
  fs::create_directory(top / "nested");
  run_git(top / "nested", {"init", "-q", "-b", "main"});
  run_git(top / "nested", {"commit", "-q", "--allow-empty", "-m", "Inside"});
  auto mode = GENERATE(0u, 0100u, 0400u);
  CAPTURE(mode);
  fs::permissions(top / "secret", fs::perms::none);
  for (auto dir : {"new/closed", "src/part1"})
    fs::permissions(top / dir, fs::perms{mode});
  as_somebody other{w.dir.path()};
  auto saved = save_work(place, w.user, "Saved");
  CHECK(saved.note == std::nullopt);
  REQUIRE(saved.names.contains("tree"));
  auto tree = saved.names["tree"];
  CHECK(content(place, tree + ":new/closed/file") == "mine");
  CHECK(content(place, tree + ":src/part1/file1.txt") == "changed");
  CHECK(content(place, tree + ":secret") == "secret");
  CHECK(saved.names.contains("nested/nested/heads/main"));
}

TEST_CASE("what is too large in a directory that was closed is named") {
  world w;
  auto place = w.session("main");
  const auto closed = place.checkout / "new/closed";
  write(closed / "large", "");
  fs::resize_file(closed / "large", std::uintmax_t{5} << 30);
  write(closed / "file", "mine\n");
  fs::permissions(closed, fs::perms::none);
  as_somebody other{w.dir.path()};
  auto saved = save_work(place, w.user, "Saved");
  REQUIRE(saved.note);
  CHECK_THAT(*saved.note, Catch::Contains("'new/closed/large' has 5 GiB"));
  REQUIRE(saved.names.contains("tree"));
  CHECK(content(place, saved.names["tree"] + ":new/closed/file") == "mine");
}

TEST_CASE("a saved tree has the rest where something cannot be read at all") {
  if (::geteuid() != 0)
    return; // whose files everything is opens it
  world w;
  auto place = w.session("main");
  const auto& top = place.checkout;
  write(top / "new/closed/file", "mine\n");
  write(top / "new/open", "open\n");
  write(top / "src/part1/file1.txt", "changed\n");
  write(top / "secret", "secret\n");
  write(top / ".gitignore", "build/\n");
  write(top / "build/closed/file", "made\n");
  auto mode = GENERATE(0u, 0101u, 0404u);
  CAPTURE(mode);
  std::vector<fs::path> closed;
  for (auto dir : {"new/closed", "src/part1", "build/closed"}) {
    fs::permissions(top / dir, fs::perms{mode});
    closed.push_back(top / dir);
  }
  fs::permissions(top / "secret", fs::perms::none);
  closed.push_back(top / "secret");
  as_somebody other{w.dir.path(), closed};
  auto saved = save_work(place, w.user, "Saved");
  REQUIRE(saved.note);
  INFO(*saved.note);
  for (auto path : {"new/closed/", "src/part1/", "secret"})
    CHECK_THAT(*saved.note, Catch::Contains(path));
  CHECK_THAT(*saved.note, !Catch::Contains("build"));
  REQUIRE(saved.names.contains("tree"));
  CHECK(content(place, saved.names["tree"] + ":new/open") == "open");
  auto names = tree_of(place, saved.names["tree"]);
  CHECK(lists(names, "src/part1/file1.txt")); // as HEAD has it
  CHECK_FALSE(lists(names, "new/closed/file"));
}

TEST_CASE("an answer of git's that was cut off is none") {
  world w;
  const git::repo in{w.session("main").checkout, {}};
  git::git_call call{{"ls-files"}};
  CHECK(in.find(call) == in.ask(call, "list files"));
  call.max_output = 100;
  CHECK_THROWS_AS(in.ask(call, "list files"), git::checkout_fault);
  CHECK_THROWS_AS(in.find(call), git::checkout_fault);
}

TEST_CASE("a lock that a killed git left holds neither commit nor rescue up") {
  world w;
  auto place = w.session("main");
  auto lock = GENERATE(as<std::string>{}, "index.lock", "HEAD.lock",
                       "refs/heads/main.lock", "packed-refs.lock");
  CAPTURE(lock);
  write(place.checkout / "a", "a");
  write(place.checkout / ".git" / lock, "");
  CHECK(save_tree(place, w.user, "Saved"));
  CHECK(status(place).dirty_files == 1);
  CHECK(commit_all(place, w.user, "All").created);
  CHECK_FALSE(fs::exists(place.checkout / ".git" / lock));
  CHECK(run_git(place.checkout, {"status", "--porcelain"}).empty());
}

TEST_CASE("all that has a name is found: branches, tags, stashes, HEAD") {
  world w;
  auto place = w.session("main");
  const auto& top = place.checkout;
  auto main = head(place);
  run_git(top, {"branch", "side"});
  run_git(top, {"tag", "-a", "-m", "mine", "mine"});
  for (const auto* text : {"1\n", "2\n"}) {
    write(top / "empty", text);
    run_git(top, {"stash", "-q"});
  }
  run_git(top, {"checkout", "-q", "--detach"});
  run_git(top, {"commit", "-q", "--allow-empty", "-m", "Detached"});
  auto found = saved_names(place, w.user, "Saved");
  CHECK(found["heads/main"] == main);
  CHECK(found["heads/side"] == main);
  CHECK(found["tags/mine"] == run_git(top, {"rev-parse", "mine"}));
  CHECK(found["stash"] == run_git(top, {"rev-parse", "stash@{0}"}));
  CHECK(found["stash-1"] == run_git(top, {"rev-parse", "stash@{1}"}));
  CHECK(found["detached"] == head(place));
}

TEST_CASE("a large checkout is made quickly") {
  world w;
  for (int i = 0; i < 1200; ++i)
    write(w.work() / "many" / std::to_string(i), std::to_string(i));
  run_git(w.work(), {"add", "-A"});
  run_git(w.work(), {"commit", "-qm", "Many"});
  run_git(w.work(), {"push", "-q", "origin", "main"});
  w.mirror.fetch();
  auto begin = std::chrono::steady_clock::now();
  auto place = w.session("main");
  auto took = std::chrono::steady_clock::now() - begin;
  CHECK(took < std::chrono::seconds{30}); // ordinarily 0.3 s
  CHECK(status(place).dirty_files == 0);
}
