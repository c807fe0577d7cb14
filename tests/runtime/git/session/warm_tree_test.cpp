// A checkout that is made of one that was ready is the one that would have been
// made without it.
#include "runtime/git/session/warm_tree.hpp"
#include "tests/runtime/git/fixture.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <set>
#include <sstream>

using namespace greenroom;
using namespace greenroom::test;

namespace {

/// Somebody works on main, and tells which commits there were.
class history : public world {
public:
  std::string commit(const std::function<void(const fs::path&)>& change) {
    change(work());
    run_git(work(), {"add", "-A"});
    run_git(work(), {"commit", "-qm", "Work"});
    run_git(work(), {"push", "-q", "origin", "HEAD:main"});
    mirror.fetch();
    return run_git(work(), {"rev-parse", "HEAD"});
  }

  std::string first() {
    return run_git(work(), {"rev-parse", "HEAD"});
  }

  git::checkout_spec spec_of(const std::string& at) {
    git::checkout_spec spec;
    spec.paths = {dir.path() / "sessions" / make_id() / "checkout",
                  mirror.path()};
    spec.branch = "task";
    spec.commit = at;
    spec.upstream_refs = mirror.upstream_refs();
    spec.origin = {upstream.string(), "helper for it", "main"};
    spec.seen_owner = 1000;
    spec.users = users;
    spec.owner = owner;
    return spec;
  }

  std::shared_ptr<const git::warm_tree> ready(const std::string& at) {
    git::warm_spec spec;
    spec.dir = dir.path() / "sessions" / ("warm." + make_id());
    fs::create_directories(spec.dir);
    spec.mirror = mirror.path();
    spec.commit = at;
    spec.seen_owner = 1000;
    spec.users = users;
    spec.owner = owner;
    return std::make_shared<const git::warm_tree>(git::make_warm_tree(spec));
  }

  git::tree_distance between(const std::string& from, const std::string& to) {
    return git::distance(mirror.path(), from, to, 150);
  }

  std::shared_ptr<sandbox::session_users> users;
  std::optional<sandbox::session_user> owner;
};

bool is_a_log(const fs::path& path) {
  return path.string().find("/.git/logs/") != std::string::npos;
}

// What is in a log but for when it was written.
std::string without_times(const std::string& log) {
  std::istringstream lines{log};
  std::string result;
  for (std::string line; std::getline(lines, line);)
    result += line.substr(0, 81) + line.substr(line.find('\t')) + '\n';
  return result;
}

std::string contents_of(const fs::directory_entry& entry) {
  if (entry.is_symlink())
    return fs::read_symlink(entry.path()).string();
  if (entry.is_directory() || entry.path().filename() == "index")
    return {};
  auto text = read(entry.path());
  return is_a_log(entry.path()) ? without_times(text) : text;
}

/// All that a program could see in there, but for times and numbers of files.
std::set<std::string> look_at(const fs::path& top) {
  std::set<std::string> all;
  auto add = [&](const fs::directory_entry& entry) {
    struct stat info {};
    REQUIRE(::lstat(entry.path().c_str(), &info) == 0);
    std::ostringstream line;
    line << fs::relative(entry.path().parent_path(), top).string() << ' '
         << (entry.path() == top ? "." : entry.path().filename().string())
         << ' ' << std::oct << info.st_mode << std::dec << ' ' << info.st_uid
         << ' ' << info.st_gid << ' '
         << (entry.is_directory() ? 0 : info.st_size) << '\n'
         << contents_of(entry);
    all.insert(line.str());
  };
  add(fs::directory_entry{top});
  for (const auto& entry : fs::recursive_directory_iterator{top})
    add(entry);
  return all;
}

/// What git has noted of the files, but for the same.
std::string index_of(const fs::path& top) {
  std::istringstream lines{
    run_git(top, {"-c", "safe.directory=*", "ls-files", "-s", "--debug"})};
  std::string result;
  for (std::string line; std::getline(lines, line);)
    if (!line.starts_with("  ctime:") && !line.starts_with("  mtime:")
        && !line.starts_with("  dev:"))
      result += line + '\n';
  return result;
}

/// When the files were changed, however many they are.
std::set<time_t> times_of(const fs::path& top) {
  std::set<time_t> result;
  for (auto i = fs::recursive_directory_iterator{top};
       i != fs::recursive_directory_iterator{}; ++i) {
    if (i->path().filename() == ".git")
      i.disable_recursion_pending();
    struct stat info {};
    REQUIRE(::lstat(i->path().c_str(), &info) == 0);
    if (!i->is_directory() || i->is_symlink())
      result.insert(info.st_mtime);
  }
  return result;
}

/// Made of one that was ready at `from`, a checkout of `to` is as one that is
/// made of nothing.
void check_equal(history& of, const std::string& from, const std::string& to) {
  auto warm = of.spec_of(to);
  warm.warm = of.ready(from);
  auto fresh = of.spec_of(to);
  git::make_checkout(warm);
  git::make_checkout(fresh);
  CHECK_FALSE(fs::exists(warm.warm->dir / "tree")); // it was made of that
  for (const auto& spec : {warm, fresh})
    git::install_checkout(spec.paths.checkout, false);
  const auto& top = warm.paths.checkout;
  CHECK(look_at(top) == look_at(fresh.paths.checkout));
  CHECK(index_of(top) == index_of(fresh.paths.checkout));
  CHECK(times_of(top).size() == 1);
  struct stat index {};
  REQUIRE(::stat((top / ".git/index").c_str(), &index) == 0);
  CHECK(*times_of(top).begin() < index.st_mtime);
  if (!of.owner)
    of.check_sound(top); // git trusts only who owns it
}

} // namespace

TEST_CASE("a tree is near where few of its files differ, and none of those by "
          "which git writes others") {
  CHECK(git::is_near({0, 0, false}, 0));
  CHECK(git::is_near({100, 0, false}, 800));
  CHECK_FALSE(git::is_near({101, 0, false}, 800));
  CHECK_FALSE(git::is_near({1, 0, true}, 800));
}

TEST_CASE_METHOD(history, "attributes and submodules are found between two "
                          "commits, at any depth") {
  auto one = first();
  auto two = commit([](auto& top) { write(top / "src/new", "new\n"); });
  CHECK(between(one, one).files == 0);
  CHECK(between(one, two).files == 1);
  CHECK_FALSE(between(one, two).special);
  auto three =
    commit([](auto& top) { write(top / "a/b/.gitattributes", "* text\n"); });
  CHECK(between(two, three).special);
  CHECK(between(three, two).special);
  auto four = commit([&](auto& top) {
    run_git(top,
            {"update-index", "--add", "--cacheinfo", "160000," + one + ",sub"});
    fs::create_directory(top / "sub");
    run_git(top / "sub", {"init", "-q"});
    run_git(top / "sub", {"fetch", "-q", "..", one});
    run_git(top / "sub", {"checkout", "-q", "FETCH_HEAD"});
  });
  CHECK(between(three, four).special);
  // Of more than matters the rest is not counted.
  auto many = commit([](auto& top) {
    for (int i = 0; i < 100; ++i)
      write(top / "more" / std::to_string(i), "x\n");
  });
  CHECK(between(four, many).files < 30);
  CHECK_FALSE(git::is_near(between(four, many), 150));
}

TEST_CASE_METHOD(history, "a checkout of one that was ready is a fresh one") {
  auto base = commit([](auto& top) {
    write(top / ".gitattributes", "*.crlf text eol=crlf\n"
                                  "*.u16 working-tree-encoding=UTF-16LE\n"
                                  "*.id ident\n");
    write(top / "a.crlf", "one\ntwo\n");
    write(top / "a.id", "$Id$\n");
    write(top / "dir/deep/deeper/file", "deep\n");
    write(top / "becomes-dir", "file\n");
    write(top / "becomes-file/inside", "inside\n");
    write(top / "becomes-link", "file\n");
    fs::create_symlink("empty", top / "turns");
  });
  auto change = [&] {
    return commit([](auto& top) {
      write(top / "a.crlf", "one\ntwo\nthree\n");
      write(top / "b.crlf", "new\n");
      write(top / "a.id", "$Id$\nmore\n");
      fs::remove_all(top / "dir/deep");
      fs::remove(top / "becomes-dir");
      write(top / "becomes-dir/now/here", "inside\n");
      fs::remove_all(top / "becomes-file");
      write(top / "becomes-file", "file\n");
      fs::remove(top / "becomes-link");
      fs::create_symlink("bin/tool", top / "becomes-link");
      fs::remove(top / "turns");
      fs::create_symlink("outward", top / "turns");
      fs::permissions(top / "bin/tool", fs::perms{0644});
      fs::permissions(top / "empty", fs::perms{0755});
      write(top / "Grüße/日本語 and spaces.txt", "other\n");
      write(top / "entirely new/dir/file", "new\n");
    });
  };
  SECTION("of the same commit") {
    check_equal(*this, base, base);
  }
  SECTION("of a later one") {
    check_equal(*this, base, change());
  }
  SECTION("of an earlier one") {
    auto later = change();
    check_equal(*this, later, base);
  }
  SECTION("of another commit with the same files") {
    commit([](auto& top) { write(top / "x", "x\n"); });
    check_equal(*this, base, commit([](auto& top) { fs::remove(top / "x"); }));
  }
}

TEST_CASE_METHOD(history, "a checkout of one that was ready belongs to its "
                          "user altogether") {
  if (::geteuid() != 0) {
    WARN("not tested: only root gives files away by itself");
    return;
  }
  users = std::make_shared<sandbox::session_users>(
    sandbox::user_range{70000, 80000, 3}, dir.path() / "sessions",
    binary_dir() / "greenroom-runner");
  owner = sandbox::session_user{70001, 80001};
  auto base = first();
  auto later = commit([](auto& top) {
    write(top / "new/dir/file", "new\n");
    write(top / "bin/tool", "changed\n");
  });
  check_equal(*this, base, base);
  check_equal(*this, base, later);
  // It was made for another one, or for the node's own.
  auto warm = ready(base);
  owner = sandbox::session_user{70002, 80002};
  auto spec = spec_of(base);
  spec.warm = warm;
  auto fresh = spec_of(base);
  git::make_checkout(spec);
  git::make_checkout(fresh);
  CHECK(look_at(git::unplaced(spec.paths.checkout))
        == look_at(git::unplaced(fresh.paths.checkout)));
}

TEST_CASE_METHOD(history, "git reads no file of a checkout of one that was "
                          "ready to find it unchanged") {
  auto base = first();
  auto later = commit([](auto& top) { write(top / "new", "new\n"); });
  for (const auto& at : {base, later}) {
    auto spec = spec_of(at);
    // Looked at by the one who made it.
    spec.seen_owner.reset();
    spec.warm = [&] {
      git::warm_spec ahead;
      ahead.dir = dir.path() / ("warm." + at);
      fs::create_directories(ahead.dir);
      ahead.mirror = mirror.path();
      ahead.commit = base;
      return std::make_shared<const git::warm_tree>(git::make_warm_tree(ahead));
    }();
    git::make_checkout(spec);
    git::install_checkout(spec.paths.checkout, false);
    const auto& top = spec.paths.checkout;
    write(top / ".git/info/attributes", "* filter=note\n");
    auto seen = dir.path() / ("seen." + at);
    run_git(top, {"config", "filter.note.clean",
                  "echo %f >>" + seen.string() + "; cat"});
    CHECK(run_git(top, {"status", "--porcelain"}).empty());
    CHECK_FALSE(fs::exists(seen));
    write(top / "bin/tool", "#!/bin/sh\necho loot\n");
    CHECK(run_git(top, {"status", "--porcelain"}) == " M bin/tool");
  }
}

TEST_CASE_METHOD(history, "what is ready and of no use costs a checkout "
                          "nothing") {
  auto base = first();
  auto later = commit([](auto& top) { write(top / "bin/tool", "new\n"); });
  auto spec = spec_of(later);
  spec.warm = ready(base);
  SECTION("it has no index") {
    fs::remove(spec.warm->dir / "index");
  }
  SECTION("it is gone") {
    fs::remove_all(spec.warm->dir);
  }
  SECTION("somebody has written there") {
    write(spec.warm->dir / "tree/bin/tool", "something else altogether\n");
  }
  git::make_checkout(spec);
  auto fresh = spec_of(later);
  git::make_checkout(fresh);
  CHECK(look_at(git::unplaced(spec.paths.checkout))
        == look_at(git::unplaced(fresh.paths.checkout)));
}

TEST_CASE_METHOD(history, "a crash while a checkout is made of one that was "
                          "ready leaves nothing in the way") {
  auto base = first();
  auto spec = spec_of(base);
  auto warm = ready(base);
  die_at("checkout.warm", "child: make a checkout of one that was ready",
         {"WARM=" + warm->dir.string(), "COMMIT=" + base,
          "CHECKOUT=" + spec.paths.checkout.string(),
          "MIRROR=" + mirror.path().string()});
  CHECK(fs::exists(git::unplaced(spec.paths.checkout)));
  git::make_checkout(spec);
  auto fresh = spec_of(base);
  git::make_checkout(fresh);
  CHECK(look_at(git::unplaced(spec.paths.checkout))
        == look_at(git::unplaced(fresh.paths.checkout)));
  git::remove_warm_tree(warm->dir, nullptr);
  CHECK_FALSE(fs::exists(warm->dir));
}

TEST_CASE("child: make a checkout of one that was ready", "[.]") {
  git::checkout_spec spec;
  spec.paths = {std::getenv("CHECKOUT"), std::getenv("MIRROR")};
  spec.branch = "task";
  spec.commit = std::getenv("COMMIT");
  spec.warm = std::make_shared<const git::warm_tree>(
    git::warm_tree{std::getenv("WARM"), spec.commit, {}, {}});
  git::make_checkout(spec);
}
