// Files of Git LFS as commits have them: pointers.
#include "runtime/git/mirror/lfs_pointers.hpp"
#include "tests/runtime/git/fixture.hpp"

#include <map>

using namespace greenroom;
using namespace greenroom::test;

namespace {

std::string oid_of(int number) {
  auto digits = std::to_string(number);
  return std::string(64 - digits.size(), '0') + digits;
}

std::string pointer_to(int number) {
  return "version https://git-lfs.github.com/spec/v1\noid sha256:"
         + oid_of(number) + "\nsize " + std::to_string(number) + '\n';
}

/// A commit on top of the upstream's main that the mirror alone has.
std::string commit_files(const world& w,
                         const std::map<std::string, std::string>& files) {
  std::string text = "commit refs/heads/work\n"
                     "committer Ada <ada@example.org> 1600000000 +0000\n"
                     "data 4\nMany\nfrom refs/upstream/heads/main\n";
  for (const auto& [path, content] : files)
    text += "M 644 inline " + path + "\ndata " + std::to_string(content.size())
            + '\n' + content + '\n';
  auto input = git::memfd(text);
  command what;
  what.argv = {"git", "fast-import", "--quiet"};
  what.cwd = w.mirror.path();
  what.env = {"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=/nonexistent"};
  what.stdin_fd = input.get();
  auto result = run_command(what);
  INFO(result.err);
  REQUIRE(result.ok());
  return run_git(w.mirror.path(), {"rev-parse", "refs/heads/work"});
}

} // namespace

TEST_CASE("pointers that the upstream has not got come one by one") {
  world w;
  w.move_upstream("main", "known.bin", pointer_to(1));
  w.mirror.fetch();
  constexpr int last = 500;
  std::map<std::string, std::string> files{
    {"again.bin", pointer_to(1)},
    {"twice.bin", pointer_to(2)},
    {"note.txt", "small, and no pointer\n"},
    {"large.bin", pointer_to(last + 1) + std::string(1024, 'x')}};
  for (int i = 2; i <= last; ++i)
    files["d" + std::to_string(i % 7) + '/' + std::to_string(i) + ".bin"] =
      pointer_to(i);
  const auto commit = commit_files(w, files);
  std::map<std::string, std::string> seen; // ids of objects by contents
  git::visit_new_pointers(
    w.mirror.path(), commit,
    [&](const std::string& id, const git::lfs_object& what) {
      CHECK(seen.emplace(what.oid, id).second);
    });
  CHECK(seen.size() == last - 1);
  CHECK_FALSE(seen.contains(oid_of(1)));
  CHECK(run_git(w.mirror.path(), {"cat-file", "-p", seen[oid_of(last)]}) + '\n'
        == pointer_to(last));
  CHECK(git::standing_of_new(w.mirror.path(), commit, seen[oid_of(9)]).path
        == "d2/9.bin");

  SECTION("until somebody has seen enough") {
    int count = 0;
    CHECK_THROWS_AS(
      git::visit_new_pointers(w.mirror.path(), commit,
                              [&](const std::string&, const git::lfs_object&) {
                                if (++count == 3)
                                  throw std::out_of_range("enough");
                              }),
      std::out_of_range);
    CHECK(count == 3);
  }
  SECTION("a commit that is not there is no list without pointers") {
    CHECK_THROWS_AS(
      git::visit_new_pointers(w.mirror.path(), std::string(40, 'a'), {}),
      std::runtime_error);
  }
}

TEST_CASE("a file of Git LFS that a merge brings has its path") {
  world w;
  auto main = *w.mirror.resolve_branch("main");
  auto made = commit_files(w, {{"d/evil.bin", pointer_to(3)}});
  auto side = run_git(w.mirror.path(), {"commit-tree", "-p", main, "-m", "Side",
                                        main + "^{tree}"});
  auto merge = run_git(w.mirror.path(), {"commit-tree", "-p", main, "-p", side,
                                         "-m", "Merge", made + "^{tree}"});
  std::string id;
  git::visit_new_pointers(
    w.mirror.path(), merge,
    [&](const std::string& object, const git::lfs_object&) { id = object; });
  REQUIRE_FALSE(id.empty());
  CHECK(git::standing_of_new(w.mirror.path(), merge, id).path == "d/evil.bin");
}

TEST_CASE("a file is kept by Git LFS where a commit's attributes say so") {
  const std::string tracked = "*.bin filter=lfs diff=lfs merge=lfs -text\n";
  struct row {
    std::map<std::string, std::string> files;
    bool is_kept;
  };
  const row rows[] = {
    {{{"f.bin", pointer_to(3)}}, false},
    {{{"f.bin", pointer_to(3)}, {".gitattributes", tracked}}, true},
    {{{"d/e/f.bin", pointer_to(3)}, {"d/.gitattributes", tracked}}, true},
    {{{"d/f.bin", pointer_to(3)}, {"e/.gitattributes", tracked}}, false},
    {{{"f.txt", pointer_to(3)}, {".gitattributes", tracked}}, false},
    {{{"d/f.bin", pointer_to(3)},
      {".gitattributes", tracked},
      {"d/.gitattributes", "f.bin !filter\n"}},
     false},
    // The same in two places is kept where one of them is.
    {{{"a.txt", pointer_to(3)},
      {"f.bin", pointer_to(3)},
      {".gitattributes", tracked}},
     true},
    // More than anybody reads.
    {{{"f.txt", pointer_to(3)},
      {".gitattributes", std::string((1 << 20) + 1, '#')}},
     true},
  };
  const auto& one = rows[GENERATE(range(0, 8))];
  world w;
  const auto commit = commit_files(w, one.files);
  std::string given_up;
  const auto bring = [](const git::lfs_object&) {
    throw refused{errc::not_found, "nobody has it"};
  };
  git::bring_contents(
    w.mirror.path(), commit, bring,
    [&](const std::string& path, const git::lfs_object& what, const refused&) {
      CHECK(what.oid == oid_of(3));
      given_up = path;
    });
  INFO(given_up);
  CHECK(given_up.empty() != one.is_kept);
}

TEST_CASE("attributes that come after a file of Git LFS, or go before it, "
          "count") {
  world w;
  const std::string tracked = "*.bin filter=lfs\n";
  auto in_mirror = [&](std::vector<std::string> args) {
    return run_git(w.mirror.path(), std::move(args));
  };
  auto main = *w.mirror.resolve_branch("main");
  auto bare = commit_files(w, {{"f.bin", pointer_to(3)}});
  run_git(w.mirror.path(), {"update-ref", "-d", "refs/heads/work"});
  auto with =
    commit_files(w, {{"f.bin", pointer_to(3)}, {".gitattributes", tracked}});
  auto after =
    in_mirror({"commit-tree", "-p", bare, "-m", "After", with + "^{tree}"});
  auto gone =
    in_mirror({"commit-tree", "-p", with, "-m", "Gone", main + "^{tree}"});
  auto id = in_mirror({"rev-parse", bare + ":f.bin"});
  CHECK_FALSE(git::standing_of_new(w.mirror.path(), bare, id).is_kept);
  CHECK(git::standing_of_new(w.mirror.path(), after, id).is_kept);
  CHECK(git::standing_of_new(w.mirror.path(), gone, id).is_kept);
}

TEST_CASE("of files that look like those of Git LFS some are passed over") {
  world w;
  const auto bring = [](const git::lfs_object&) {
    throw refused{errc::not_found, "nobody has it"};
  };
  const auto give_up = [](const std::string&, const git::lfs_object&,
                          const refused& why) { throw why; };
  std::map<std::string, std::string> files;
  while (files.size() < 20)
    files["f" + std::to_string(files.size())] =
      pointer_to(static_cast<int>(files.size()) + 1);
  git::bring_contents(w.mirror.path(), commit_files(w, files), bring, give_up);
  run_git(w.mirror.path(), {"update-ref", "-d", "refs/heads/work"});
  files["last"] = pointer_to(21);
  auto why = refusal_of([&] {
    git::bring_contents(w.mirror.path(), commit_files(w, files), bring,
                        give_up);
  });
  CHECK(why.code == errc::conflict);
  CHECK_THAT(why.message, Catch::Contains("look like those of Git LFS"));
}
