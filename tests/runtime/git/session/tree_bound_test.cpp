// Branches of more files than a session may have.
#include "runtime/git/session/tree_bound.hpp"
#include "tests/runtime/git/fixture.hpp"

using namespace greenroom;
using namespace greenroom::test;

namespace {

git::checkout_spec spec_of(const world& w, const std::string& commit) {
  git::checkout_spec spec;
  spec.paths = {w.dir.path() / "session" / "checkout", w.mirror.path()};
  spec.branch = "task";
  spec.commit = commit;
  spec.origin = {w.upstream.string(), {}, "main"};
  return spec;
}

} // namespace

TEST_CASE("a listing is counted however it comes in pieces") {
  const std::string text = "100644 blob aaaa     400\ta 77 b\n"
                           "120000 blob bbbb      12\tc\t9\n"
                           "160000 commit cccc       -\tsub\n"
                           "040000 tree 4444       -\tblob\n"
                           "100755 blob dddd 9000000000\t\"e\\n5\"\n"
                           "100644 blob eeee 5\tnot yet";
  for (std::size_t size : {std::size_t{1}, std::size_t{7}, text.size()}) {
    git::listing_counter counter;
    for (std::size_t at = 0; at < text.size(); at += size)
      counter.take(std::string_view{text}.substr(at, size));
    CHECK(counter.found().files == 4);
    CHECK(counter.found().directories == 1);
    CHECK(counter.found().bytes == 9'000'000'412);
  }
}

TEST_CASE_METHOD(world, "a tree of too many files is no session's") {
  // 10^12 of them, of which no more are listed than need be.
  auto spec = spec_of(*this, bomb(*this, 12, "x"));
  spec.limits = {1000, 0};
  auto why = refusal_of([&] { git::make_checkout(spec); });
  CHECK(why.code == errc::conflict);
  CHECK(why.message.find("more than 1000 files") != std::string::npos);
  CHECK_FALSE(fs::exists(git::unplaced(spec.paths.checkout)));
}

// git lists no file of such a tree, and walks through it for years.
TEST_CASE_METHOD(world, "a tree of too many directories is no session's") {
  auto spec = spec_of(*this, bomb(*this, 12));
  spec.limits = {1000, 0};
  SECTION("as its branch has it") {}
  SECTION("as it was left elsewhere") {
    spec.work_tree = spec.commit;
  }
  auto why = refusal_of([&] { git::make_checkout(spec); });
  CHECK(why.code == errc::conflict);
  CHECK(why.message.find("more than 1000 directories") != std::string::npos);
  // Nor is it compared to its end with one that is ready.
  const auto main = upstream_at("refs/heads/main");
  for (const auto& [from, to] :
       {std::pair{main, spec.commit}, std::pair{spec.commit, main}})
    CHECK_FALSE(git::is_near(git::distance(mirror.path(), from, to, 150), 150));
}

TEST_CASE_METHOD(world, "a tree of too many bytes is no session's") {
  auto spec = spec_of(*this, bomb(*this, 2, std::string(1 << 20, 'x')));
  spec.limits = {1000, std::uint64_t{10} << 20};
  auto why = refusal_of([&] { git::make_checkout(spec); });
  CHECK(why.code == errc::conflict);
  CHECK(why.message.find("more than 10MiB") != std::string::npos);
  // Also where it was to be made ahead.
  git::warm_spec ahead;
  ahead.dir = dir.path() / "warm";
  fs::create_directory(ahead.dir);
  ahead.mirror = mirror.path();
  ahead.commit = spec.commit;
  ahead.limits = spec.limits;
  CHECK(refusal_of([&] { git::make_warm_tree(ahead); }).code == errc::conflict);
}

// Where it lay in a session its files may have had holes.
TEST_CASE_METHOD(world, "of a tree to be made again the files' number counts") {
  auto spec = spec_of(*this, bomb(*this, 2, "x"));
  spec.work_tree = spec.commit;
  spec.limits = {99, 0};
  CHECK(refusal_of([&] { git::make_checkout(spec); }).code == errc::conflict);
  spec.limits = {100, 1};
  CHECK_NOTHROW(git::make_checkout(spec));
}

TEST_CASE_METHOD(world, "a tree of as much as may be is checked out") {
  auto spec = spec_of(*this, bomb(*this, 2, "x"));
  spec.limits = {100, 100};
  CHECK(git::make_checkout(spec).files == 100);
}
