// What the server asks of a session's checkout, and what it believes.
#include "runtime/git/session/branch_position.hpp"
#include "tests/runtime/git/fixture.hpp"

#include <sys/stat.h>

#include <algorithm>

using namespace greenroom;
using namespace greenroom::test;
using greenroom::git::checkout_paths;
using greenroom::git::find_branch;
using greenroom::git::merge_answer;
using greenroom::git::named_object;
using greenroom::git::sandboxed_git;

namespace {

std::string commit(const fs::path& top, const std::string& file,
                   const std::string& text) {
  write(top / file, text);
  run_git(top, {"add", "-A"});
  run_git(top, {"commit", "-qm", file});
  return run_git(top, {"rev-parse", "HEAD"});
}

// A program in the place of greenroom-git that says what it is told to.
struct liar {
  explicit liar(const std::string& script) {
    auto path = w.dir.path() / "liar";
    write(path, "#!/bin/sh\n" + script + "\n");
    fs::permissions(path, fs::perms{0755});
    w.tools.program = path;
    git.emplace(w.in(place));
  }

  world w;
  checkout_paths place = w.session("main");
  std::optional<sandboxed_git> git;
};

bool confined(const world& w) {
  return w.tools.host->config.mode == sandbox_mode::bubblewrap;
}

} // namespace

TEST_CASE("the state of a checkout is told beside the upstream") {
  world w;
  auto place = w.session("main");
  auto base = w.upstream_at("refs/heads/main");
  auto clean = w.in(place).state(base);
  CHECK(clean.head == base);
  CHECK(clean.branch == "main");
  CHECK(clean.dirty_files == 0);
  CHECK(clean.ahead == 0u);
  CHECK(clean.behind == 0u);

  commit(place.checkout, "one", "1\n");
  auto head = commit(place.checkout, "two", "2\n");
  write(place.checkout / "dirty", "dirty\n");
  auto moved = w.move_upstream("main", "news");
  w.mirror.fetch();
  auto apart = w.in(place).state(moved);
  CHECK(apart.head == head);
  CHECK(apart.dirty_files == 1);
  CHECK(apart.ahead == 2u);
  CHECK(apart.behind == 1u);

  run_git(place.checkout, {"checkout", "-q", "--detach"});
  auto detached = w.in(place).state("");
  CHECK(detached.branch == std::nullopt);
  CHECK(detached.ahead == std::nullopt);
}

TEST_CASE("the state names what an end keeps, and what git is in the middle "
          "of") {
  world w;
  auto place = w.session("main");
  CHECK_FALSE(w.in(place).state("").operation);
  run_git(place.checkout, {"branch", "side"});
  auto now = w.in(place).state("");
  REQUIRE(now.named);
  CHECK(std::ranges::count(*now.named, "branch side", &named_object::holds)
        == 1);
  run_git(place.checkout, {"bisect", "start"});
  auto sentence = w.in(place).state("").operation;
  REQUIRE(sentence);
  CHECK_THAT(*sentence, Catch::Contains("a bisect is under way"));
}

TEST_CASE("a repository with more branches than an answer takes has a state") {
  world w;
  auto place = w.session("main");
  const auto head = run_git(place.checkout, {"rev-parse", "HEAD"});
  auto refs = head + " refs/heads/main\n";
  for (int i = 0; i < 60'000; ++i)
    refs +=
      head + " refs/heads/" + std::string(100, 'x') + std::to_string(i) + '\n';
  write(place.checkout / ".git/packed-refs", refs);
  auto now = w.in(place).state("");
  CHECK(now.branch == "main");
  CHECK_FALSE(now.named);
}

TEST_CASE("asking changes nothing in the checkout") {
  world w;
  auto place = w.session("main");
  auto base = w.upstream_at("refs/heads/main");
  commit(place.checkout, "one", "mine\n");
  write(w.work() / "one", "theirs\n");
  auto moved = w.move_upstream("main", "news");
  w.mirror.fetch();
  write(place.checkout / "empty", "changed\n");
  auto files = [&] {
    auto all =
      run_command({{"find", ".", "-printf", "%p %s %T@ %m\n"}, place.checkout});
    REQUIRE(all.ok());
    return all.out;
  };
  auto before = files();
  w.in(place).state(moved);
  w.in(place).diff({base});
  CHECK(w.in(place).forecast_merge("main", moved).answer
        == merge_answer::conflict);
  CHECK(files() == before);
}

TEST_CASE("a checkout is clean at once to those who see another owner") {
  world w;
  if (!confined(w)) {
    WARN("no sandbox on this machine: everybody sees the same owner");
    return;
  }
  auto place = w.session("main");
  CHECK_THAT(run_git(place.checkout, {"ls-files", "--debug", "empty"}),
             Catch::Contains("uid: " + std::to_string(sandbox::user_id)
                             + "\tgid: " + std::to_string(sandbox::user_id)));
  CHECK(w.in(place).state("").dirty_files == 0);
  CHECK(run_git(place.checkout, {"status", "--porcelain"}).empty());
}

TEST_CASE("a diff has commits, changes and new files, ignored ones not") {
  world w;
  auto place = w.session("main");
  auto base = w.upstream_at("refs/heads/main");
  CHECK(w.in(place).diff({base}).empty());
  commit(place.checkout, "committed", "in a commit\n");
  write(place.checkout / "empty", "not empty\n");
  write(place.checkout / "new/file", "untracked\n");
  write(place.checkout / "x.o", "ignored\n");
  fs::remove(place.checkout / "src/part0/file0.txt");
  auto text = w.in(place).diff({base});
  for (const auto* line : {"+in a commit\n", "+not empty\n", "+untracked\n",
                           "-line 0\n", "diff --git a/new/file b/new/file\n"})
    CHECK_THAT(text, Catch::Contains(line));
  CHECK(text.find("ignored") == std::string::npos);
  // It is a patch that git takes.
  auto patch = w.dir.path() / "patch";
  write(patch, text);
  run_git(w.work(), {"apply", "--index", patch.string()});
  CHECK(read(w.work() / "new/file") == "untracked\n");
}

TEST_CASE("a diff shows what check-in would keep once attributes are gone") {
  world w;
  auto place = w.session("main");
  write(place.checkout / ".gitattributes", "*.c text\n");
  run_git(place.checkout, {"add", ".gitattributes"});
  fs::remove(place.checkout / ".gitattributes");
  write(place.checkout / "a.c", "one\r\n");
  auto base = head_of(place.checkout);
  auto diff = w.in(place).diff({base});
  CHECK_THAT(diff,
             Catch::Contains("+one\r\n") && !Catch::Contains(".gitattributes"));
}

TEST_CASE("a diff that is too long is cut at a line and says so") {
  world w;
  auto place = w.session("main");
  std::string line(99, 'x');
  std::string text;
  for (int i = 0; i < 60'000; ++i)
    text += line + '\n';
  write(place.checkout / "long", text);
  auto diff = w.in(place).diff({w.upstream_at("refs/heads/main")});
  CHECK(diff.size() > 4'000'000);
  CHECK(diff.size() < (4 << 20) + 100);
  CHECK(diff.ends_with('+' + line
                       + "\n\n(cut here: the diff is longer than 4 MiB)\n"));
}

TEST_CASE("a merge is foretold") {
  world w;
  auto place = w.session("feature/x");
  auto main = w.upstream_at("refs/heads/main");
  auto feature = w.upstream_at("refs/heads/feature/x");
  auto ask = [&](const std::string& target) {
    return w.in(place).forecast_merge("feature/x", target);
  };
  CHECK(ask(main).answer == merge_answer::fast_forward);
  CHECK(ask(main).commit == feature);
  CHECK(ask(feature).answer == merge_answer::up_to_date);
  auto moved = w.move_upstream("main", "news");
  w.mirror.fetch();
  CHECK(ask(moved).answer == merge_answer::clean);
  auto mine = commit(place.checkout, "news", "mine\n");
  auto clash = ask(moved);
  CHECK(clash.answer == merge_answer::conflict);
  CHECK(clash.files == std::vector<std::string>{"news"});
  CHECK(clash.commit == mine);
  // What is not committed is no part of it.
  run_git(place.checkout, {"reset", "-q", "--soft", "HEAD^"});
  CHECK(ask(moved).answer == merge_answer::clean);
}

TEST_CASE("a branch without history in common is a conflict without files") {
  world w;
  auto place = w.session("main");
  run_git(place.checkout, {"checkout", "-q", "--orphan", "fresh"});
  run_git(place.checkout, {"commit", "-qm", "Fresh"});
  auto found =
    w.in(place).forecast_merge("fresh", w.upstream_at("refs/heads/main"));
  CHECK(found.answer == merge_answer::conflict);
  CHECK(found.files.empty());
  CHECK(w.in(place).forecast_merge("none", found.commit).commit.empty());
}

TEST_CASE("check-in works without a sandbox too") {
  world w;
  w.tools = unconfined();
  auto place = w.session("main");
  write(place.checkout / "dirty", "dirty\n");
  auto done =
    checkin(w.checkin_of(place, "main", w.upstream_at("refs/heads/main")));
  CHECK(w.upstream_at("refs/heads/main") == done.commit);
}

TEST_CASE("names that git takes and we do not are rescued as commits") {
  world w;
  auto place = w.session("main");
  auto tip = commit(place.checkout, "mine", "mine\n");
  auto heads = place.checkout / ".git/refs/heads";
  run_git(place.checkout, {"checkout", "-q", "--detach"});
  run_git(place.checkout, {"reset", "-q", "--hard", "HEAD^"});
  fs::remove(heads / "main");
  for (const auto* odd : {"-x", "\xff", "@"})
    write(heads / odd, tip + '\n');
  auto saved = rescue(w.rescue_of(place));
  CHECK(names_of(saved)
        == std::vector<std::string>{w.rescue_ref("odd/" + tip)});
  CHECK(w.upstream_at(saved.refs.at(0).ref) == tip);
}

TEST_CASE("what looks into a session sees nothing outside of it") {
  liar l{R"(
for path in "$SECRET" /root /home/*/* ; do
  [ -r "$path" ] && [ "$path" != "/home/greenroom/*" ] && seen="$seen $path"
done
touch "$CANARY"
: > inside
echo "seen:$seen" >&2
exit 3)"};
  if (!confined(l.w)) {
    WARN("no sandbox on this machine: nothing to see");
    return;
  }
  auto secret = l.w.dir.path() / "secret";
  auto canary = l.w.dir.path() / "canary";
  write(secret, "secret\n");
  auto script = read(l.w.tools.program);
  for (const auto& [name, path] :
       {std::pair{"$SECRET", secret}, std::pair{"$CANARY", canary}})
    script.replace(script.find(name), 7, path.string());
  write(l.w.tools.program, script);
  auto what = refusal_of([&] { l.git->state(""); });
  CHECK(what.message == "seen:");
  CHECK_FALSE(fs::exists(canary));
  CHECK(fs::exists(l.place.checkout / "inside"));
}

TEST_CASE("answers that are no answers are not believed") {
  const std::string id(40, 'a');
  auto script = GENERATE_COPY(
    as<std::string>{}, "true", "echo rubbish", "echo '[1]'", "echo '{}'",
    R"(echo '{"tip":"xyz","named":[]}')",
    R"(echo '{"tip":"../../x","named":[]}')", R"(echo '{"tip":5,"named":[]}')",
    "echo '{\"tip\":null,\"named\":[{\"name\":\"../x\",\"id\":\"" + id
      + "\",\"holds\":\"\"}]}'",
    "echo '{\"tip\":null,\"named\":[{\"name\":\"heads/../x\",\"id\":\"" + id
      + "\",\"holds\":\"\"}]}'",
    "echo '{\"tip\":null,\"named\":[{\"name\":\"stash-1/x\",\"id\":\"" + id
      + "\",\"holds\":\"\"}]}'",
    "yes | head -c 20000000", "exit 1", "exit 125", "kill -9 $$");
  CAPTURE(script);
  liar l{script};
  CHECK_THROWS_AS(l.git->save({l.w.user, {}, "main", "Message", "Rescue"}),
                  std::exception);
  CHECK_THROWS_AS(checkin(l.w.checkin_of(l.place, "main",
                                         *l.w.mirror.resolve_branch("main"))),
                  std::exception);
  CHECK(l.w.upstream_at("refs/heads/main")
        == *l.w.mirror.resolve_branch("main"));
}

TEST_CASE("a good answer in the form of those above is believed") {
  liar l{"echo '{\"tip\":null,\"complete\":true,"
         "\"named\":[{\"name\":\"stash-1\",\"id\":\""
         + std::string(40, 'a') + "\",\"holds\":\"\"}]}'"};
  auto saved = l.git->save({l.w.user, {}, "main", "Message", "Rescue"});
  CHECK(saved.named.size() == 1);
}

TEST_CASE("a sentence from a session is one plain line") {
  liar l{R"(printf 'first\033[2J\tline\nsecond' >&2; exit 3)"};
  CHECK(refusal_of([&] { l.git->diff({}); }).message == "first [2J line");
}

TEST_CASE("a pack that is no pack stays out of the mirror") {
  liar l{"echo '{\"complete\":true,\"named\":[{\"name\":\"tree\",\"id\":\""
         + std::string(40, 'a')
         + "\",\"holds\":\"\"}]}'; head -c 100000 /dev/urandom"};
  auto what = refusal_of([&] { rescue(l.w.rescue_of(l.place)); });
  CHECK(what.code == errc::conflict);
  CHECK_THAT(what.message, Catch::Contains("not sound"));
  CHECK(l.w.mirror.ref(l.w.rescue_ref("tree")) == std::nullopt);
}

// -- the branch, read from its files ------------------------------------------

TEST_CASE("a branch's position is read from loose and packed references") {
  world w;
  auto place = w.session("feature/x");
  auto at = w.upstream_at("refs/heads/feature/x");
  auto found = find_branch(place.checkout, "feature/x");
  CHECK(found.commit == at);
  CHECK(found.checked_out);
  run_git(place.checkout, {"branch", "feature/xy"});
  run_git(place.checkout, {"branch", "x"});
  run_git(place.checkout, {"pack-refs", "--all"});
  CHECK(find_branch(place.checkout, "feature/x").commit == at);
  CHECK(find_branch(place.checkout, "x").commit == at);
  CHECK_FALSE(find_branch(place.checkout, "x").checked_out);
  CHECK(find_branch(place.checkout, "eature/x").commit == std::nullopt);
  auto next = commit(place.checkout, "next", "next\n");
  CHECK(find_branch(place.checkout, "feature/x").commit == next);
  run_git(place.checkout, {"symbolic-ref", "refs/heads/y", "refs/heads/x"});
  CHECK(find_branch(place.checkout, "y").commit == at);
}

TEST_CASE("a branch's files lead nowhere and hold nobody up") {
  world w;
  auto place = w.session("main");
  auto outside = w.dir.path() / "outside";
  write(outside, std::string(40, 'a') + '\n');
  auto file = place.checkout / ".git/refs/heads/main";
  fs::remove(file);
  auto expect_nothing = [&] {
    CHECK(find_branch(place.checkout, "main").commit == std::nullopt);
  };
  SECTION("a link") {
    fs::create_symlink(outside, file);
    expect_nothing();
  }
  SECTION("a linked directory") {
    fs::remove_all(file.parent_path());
    write(w.dir.path() / "dir/main", std::string(40, 'a') + '\n');
    fs::create_symlink(w.dir.path() / "dir", file.parent_path());
    expect_nothing();
  }
  SECTION("a FIFO") {
    REQUIRE(::mkfifo(file.c_str(), 0600) == 0);
    expect_nothing();
  }
  SECTION("a name that leads out") {
    write(file, "ref: refs/../../../../outside\n");
    expect_nothing();
  }
  SECTION("a circle") {
    write(file, "ref: refs/heads/main\n");
    expect_nothing();
  }
  SECTION("a linked .git") {
    fs::rename(place.checkout / ".git", w.dir.path() / "git");
    fs::create_symlink(w.dir.path() / "git", place.checkout / ".git");
    expect_nothing();
  }
  SECTION("a name that attacks") {
    CHECK(find_branch(place.checkout, "../../../outside").commit
          == std::nullopt);
  }
}
