// Contents of Git LFS on their way to the upstream, by git-lfs itself: what
// counts as delivered is there.
#include "runtime/auth/sha256.hpp"
#include "runtime/base/find_program.hpp"
#include "runtime/base/memfd.hpp"
#include "runtime/git/mirror/lfs_kept.hpp"
#include "runtime/git/mirror/lfs_store.hpp"
#include "tests/runtime/git/fixture.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <future>

using namespace greenroom;
using namespace greenroom::test;
using git::lfs_object;
using git::lfs_store;
using git::memfd;

namespace {

bool has_lfs() {
  if (!lfs_store::available())
    WARN("there is no git-lfs on this machine: nothing to try this with");
  return lfs_store::available();
}

lfs_object object_of(const std::string& contents) {
  return {sha256_hex(contents), contents.size()};
}

fs::path place_in(const fs::path& repository, const lfs_object& what) {
  return repository / "lfs/objects" / what.oid.substr(0, 2)
         / what.oid.substr(2, 2) / what.oid;
}

struct lfs_world : world {
  std::shared_ptr<git::lfs_calls> calls = std::make_shared<git::lfs_calls>();
  std::shared_ptr<git::lfs_space> space;

  explicit lfs_world(std::uint64_t limit = std::uint64_t{1} << 30)
    : space(std::make_shared<git::lfs_space>(dir.path() / "repos", limit)) {}

  lfs_store store() const {
    return {mirror,
            "main",
            std::make_shared<const git::credentials>(),
            {calls, space, true}};
  }

  void deliver(const lfs_object& what, const std::string& contents) const {
    auto file = memfd(contents);
    store().deliver(what, file.get());
  }

  bool upstream_has(const lfs_object& what) const {
    return fs::exists(place_in(upstream, what));
  }

  /// Nothing of it is left on this node.
  bool forgotten(const lfs_object& what) const {
    for (const auto& entry :
         fs::recursive_directory_iterator{mirror.path() / "lfs.git"})
      if (entry.path().filename() == what.oid)
        return false;
    return true;
  }
};

/// While it lives, each push of git-lfs says so in `begun`, and ends with
/// failure or goes on as a line in `go_on` says.
struct held_pushes {
  explicit held_pushes(const fs::path& dir)
    : begun(dir / "begun"), go_on(dir / "go_on"),
      path_before(std::getenv("PATH")) {
    REQUIRE(::mkfifo(begun.c_str(), 0600) == 0);
    REQUIRE(::mkfifo(go_on.c_str(), 0600) == 0);
    auto real = find_program("git-lfs").string();
    write(dir / "bin/git-lfs",
          "#!/bin/sh\n[ \"$1\" != push ] || {\necho >'" + begun.string()
            + "'\nread how <'" + go_on.string()
            + "'\n[ $how = on ] || exit 2\n}\nexec " + real + " \"$@\"\n");
    fs::permissions(dir / "bin/git-lfs", fs::perms{0755});
    ::setenv("PATH", ((dir / "bin").string() + ':' + path_before).c_str(), 1);
  }
  held_pushes(const held_pushes&) = delete;
  held_pushes& operator=(const held_pushes&) = delete;
  ~held_pushes() {
    ::setenv("PATH", path_before.c_str(), 1);
  }

  void await() const {
    read(begun);
  }
  void let(const std::string& how) const {
    write(go_on, how + '\n');
  }

  fs::path begun;
  fs::path go_on;
  std::string path_before;
};

} // namespace

TEST_CASE("contents of Git LFS are delivered, and found from then on") {
  if (!has_lfs())
    return;
  lfs_world w;
  const std::string text = "some contents\n";
  auto what = object_of(text);
  CHECK_FALSE(w.store().find(what));
  w.deliver(what, text);
  CHECK(read(place_in(w.upstream, what)) == text);
  auto kept = w.store().find(what);
  REQUIRE(kept);
  std::string found(text.size() + 1, '\0');
  REQUIRE(::read(kept.get(), found.data(), found.size())
          == static_cast<ssize_t>(text.size()));
  CHECK(found.starts_with(text));
  w.deliver(what, text);
  CHECK(fs::is_empty(w.mirror.path() / "lfs.git/incoming"));
}

TEST_CASE("contents that were refused do not count as delivered") {
  if (!has_lfs())
    return;
  lfs_world w;
  const std::string text = "some contents\n";
  auto what = object_of(text);
  SECTION("because they came under another id") {
    auto other = object_of("other contents");
    auto why = refusal_of([&] { w.deliver(other, text); });
    CHECK(why.code == errc::bad_request);
    CHECK(w.forgotten(other));
  }
  SECTION("because they came with another size") {
    auto other = what;
    ++other.size;
    auto why = refusal_of([&] { w.deliver(other, text); });
    CHECK(why.code == errc::bad_request);
  }
  SECTION("because the upstream did not take them") {
    write(w.upstream / "lfs", "in the way\n");
    auto why = refusal_of([&] { w.deliver(what, text); });
    CHECK(why.code == errc::conflict);
    fs::remove(w.upstream / "lfs");
  }
  CHECK(w.forgotten(what));
  w.deliver(what, text);
  CHECK(w.upstream_has(what));
}

TEST_CASE("child: deliver", "[.]") {
  git::mirror mirror = git::mirror::open_or_create(
    std::getenv("TEST_MIRROR"), std::getenv("TEST_UPSTREAM"));
  const std::string text = "some contents\n";
  auto file = memfd(text);
  lfs_store{
    mirror,
    "main",
    std::make_shared<const git::credentials>(),
    {std::make_shared<git::lfs_calls>(),
     std::make_shared<git::lfs_space>(mirror.path().parent_path(), 1 << 20)}}
    .deliver(object_of(text), file.get());
}

TEST_CASE("what a crash left of a delivery does not count as delivered") {
  if (!has_lfs())
    return;
  lfs_world w;
  const std::string text = "some contents\n";
  auto what = object_of(text);
  die_at("lfs.taken", "child: deliver",
         {"TEST_MIRROR=" + w.mirror.path().string(),
          "TEST_UPSTREAM=" + w.upstream.string()});
  CHECK_FALSE(w.upstream_has(what));
  CHECK_FALSE(w.store().find(what));
  SECTION("and is brought again") {
    w.deliver(what, text);
    CHECK(w.upstream_has(what));
  }
  SECTION("and goes when the mirror is opened") {
    git::mirror::open_or_create(w.mirror.path(), w.upstream.string());
    CHECK(w.forgotten(what));
  }
}

TEST_CASE("who brings contents that are on their way waits for what comes of "
          "it") {
  if (!has_lfs())
    return;
  lfs_world w;
  const std::string text = "some contents\n";
  auto what = object_of(text);
  held_pushes held{w.dir.path()};
  auto deliver = [&] {
    return std::async(std::launch::async, [&] {
      auto file = memfd(text);
      w.store().deliver(what, file.get());
    });
  };
  auto first = deliver();
  held.await();
  CHECK_FALSE(w.store().find(what));
  auto second = deliver();
  held.let("fail");
  CHECK_THROWS_AS(first.get(), refused);
  held.await(); // the second has nothing that it could rely on
  held.let("on");
  second.get();
  CHECK(w.upstream_has(what));
}

TEST_CASE("a node that stops ends deliveries to upstreams, and takes none") {
  if (!has_lfs())
    return;
  lfs_world w;
  const std::string text = "some contents\n";
  auto what = object_of(text);
  held_pushes held{w.dir.path()};
  auto deliver = [&] {
    return std::async(std::launch::async, [&] {
      return refusal_of([&] { w.deliver(what, text); }).code;
    });
  };
  auto one = deliver();
  held.await();
  auto waits = deliver();
  w.calls->stop();
  CHECK(one.get() == errc::unavailable);
  CHECK(waits.get() == errc::unavailable);
  CHECK(w.forgotten(what));
  CHECK(deliver().get() == errc::unavailable);
}

TEST_CASE("what was used least recently goes where the node keeps too much of "
          "Git LFS") {
  if (!has_lfs())
    return;
  lfs_world w{1000};
  std::vector<lfs_object> all;
  for (char c = 'a'; c < 'e'; ++c) {
    std::string text(240, c);
    all.push_back(object_of(text));
    w.deliver(all.back(), text);
    // The clock of files is coarse.
    fs::last_write_time(place_in(w.mirror.path() / "lfs.git", all.back()),
                        fs::file_time_type::clock::now()
                          - std::chrono::hours{'z' - c});
  }
  for (const auto& one : all)
    CHECK(fs::exists(place_in(w.mirror.path() / "lfs.git", one)));
  CHECK(w.store().find(all[0])); // which uses it
  const std::string last(240, 'x');
  w.deliver(object_of(last), last);
  CHECK(w.store().find(all[0]));
  CHECK_FALSE(w.store().find(all[1]));
  CHECK_FALSE(w.store().find(all[2]));
  CHECK(w.store().find(all[3]));
  CHECK(w.store().find(object_of(last)));

  // Nothing is lost by that.
  CHECK(w.store().fetch(all[1]));
  SECTION("and what is larger than all that may be kept still comes through") {
    const std::string large(5000, 'y');
    w.deliver(object_of(large), large);
    CHECK(w.store().find(object_of(large)));
    CHECK_FALSE(w.store().find(all[1]));
  }
}

TEST_CASE("contents that only rescue refs have are delivered when they are "
          "wanted") {
  if (!has_lfs())
    return;
  lfs_world w;
  const std::string text = "left by a session\n";
  const auto what = object_of(text);
  write(w.dir.path() / "contents", text);
  auto in_mirror = [&](std::vector<std::string> args) {
    return run_git(w.mirror.path(), std::move(args));
  };
  auto blob =
    in_mirror({"hash-object", "-w", (w.dir.path() / "contents").string()});
  auto scratch = w.dir.path() / "scratch-index";
  command index{{"git", "update-index", "--add", "--cacheinfo",
                 "100644," + blob + ',' + what.oid},
                w.mirror.path()};
  index.env = {"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/nonexistent",
               "GIT_INDEX_FILE=" + scratch.string()};
  REQUIRE(run_command(index).ok());
  index.argv = {"git", "write-tree"};
  auto tree = run_command(index).out.substr(0, 40);
  // What is not all of them, elsewhere, is passed over.
  write(w.dir.path() / "contents", "left\n");
  auto part =
    in_mirror({"hash-object", "-w", (w.dir.path() / "contents").string()});
  index.argv = {"git", "update-index", "--cacheinfo",
                "100644," + part + ',' + what.oid};
  REQUIRE(run_command(index).ok());
  index.argv = {"git", "write-tree"};
  auto bad = in_mirror(
    {"commit-tree", "-m", "Part", run_command(index).out.substr(0, 40)});
  w.mirror.set_ref("refs/greenroom/rescue/00000000000000000000/lfs", bad);
  auto commit = in_mirror({"commit-tree", "-m", "Contents", tree});

  auto why = refusal_of([&] { w.store().fetch(what); });
  CHECK(why.code == errc::not_found);
  SECTION("of this node") {
    w.mirror.set_ref(w.rescue_ref("lfs"), commit);
  }
  SECTION("of another one, too") {
    auto name = w.rescue_ref("heads/work");
    in_mirror({"push", "-q", w.upstream.string(), commit + ':' + name,
               commit + ':' + w.rescue_ref("lfs")});
    git::fetch_rescued_lfs(w.mirror, name);
  }
  CHECK(w.store().fetch(what));
  CHECK(w.upstream_has(what));
}

TEST_CASE("a branch that was rescued is no place for contents of Git LFS") {
  lfs_world w;
  w.mirror.set_ref(w.rescue_ref("heads/lfs"), *w.mirror.resolve_branch("main"));
  CHECK(git::rescued_lfs(w.mirror).empty());
}
