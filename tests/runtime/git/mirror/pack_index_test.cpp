// The index over a mirror's packs, which sessions and their clones use.
#include "runtime/git/mirror/pack_index.hpp"
#include "tests/runtime/git/fixture.hpp"

#include <sys/eventfd.h>

using namespace greenroom;
using namespace greenroom::test;

namespace {

class many : public world {
public:
  bool index() {
    return git::index_packs(mirror.path(), -1);
  }

  bool has_bitmap() const {
    for (const auto& entry : fs::directory_iterator{packs})
      if (auto name = entry.path().filename().string();
          name.starts_with("multi-pack-index-") && name.ends_with(".bitmap"))
        return true;
    return false;
  }

  /// What a commit reaches, by the bitmap where there is one.
  std::string reached(const std::string& commit) const {
    return run_git(mirror.path(), {"rev-list", "--count", "--objects",
                                   "--use-bitmap-index", commit});
  }

  fs::path packs = mirror.path() / "objects/pack";
};

} // namespace

TEST_CASE_METHOD(many, "the packs of a mirror with few objects are left as "
                       "they are") {
  CHECK_FALSE(index());
  CHECK_FALSE(fs::exists(packs / "multi-pack-index"));
}

TEST_CASE_METHOD(many, "packs are indexed once, and again when much has come") {
  add_files(upstream, "many", 5000);
  mirror.fetch();
  const auto tip = mirror.resolve_branch("many").value();
  const auto before = reached(tip);
  CHECK(index());
  CHECK(has_bitmap());
  CHECK(reached(tip) == before);
  CHECK_FALSE(index());
  move_upstream("main", "a-new-file");
  mirror.fetch();
  CHECK_FALSE(index());
  add_files(upstream, "more", 5000);
  mirror.fetch();
  CHECK(index());
  CHECK(reached(mirror.resolve_branch("more").value()) == "5032");
  check_sound(mirror.path());
}

TEST_CASE_METHOD(many, "sessions use them, and find what came later") {
  add_files(upstream, "many", 5000);
  mirror.fetch();
  REQUIRE(index());
  auto place = session("many");
  CHECK(run_git(place.checkout, {"status", "--porcelain"}).empty());
  CHECK(try_git(place.checkout, {"rev-list", "--test-bitmap", "HEAD"}).ok());
  auto later = move_upstream("main", "a-new-file");
  mirror.fetch();
  CHECK(mirror.resolve_branch("main") == later);
  CHECK(read(session("main").checkout / "a-new-file")
        == "from somebody else\n");
  check_sound(place.checkout);
}

TEST_CASE_METHOD(many, "a commit whose parent is in no pack is no hindrance") {
  add_files(upstream, "many", 5000);
  mirror.fetch();
  // As a merge is left in the mirror, and then built upon elsewhere.
  auto at = mirror.path();
  auto tree = run_git(at, {"rev-parse", "refs/upstream/heads/many:d0"});
  auto merged = run_git(at, {"commit-tree", "-m", "Merged", "-p",
                             "refs/upstream/heads/many", tree});
  mirror.set_ref("refs/greenroom/merged", merged);
  run_git(work(), {"fetch", "-q", at.string(), "refs/greenroom/merged"});
  run_git(work(), {"push", "-q", "origin", "FETCH_HEAD:refs/heads/merged"});
  move_upstream("merged", "a-new-file");
  mirror.fetch();
  CHECK(index());
  CHECK(has_bitmap());
  check_sound(at);
}

TEST_CASE_METHOD(many, "who was ended amid it is in nobody's way") {
  add_files(upstream, "many", 5000);
  mirror.fetch();
  unique_fd stop{::eventfd(1, EFD_CLOEXEC)};
  git::index_packs(mirror.path(), stop.get());
  fs::remove(packs / "multi-pack-index");
  write(packs / "multi-pack-index.lock", "");
  CHECK(index());
  CHECK(has_bitmap());
  check_sound(mirror.path());
}
