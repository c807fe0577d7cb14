#include "runtime/base/fd.hpp"
#include "tests/runtime/git/fixture.hpp"
#include "tests/support/eventually.hpp"

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <future>

using namespace greenroom;
using namespace greenroom::test;
using greenroom::git::mirror;
using greenroom::git::push_outcome;

namespace {

// A pack, as a session would send it, made by git from any repository.
unique_fd pack_of(const fs::path& repository, const std::string& revisions) {
  auto list = repository / "pack-list";
  write(list, revisions);
  command what;
  what.argv = {"git", "pack-objects", "--revs", "--stdout", "-q"};
  what.cwd = repository;
  unique_fd input{::open(list.c_str(), O_RDONLY | O_CLOEXEC)};
  what.stdin_fd = input.get();
  auto result = run_command(what);
  REQUIRE(result.ok());
  auto path = repository / "pack-data";
  write(path, result.out);
  return unique_fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
}

bool has_leftovers(const mirror& m) {
  for (const auto& entry : fs::directory_iterator{m.path() / "objects"})
    if (entry.path().filename().string().starts_with("incoming-"))
      return true;
  return false;
}

bool has_object(const mirror& m, const std::string& id) {
  return try_git(m.path(), {"cat-file", "-e", id}).ok();
}

std::string hash_object(const fs::path& repository, const std::string& kind,
                        const std::string& content) {
  write(repository / "object-data", content);
  return run_git(repository, {"hash-object", "-w", "--literally", "-t", kind,
                              (repository / "object-data").string()});
}

std::string bytes_of(const std::string& hex) {
  std::string result;
  for (std::size_t i = 0; i < hex.size(); i += 2)
    result += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  return result;
}

} // namespace

TEST_CASE("a mirror has the upstream's branches and tags after a fetch") {
  world w;
  CHECK(w.mirror.resolve_branch("main") == w.upstream_at("refs/heads/main"));
  CHECK(w.mirror.resolve_branch("feature/x")
        == w.upstream_at("refs/heads/feature/x"));
  CHECK(w.mirror.resolve_branch("nope") == std::nullopt);
  CHECK(w.mirror.resolve_branch("v1.0") == std::nullopt);
  w.check_sound(w.mirror.path());
  CHECK(fs::is_empty(w.mirror.path() / "hooks"));
}

TEST_CASE("from_ref may be a branch, a tag or a commit id") {
  world w;
  auto main = w.upstream_at("refs/heads/main");
  CHECK(w.mirror.resolve_ref("main") == main);
  CHECK(w.mirror.resolve_ref("light") == main);
  CHECK(w.mirror.resolve_ref("v1.0") == main);
  CHECK(w.mirror.resolve_ref(main) == main);
  CHECK(w.mirror.resolve_ref(main.substr(0, 7)) == main);
  CHECK(w.mirror.resolve_ref(main.substr(0, 6)) == std::nullopt);
  CHECK(w.mirror.resolve_ref(std::string(40, '1')) == std::nullopt);
  CHECK(w.mirror.resolve_ref("nope") == std::nullopt);
  // A tree is no commit.
  CHECK(w.mirror.resolve_ref(run_git(w.work(), {"rev-parse", "main^{tree}"}))
        == std::nullopt);
}

TEST_CASE("opening a mirror again keeps it, and sweeps what a crash left") {
  world w;
  auto left = w.mirror.path() / "objects/incoming-crashed/pack";
  fs::create_directories(left);
  write(left / "tmp_pack", "half");
  auto again = mirror::open_or_create(w.mirror.path(), w.upstream.string());
  CHECK(again.resolve_branch("main") == w.upstream_at("refs/heads/main"));
  CHECK_FALSE(has_leftovers(again));
}

TEST_CASE("a mirror half made by a crash is made again") {
  world w;
  auto path = w.dir.path() / "repos/other.git";
  write(path.string() + ".partial/HEAD", "rubbish");
  auto other = mirror::open_or_create(path, w.upstream.string());
  other.fetch();
  CHECK(other.resolve_branch("main") == w.upstream_at("refs/heads/main"));
  CHECK_FALSE(fs::exists(path.string() + ".partial"));
}

TEST_CASE("upstreams that would run something are refused") {
  temp_dir dir;
  for (const auto* bad :
       {"ext::sh -c 'touch canary'", "--upload-pack=touch canary",
        "ssh://-oProxyCommand=x/y", "https://me:secret@host/x"}) {
    auto what =
      refusal_of([&] { mirror::open_or_create(dir.path() / "x.git", bad); });
    CHECK(what.code == errc::bad_request);
    CHECK(what.message.find("secret") == std::string::npos);
  }
  CHECK_FALSE(fs::exists(dir.path() / "x.git"));
}

TEST_CASE("an upstream that cannot be reached is named as the reason") {
  temp_dir dir;
  auto gone = mirror::open_or_create(dir.path() / "a.git", "/nonexistent/x");
  auto what = refusal_of([&] { gone.fetch(); });
  CHECK(what.code == errc::unavailable);
  CHECK_THAT(what.message, Catch::Contains("/nonexistent/x"));
  CHECK(gone.resolve_branch("main") == std::nullopt);

  auto closed =
    mirror::open_or_create(dir.path() / "b.git", "http://127.0.0.1:1/x.git");
  CHECK(refusal_of([&] { closed.fetch(); }).code == errc::unavailable);
  const auto tree = run_git(dir.path() / "b.git", {"write-tree"});
  const auto commit =
    run_git(dir.path() / "b.git", {"commit-tree", "-m", "A", tree});
  CHECK(refusal_of([&] { closed.push("main", commit, std::nullopt); }).code
        == errc::unavailable);
}

TEST_CASE("an empty upstream is fine") {
  temp_dir dir;
  auto upstream = dir.path() / "empty.git";
  run_git(dir.path(), {"init", "-q", "--bare", upstream.string()});
  auto empty = mirror::open_or_create(dir.path() / "m.git", upstream.string());
  empty.fetch();
  CHECK(empty.upstream_refs().empty());
  CHECK(empty.tips().empty());
}

TEST_CASE("a fetch prunes the upstream's references and never ours") {
  world w;
  auto feature = *w.mirror.resolve_branch("feature/x");
  auto kept = w.rescue_ref("heads/feature/x");
  w.mirror.set_ref(kept, feature);
  w.mirror.set_ref("refs/heads/feature/x", feature);
  run_git(w.upstream, {"branch", "-D", "feature/x"});
  run_git(w.upstream, {"tag", "-d", "light"});
  auto moved = w.move_upstream("main", "news");
  w.mirror.fetch();
  CHECK(w.mirror.resolve_branch("feature/x") == std::nullopt);
  CHECK(w.mirror.resolve_ref("light") == std::nullopt);
  CHECK(w.mirror.resolve_branch("main") == moved);
  CHECK(w.mirror.ref(kept) == feature);
  CHECK(w.mirror.ref("refs/heads/feature/x") == feature);
  CHECK(has_object(w.mirror, feature));
}

TEST_CASE("locks that a killed git left do not hold a fetch up") {
  world w;
  auto moved = w.move_upstream("main", "news");
  write(w.mirror.path() / "refs/upstream/heads/main.lock", "");
  write(w.mirror.path() / "packed-refs.lock", "");
  w.mirror.fetch();
  CHECK(w.mirror.resolve_branch("main") == moved);
  write(w.mirror.path() / "refs/heads/t.lock", "");
  CHECK_THROWS(w.mirror.set_ref("refs/heads/t", moved));
  mirror::open_or_create(w.mirror.path(), w.upstream.string());
  w.mirror.set_ref("refs/heads/t", moved);
  CHECK(w.mirror.ref("refs/heads/t") == moved);
}

TEST_CASE("fetches and pushes at the same time do not disturb each other") {
  world w;
  auto main = *w.mirror.resolve_branch("main");
  std::vector<std::future<void>> all;
  for (int i = 0; i < 4; ++i) {
    all.push_back(std::async(std::launch::async, [&] { w.mirror.fetch(); }));
    all.push_back(std::async(std::launch::async, [&, i] {
      w.mirror.push("branch" + std::to_string(i), main, std::nullopt);
    }));
  }
  for (auto& each : all)
    CHECK_NOTHROW(each.get());
  for (int i = 0; i < 4; ++i)
    CHECK(w.mirror.resolve_branch("branch" + std::to_string(i)) == main);
}

TEST_CASE("a fetch follows a branch that became a directory of branches") {
  world w;
  run_git(w.upstream, {"branch", "-m", "feature/x", "feature"});
  w.mirror.fetch();
  CHECK(w.mirror.resolve_branch("feature"));
  CHECK_FALSE(w.mirror.resolve_branch("feature/x"));
}

TEST_CASE("ancestry is told from the mirror's commits") {
  world w;
  auto main = *w.mirror.resolve_branch("main");
  auto feature = *w.mirror.resolve_branch("feature/x");
  CHECK(w.mirror.is_ancestor(main, feature));
  CHECK(w.mirror.is_ancestor(main, main));
  CHECK_FALSE(w.mirror.is_ancestor(feature, main));
  CHECK_FALSE(w.mirror.is_ancestor(std::string(40, '1'), main));
}

TEST_CASE("of many commits is told which came before others") {
  world w;
  auto main = *w.mirror.resolve_branch("main");
  auto feature = *w.mirror.resolve_branch("feature/x");
  auto tree = run_git(w.mirror.path(), {"rev-parse", main + "^{tree}"});
  std::vector<std::string> all{main, feature, tree, std::string(40, '1')};
  using ids = std::set<std::string>;
  CHECK(w.mirror.reached_from({feature}, all) == ids{main, feature});
  CHECK(w.mirror.reached_from({main}, all) == ids{main});
  CHECK(w.mirror.reached_from(w.mirror.upstream_tips(), all)
        == ids{main, feature});
  CHECK(w.mirror.reached_from({}, all).empty());
  CHECK(w.mirror.reached_from({main}, {}).empty());
}

TEST_CASE("a look at the history ends once its caller has to stop") {
  world w;
  const auto main = *w.mirror.resolve_branch("main");
  const auto feature = *w.mirror.resolve_branch("feature/x");
  const auto grafts = w.mirror.path() / "info/grafts"; // holds git up
  fs::create_directories(grafts.parent_path());
  REQUIRE(::mkfifo(grafts.c_str(), 0600) == 0);
  unique_fd stop{::eventfd(1, EFD_CLOEXEC)};
  CHECK_THROWS_WITH(w.mirror.until(stop.get()).reached_from({main}, {feature}),
                    Catch::Contains("other projects wait"));
}

TEST_CASE("the commit of an id is pushed, whatever branches are called") {
  world w;
  const auto wanted = w.upstream_at("refs/heads/feature/x");
  const auto other = w.upstream_at("refs/heads/main");
  REQUIRE(wanted != other);
  // As a check-in of a branch with that name would leave it.
  w.mirror.set_ref("refs/heads/" + wanted, other);
  CHECK(w.mirror.push("new", wanted, std::nullopt) == push_outcome::ok);
  CHECK(w.upstream_at("refs/heads/new") == wanted);
}

TEST_CASE("what the upstream has beside branches and tags is asked for by how "
          "its names begin") {
  world w;
  const auto id = w.upstream_at("refs/heads/main");
  for (const std::string name :
       {"refs/pull/1/head", "refs/pull/17/head", "refs/stash",
        "refs/remotes/other/main", "refs/greenroom/rescue/x/tree"})
    run_git(w.upstream, {"update-ref", name, id});
  using ids = std::map<std::string, std::string>;
  w.mirror.fetch_asked("refs/pull/1");
  CHECK(w.mirror.asked_refs()
        == ids{{"pull/1/head", id}, {"pull/17/head", id}});
  w.mirror.fetch_asked("refs/none");
  run_git(w.upstream, {"update-ref", "-d", "refs/pull/17/head"});
  w.mirror.fetch_asked("refs/");
  CHECK(w.mirror.asked_refs()
        == ids{{"pull/1/head", id}, {"remotes/other/main", id}, {"stash", id}});
  CHECK(w.mirror.refs_below("refs/greenroom/asked/heads/").empty());
  CHECK(w.mirror.refs_below("refs/greenroom/asked/greenroom/").empty());
  // Of a wider name no branch is one.
  w.mirror.fetch_asked("refs/h");
  CHECK(w.mirror.refs_below("refs/greenroom/asked/heads/").empty());
  run_git(w.upstream, {"update-ref", "-d", "refs/stash"});
  w.mirror.fetch_asked("refs/stash");
  CHECK(w.mirror.asked_refs()
        == ids{{"pull/1/head", id}, {"remotes/other/main", id}});
}

TEST_CASE("a fetch ends once its caller has to stop") {
  world w;
  auto now = w.move_upstream("main", "new");
  unique_fd stop{::eventfd(0, EFD_CLOEXEC)};
  auto until = w.mirror.until(stop.get());
  REQUIRE(::eventfd_write(stop.get(), 1) == 0);
  CHECK_THROWS_AS(until.fetch(), refused);
  CHECK_THROWS_AS(until.fetch_head(), refused);
  CHECK_THROWS_AS(until.fetch_asked("refs/heads/main"), refused);
  CHECK(w.mirror.resolve_branch("main") != now);
  w.mirror.fetch(); // is nobody's upstream to be left alone
  CHECK(w.mirror.resolve_branch("main") == now);
}

TEST_CASE("a check of a pack ends once its caller has to stop") {
  world w;
  unique_fd stop{::eventfd(0, EFD_CLOEXEC)};
  auto until = w.mirror.until(stop.get());
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  unique_fd from{ends[0]};
  unique_fd nothing_comes{ends[1]};
  REQUIRE(::eventfd_write(stop.get(), 1) == 0);
  CHECK_THROWS_AS(until.import_pack(from.get(), {}), refused);
  CHECK_FALSE(has_leftovers(w.mirror));
}

TEST_CASE("who has to stop waits for no other fetch") {
  world w;
  unique_fd stop{::eventfd(0, EFD_CLOEXEC)};
  auto until = w.mirror.until(stop.get());
  unique_fd other{
    ::open(w.mirror.path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  REQUIRE(::flock(other.get(), LOCK_EX) == 0);
  auto pushed = std::async(std::launch::async, [&] {
    until.push("new", *w.mirror.resolve_branch("main"), std::nullopt);
  });
  await("the upstream has it", [&] {
    return try_git(w.upstream, {"rev-parse", "refs/heads/new"}).ok();
  });
  REQUIRE(::eventfd_write(stop.get(), 1) == 0);
  CHECK(pushed.wait_for(timeout) == std::future_status::ready);
  other.reset();
  pushed.wait();
  // Who has not to stop waits for its turn, and then knows all.
  w.mirror.fetch();
  CHECK(w.mirror.resolve_branch("new") == w.mirror.resolve_branch("main"));
}

TEST_CASE("a push goes through only where the upstream is as expected") {
  world w;
  auto main = *w.mirror.resolve_branch("main");
  auto feature = *w.mirror.resolve_branch("feature/x");
  CHECK(w.mirror.push("new", main, std::nullopt) == push_outcome::ok);
  CHECK(w.upstream_at("refs/heads/new") == main);
  CHECK(w.mirror.resolve_branch("new") == main);
  CHECK(w.mirror.ref("refs/heads/new") == main);
  // Again, as after a crash: nothing to do is well done.
  CHECK(w.mirror.push("new", main, std::nullopt) == push_outcome::ok);
  CHECK(w.mirror.push("new", feature, std::nullopt) == push_outcome::moved);
  CHECK(w.mirror.push("new", feature, main) == push_outcome::ok);

  auto moved = w.move_upstream("main", "news");
  CHECK(w.mirror.push("main", feature, main) == push_outcome::moved);
  CHECK(w.upstream_at("refs/heads/main") == moved);
}

TEST_CASE("a push clears what the upstream's new branch makes stale here") {
  world w;
  auto main = *w.mirror.resolve_branch("main");
  CHECK(w.mirror.push("topic", main, std::nullopt) == push_outcome::ok);
  run_git(w.upstream, {"branch", "-D", "topic"});
  CHECK(w.mirror.push("topic/one", main, std::nullopt) == push_outcome::ok);
  CHECK(w.mirror.resolve_branch("topic/one") == main);
  CHECK(w.mirror.resolve_branch("topic") == std::nullopt);
}

TEST_CASE("an upstream that does not want a push says why") {
  world w;
  auto feature = *w.mirror.resolve_branch("feature/x");
  auto main = *w.mirror.resolve_branch("main");
  auto plain = w.work();
  run_git(plain, {"checkout", "-q", "-b", "side"});
  run_git(plain, {"commit", "-q", "--allow-empty", "-m", "Side"});
  run_git(plain, {"checkout", "-q", "main"});
  auto other =
    mirror::open_or_create(w.dir.path() / "repos/plain.git", plain.string());
  other.fetch();
  auto side = *other.resolve_branch("side");
  auto what = refusal_of([&] { other.push("main", side, main); });
  CHECK(what.code == errc::conflict);
  CHECK_THAT(what.message, Catch::Contains("checked out"));

  write(w.upstream / "hooks/pre-receive", "#!/bin/sh\nexit 1\n");
  fs::permissions(w.upstream / "hooks/pre-receive", fs::perms{0755});
  what = refusal_of([&] { w.mirror.push("main", feature, main); });
  CHECK(what.code == errc::conflict);
  CHECK_THAT(what.message, Catch::Contains("pre-receive hook declined"));
  CHECK(w.mirror.resolve_branch("main") == main);
  CHECK(w.mirror.push_refs({"refs/upstream/heads/main"}));
}

TEST_CASE("what is no commit is pushed to no branch, and says so") {
  world w;
  auto other = GENERATE(as<std::string>{}, "upstream/heads/main^{tree}",
                        "upstream/tags/v1.0");
  auto what = refusal_of([&] {
    w.mirror.push("work", run_git(w.mirror.path(), {"rev-parse", other}), {});
  });
  CHECK(what.code == errc::conflict);
  CHECK_THAT(what.message, Catch::Contains(" is none"));
  CHECK(w.upstream_at("refs/heads/work").empty());
  CHECK(w.mirror.fetch_ref("refs/heads/main")); // it can be reached
}

TEST_CASE("a sound pack with all that it needs comes in") {
  world w;
  write(w.work() / "more", "more\n");
  run_git(w.work(), {"add", "-A"});
  run_git(w.work(), {"commit", "-qm", "More"});
  auto tip = run_git(w.work(), {"rev-parse", "HEAD"});
  auto pack = pack_of(w.work(), tip + "\n^" + tip + "^\n");
  CHECK_FALSE(has_object(w.mirror, tip));
  w.mirror.import_pack(pack.get(), {tip});
  CHECK(has_object(w.mirror, tip));
  CHECK(w.mirror.is_ancestor(*w.mirror.resolve_branch("main"), tip));
  CHECK_FALSE(has_leftovers(w.mirror));
  w.mirror.set_ref("refs/heads/in", tip);
  w.check_sound(w.mirror.path());
}

TEST_CASE("a pack that lacks what its commit needs is refused") {
  world w;
  for (const auto* name : {"one", "two"}) {
    write(w.work() / name, name);
    run_git(w.work(), {"add", "-A"});
    run_git(w.work(), {"commit", "-qm", name});
  }
  auto tip = run_git(w.work(), {"rev-parse", "HEAD"});
  auto what = refusal_of([&] {
    auto pack = pack_of(w.work(), tip + "\n^" + tip + "^\n");
    w.mirror.import_pack(pack.get(), {tip});
  });
  CHECK(what.code == errc::conflict);
  CHECK_FALSE(has_object(w.mirror, tip));
  CHECK_FALSE(has_leftovers(w.mirror));
}

TEST_CASE("a pack that is cut short is refused") {
  world w;
  auto tip = run_git(w.work(), {"rev-parse", "origin/feature/x"});
  auto pack = pack_of(w.work(), tip + "\n");
  fs::resize_file(w.work() / "pack-data",
                  fs::file_size(w.work() / "pack-data") / 2);
  auto what = refusal_of([&] { w.mirror.import_pack(pack.get(), {tip}); });
  CHECK(what.code == errc::conflict);
  CHECK_FALSE(has_leftovers(w.mirror));
}

TEST_CASE("what git reads whole may have 64 MiB, and a file more") {
  world w;
  const std::string large((std::size_t{64} << 20) + 1, 'a');
  const auto head = run_git(w.work(), {"rev-parse", "HEAD"});
  std::string tip;
  SECTION("a tag") {
    tip = hash_object(w.work(), "tag",
                      "object " + head
                        + "\ntype commit\ntag large\ntagger Ada "
                          "<ada@example.org> 1 +0000\n\n"
                        + large);
  }
  SECTION("a commit before the tip") {
    write(w.work() / "message", large);
    auto tree = run_git(w.work(), {"rev-parse", "HEAD^{tree}"});
    auto before = run_git(w.work(), {"commit-tree", "-p", head, "-F",
                                     (w.work() / "message").string(), tree});
    tip = run_git(w.work(), {"commit-tree", "-p", before, "-m", "Small", tree});
  }
  SECTION("a file") {
    write(w.work() / "large", large);
    run_git(w.work(), {"add", "large"});
    run_git(w.work(), {"commit", "-qm", "Large"});
    tip = run_git(w.work(), {"rev-parse", "HEAD"});
    auto pack = pack_of(w.work(), tip + "\n^" + head + '\n');
    w.mirror.import_pack(pack.get(), {tip});
    CHECK(has_object(w.mirror, tip));
    return;
  }
  auto pack = pack_of(w.work(), tip + "\n^" + head + '\n');
  auto what = refusal_of([&] { w.mirror.import_pack(pack.get(), {tip}); });
  CHECK(what.code == errc::conflict);
  CHECK_THAT(what.message, Catch::Contains(" has 671")
                             && Catch::Contains("may have no more than 64MiB"));
  CHECK_FALSE(has_object(w.mirror, tip));
  CHECK_FALSE(has_leftovers(w.mirror));
}

TEST_CASE("a pack is refused by the size that an object says it has") {
  world w;
  // One object: a commit of 2 GiB.
  write(w.work() / "pack-data",
        std::string{"PACK\0\0\0\2\0\0\0\1", 12} + "\x90\x80\x80\x80\x40");
  unique_fd pack{
    ::open((w.work() / "pack-data").c_str(), O_RDONLY | O_CLOEXEC)};
  auto what = refusal_of([&] { w.mirror.import_pack(pack.get(), {}); });
  CHECK(what.code == errc::conflict);
  CHECK_THAT(what.message, Catch::Contains("takes more than 1GiB of memory"));
  CHECK_FALSE(has_leftovers(w.mirror));
}

TEST_CASE("trees with names that lead out of a checkout are refused") {
  auto name = GENERATE(as<std::string>{}, ".git", "..", ".", ".GIT", "a/b");
  CAPTURE(name);
  world w;
  auto blob = hash_object(w.work(), "blob", "evil");
  auto tree =
    hash_object(w.work(), "tree", "100644 " + name + '\0' + bytes_of(blob));
  auto tip = run_git(w.work(), {"commit-tree", "-m", "evil", tree});
  auto pack = pack_of(w.work(), tip + "\n");
  auto what = refusal_of([&] { w.mirror.import_pack(pack.get(), {tip}); });
  CHECK(what.code == errc::conflict);
  CHECK_FALSE(has_object(w.mirror, tip));
}

TEST_CASE("full names and names as in a clone lead to commits") {
  world w;
  auto main = w.upstream_at("refs/heads/main");
  auto feature = w.upstream_at("refs/heads/feature/x");
  CHECK(w.mirror.resolve_ref("refs/heads/feature/x") == feature);
  CHECK(w.mirror.resolve_ref("refs/tags/v1.0") == main);
  CHECK(w.mirror.resolve_ref("origin/feature/x") == feature);
  CHECK(w.mirror.resolve_ref("refs/pull/7/head") == std::nullopt);
  CHECK_FALSE(w.mirror.fetch_ref("refs/pull/7/head"));
  run_git(w.upstream, {"update-ref", "refs/pull/7/head", feature});
  CHECK(w.mirror.fetch_ref("refs/pull/7/head"));
  CHECK(w.mirror.resolve_ref("refs/pull/7/head") == feature);
  w.mirror.set_ref(w.rescue_ref("tree"), main);
  CHECK(w.mirror.resolve_ref(w.rescue_ref("tree")) == main);
  CHECK(w.mirror.resolve_ref("refs/upstream/heads/main") == std::nullopt);
  CHECK(w.mirror.resolve_ref("refs/heads/none") == std::nullopt);
}

TEST_CASE("a commit that no branch leads to is fetched by its id") {
  world w;
  auto apart = run_git(
    w.upstream, {"commit-tree", "-m", "Apart", "refs/heads/main^{tree}"});
  CHECK(w.mirror.resolve_ref(apart) == std::nullopt);
  // git serves any by the protocol's second version.
  CHECK(w.mirror.fetch_commit(apart));
  CHECK(w.mirror.resolve_ref(apart) == apart);
  CHECK_FALSE(w.mirror.fetch_commit(std::string(40, '1')));
}

TEST_CASE("an upstream's refusal has the words of its hook") {
  world w;
  auto hook = w.upstream / "hooks/pre-receive";
  write(hook, "#!/bin/sh\necho 'Policy 7: sign your work'\nexit 1\n");
  fs::permissions(hook, fs::perms{0755});
  auto main = w.upstream_at("refs/heads/main");
  auto feature = w.upstream_at("refs/heads/feature/x");
  auto what = refusal_of([&] { w.mirror.push("main", feature, main); });
  CHECK(what.code == errc::conflict);
  CHECK_THAT(what.message, Catch::Contains("Policy 7: sign your work"));
  w.mirror.set_ref(w.rescue_ref("tree"), feature);
  auto failure = w.mirror.push_refs({w.rescue_ref("tree")});
  REQUIRE(failure);
  CHECK_THAT(*failure, Catch::Contains("Policy 7: sign your work"));
}

TEST_CASE("the default branch is the upstream's HEAD") {
  world w;
  CHECK(w.mirror.default_branch() == "main");
  run_git(w.upstream, {"symbolic-ref", "HEAD", "refs/heads/feature/x"});
  w.mirror.fetch_head();
  CHECK(w.mirror.default_branch() == "feature/x");
  w.mirror.fetch();
  CHECK(w.mirror.default_branch() == "feature/x");
  CHECK_FALSE(w.mirror.upstream_refs().contains("HEAD"));
}

TEST_CASE("an upstream that cannot be read whole is refused with what helps") {
  world w;
  auto other = w.dir.path() / "other.git";
  auto mirror = git::mirror::open_or_create(w.dir.path() / "repos/other.git",
                                            other.string());
  SECTION("a shallow one") {
    run_git(w.dir.path(), {"clone", "-q", "--bare", "--depth=1",
                           "file://" + w.upstream.string(), "other.git"});
    w.move_upstream("main", "more");
    run_git(other, {"fetch", "-q", "--depth=1", w.upstream.string(),
                    "+refs/heads/*:refs/heads/*"});
    auto what = refusal_of([&] { mirror.fetch(); });
    CHECK(what.code == errc::conflict);
    CHECK_THAT(what.message, Catch::Contains("git fetch --unshallow"));
    run_git(other, {"fetch", "-q", "--unshallow", w.upstream.string()});
    mirror.fetch();
    CHECK(mirror.resolve_branch("main"));
  }
  SECTION("one of SHA-256") {
    run_git(w.dir.path(),
            {"init", "-q", "--object-format=sha256", "-b", "main", "long"});
    run_git(w.dir.path() / "long",
            {"commit", "-q", "--allow-empty", "-m", "First"});
    run_git(w.dir.path(), {"clone", "-q", "--bare", "long", "other.git"});
    auto what = refusal_of([&] { mirror.fetch(); });
    CHECK(what.code == errc::conflict);
    CHECK_THAT(what.message, Catch::Contains("SHA-256"));
  }
  SECTION("another user's") {
    if (::geteuid() != 0)
      return; // only root can give files away
    fs::copy(w.upstream, other, fs::copy_options::recursive);
    REQUIRE(::chown(other.c_str(), 65534, 65534) == 0);
    auto what = refusal_of([&] { mirror.fetch(); });
    CHECK(what.code == errc::conflict);
    CHECK_THAT(what.message, Catch::Contains("chown"));
  }
}
