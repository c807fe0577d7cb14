// Branches of more files than a session may have.
#include "runtime/git/session/tree_bound.hpp"
#include "tests/runtime/git/fixture.hpp"

using namespace greenroom;
using namespace greenroom::test;

namespace {

/// A commit whose tree has ten directories in ten directories, and so on, with
/// one file at the end of each way; in the mirror, as a push brings it.
std::string bomb(const world& w, int depth, const std::string& text) {
  const auto file = w.dir.path() / "content";
  write(file, text);
  auto entry = "100644 blob "
               + run_git(w.mirror.path(), {"hash-object", "-w", file.string()});
  std::string tree;
  for (int i = 0; i < depth; ++i) {
    std::string list;
    for (int j = 0; j < 10; ++j)
      list += entry + "\td" + std::to_string(j) + '\n';
    write(file, list);
    command make;
    make.argv = {"sh", "-c", "git mktree <'" + file.string() + '\''};
    make.cwd = w.mirror.path();
    make.env = {"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/nonexistent"};
    auto made = run_command(make);
    REQUIRE(made.ok());
    tree = made.out.substr(0, 40);
    entry = "040000 tree " + tree;
  }
  return run_git(w.mirror.path(), {"commit-tree", "-m", "Bomb", tree});
}

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
                           "100755 blob dddd 9000000000\t\"e\\n5\"\n"
                           "100644 blob eeee 5\tnot yet";
  for (std::size_t size : {std::size_t{1}, std::size_t{7}, text.size()}) {
    git::listing_counter counter;
    for (std::size_t at = 0; at < text.size(); at += size)
      counter.take(std::string_view{text}.substr(at, size));
    CHECK(counter.found().files == 4);
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
