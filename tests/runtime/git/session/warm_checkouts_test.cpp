// What is kept ready for the next session, for whom and until when.
#include "runtime/git/session/warm_checkouts.hpp"
#include "tests/runtime/git/fixture.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <thread>

using namespace greenroom;
using namespace greenroom::test;

namespace {

constexpr git::tree_size size{150, 1000};

class keeping : public world {
public:
  keeping() {
    fs::create_directories(sessions);
  }

  std::unique_ptr<git::warm_checkouts> keeper(git::warm_limits limits = {2,
                                                                         100}) {
    return std::make_unique<git::warm_checkouts>(
      limits, git::warm_place{sessions, 1000});
  }

  std::string tip() {
    mirror.fetch();
    return mirror.resolve_branch("main").value();
  }

  // The same upstream as another project has it.
  git::mirror another(const std::string& name) {
    auto result = git::mirror::open_or_create(
      dir.path() / "repos" / (name + ".git"), upstream.string());
    result.fetch();
    return result;
  }

  std::size_t on_disk() const {
    return static_cast<std::size_t>(
      std::distance(fs::directory_iterator{sessions}, {}));
  }

  fs::path sessions = dir.path() / "sessions";
};

} // namespace

TEST_CASE_METHOD(keeping, "a checkout is ready for the next session, once") {
  auto warm = keeper();
  CHECK_FALSE(warm->take(mirror, tip()));
  warm->want(mirror, "main", size);
  warm->wait_until_done();
  auto mine = warm->take(mirror, tip());
  REQUIRE(mine);
  CHECK(mine->commit == tip());
  CHECK(mine->size.files > 150);
  CHECK(read(mine->dir / "tree/bin/tool") == "#!/bin/sh\necho tool\n");
  CHECK_FALSE(warm->take(mirror, tip()));
  // With whom it was taken by it goes.
  mine.reset();
  warm->wait_until_done();
  CHECK(on_disk() == 0);
}

TEST_CASE_METHOD(keeping, "of many who want the one that is ready one has it") {
  auto warm = keeper();
  warm->want(mirror, "main", size);
  warm->wait_until_done();
  std::atomic<int> had = 0;
  {
    std::vector<std::jthread> all;
    for (int i = 0; i < 8; ++i)
      all.emplace_back([&, at = tip()] {
        if (auto mine = warm->take(mirror, at))
          had += fs::exists(mine->dir / "tree") ? 1 : 100;
      });
  }
  CHECK(had == 1);
}

TEST_CASE_METHOD(keeping, "nothing is kept of what is small, nor where that is "
                          "off") {
  auto warm = keeper();
  warm->want(mirror, "main", {99, 1000});
  warm->wait_until_done();
  CHECK_FALSE(warm->take(mirror, tip()));
  auto off = keeper({0, 100});
  off->want(mirror, "main", size);
  off->wait_until_done();
  CHECK(on_disk() == 0);
}

TEST_CASE_METHOD(keeping,
                 "the packs of a project's mirror are indexed, whether "
                 "a checkout is kept or not") {
  add_files(upstream, "many", 5000);
  mirror.fetch();
  auto warm = keeper({0, 100});
  warm->want(mirror, "main", size);
  warm->wait_until_done();
  CHECK(fs::exists(mirror.path() / "objects/pack/multi-pack-index"));
}

TEST_CASE_METHOD(keeping, "what is ready stays while the branch is near, and "
                          "is made anew when it is not") {
  auto warm = keeper();
  auto before = tip();
  warm->want(mirror, "main", size);
  warm->wait_until_done();
  move_upstream("main", "a-new-file");
  warm->want(mirror, "main", size);
  move_upstream("main", "deep/.gitattributes");
  CHECK_FALSE(warm->take(mirror, tip()));
  warm->want(mirror, "main", size);
  warm->wait_until_done();
  CHECK(on_disk() == 1);
  auto mine = warm->take(mirror, tip());
  REQUIRE(mine);
  CHECK(mine->commit == tip());
  CHECK(mine->commit != before);
}

TEST_CASE_METHOD(keeping, "a near commit's session takes what is ready of "
                          "another") {
  auto warm = keeper();
  auto before = tip();
  warm->want(mirror, "main", size);
  warm->wait_until_done();
  move_upstream("main", "a-new-file");
  auto mine = warm->take(mirror, tip());
  REQUIRE(mine);
  CHECK(mine->commit == before);
}

TEST_CASE_METHOD(keeping, "what is ready for a project that goes goes too") {
  auto warm = keeper();
  warm->want(mirror, "main", size);
  warm->wait_until_done();
  REQUIRE(on_disk() == 1);
  warm->forget(mirror.path());
  warm->wait_until_done();
  CHECK(on_disk() == 0);
  CHECK_FALSE(warm->take(mirror, tip()));
  // While it is wanted or made, too.
  warm->want(mirror, "main", size);
  warm->forget(mirror.path());
  warm->wait_until_done();
  CHECK_FALSE(warm->take(mirror, tip()));
  CHECK(on_disk() == 0);
}

TEST_CASE_METHOD(keeping, "of more projects than are kept the one used least "
                          "recently is not") {
  auto second = another("second");
  auto third = another("third");
  auto warm = keeper();
  for (const auto* of : {&mirror, &second, &mirror, &third}) {
    warm->want(*of, "main", size);
    warm->wait_until_done();
  }
  CHECK(on_disk() == 2);
  CHECK_FALSE(warm->take(second, tip()));
  CHECK(warm->take(mirror, tip()));
  CHECK(warm->take(third, tip()));
}

TEST_CASE_METHOD(keeping, "what an earlier run has left is removed, nothing "
                          "else") {
  write(sessions / "warm.7/tree/file", "half made\n");
  write(sessions / "warm.8/index", "no tree\n");
  auto kept = sessions / make_id() / "checkout/file";
  write(kept, "a session's\n");
  auto warm = keeper();
  warm->wait_until_done();
  CHECK(on_disk() == 1);
  CHECK(fs::exists(kept));
}

TEST_CASE_METHOD(keeping, "what cannot be made ready is not there, and in "
                          "nobody's way") {
  auto warm = keeper();
  auto at = tip();
  SECTION("the branch is gone") {
    warm->want(mirror, "nowhere", size);
  }
  SECTION("git cannot check it out") {
    fs::remove_all(mirror.path() / "objects");
    warm->want(mirror, "main", size);
  }
  SECTION("there would be no room left") {
    warm->want(mirror, "main", {150, std::uint64_t{1} << 60});
  }
  warm->wait_until_done();
  CHECK_FALSE(warm->take(mirror, at));
  CHECK(on_disk() == 0);
}

TEST_CASE_METHOD(keeping, "what is kept ready has the usual modes, whatever "
                          "mask the node has") {
  auto old = ::umask(077);
  auto warm = keeper();
  ::umask(old);
  warm->want(mirror, "main", size);
  warm->wait_until_done();
  auto mine = warm->take(mirror, tip());
  REQUIRE(mine);
  auto mode = [&](const char* path) {
    return fs::status(mine->dir / path).permissions();
  };
  CHECK(mode("tree") == fs::perms{0755});
  CHECK(mode("tree/bin") == fs::perms{0755});
  CHECK(mode("tree/bin/tool") == fs::perms{0755});
  CHECK(mode("tree/empty") == fs::perms{0644});
  CHECK(mode("index") == fs::perms{0644});
}

TEST_CASE_METHOD(keeping, "a user for the next session is nobody else's "
                          "meanwhile") {
  if (::geteuid() != 0) {
    WARN("not tested: only root gives files away by itself");
    return;
  }
  auto users = std::make_shared<sandbox::session_users>(
    sandbox::user_range{70000, 80000, 1000}, sessions,
    binary_dir() / "greenroom-runner");
  git::warm_checkouts warm{{2, 100}, {sessions, 1000, users}};
  warm.want(mirror, "main", size);
  warm.wait_until_done();
  auto mine = warm.take(mirror, tip());
  REQUIRE(mine);
  REQUIRE(mine->owner);
  struct stat info {};
  REQUIRE(::lstat((mine->dir / "tree/bin/tool").c_str(), &info) == 0);
  CHECK(info.st_uid == mine->owner->user);
  fs::create_directory(sessions / "other");
  CHECK(users->settle(sessions / "other") != mine->owner);
  fs::create_directory(sessions / "own");
  CHECK(users->settle(sessions / "own", {}, mine->owner) == mine->owner);
  // As a node does that has begun again.
  sandbox::session_users again{
    {70000, 80000, 1000}, sessions, binary_dir() / "greenroom-runner"};
  for (int i = 0; i < 20; ++i) {
    auto session = sessions / ("more" + std::to_string(i));
    fs::create_directory(session);
    CHECK(again.settle(session) != mine->owner);
  }
}

TEST_CASE_METHOD(keeping, "a node that stops does not wait for what it makes "
                          "ready") {
  auto warm = keeper();
  for (int i = 0; i < 3; ++i)
    warm->want(mirror, "main", size);
  warm.reset();
  keeper()->wait_until_done();
  CHECK(on_disk() == 0);
}
