// What a session may have done to its own repository must never act.
#include "messages/left_work.hpp"
#include "tests/runtime/git/fixture.hpp"

#include <sys/stat.h>

using namespace greenroom;
using namespace greenroom::test;
using greenroom::git::checkout_paths;

namespace {

struct attacked {
  attacked() : place(w.session("main")), canary(w.dir.path() / "canary") {
    write(place.checkout / "work", "work\n");
  }

  std::string touch() const {
    return "touch '" + canary.string() + "'";
  }

  fs::path git_dir() const {
    return place.checkout / ".git";
  }

  // Everything that opens the repository refuses, with this in the sentence.
  void refuses(const std::string& sentence) {
    refuses_while_active(sentence);
    refuses(sentence, [&] { rescue(w.rescue_of(place)); });
  }

  void refuses_while_active(const std::string& sentence) {
    refuses(sentence, [&] { w.in(place).state(""); });
    refuses(sentence, [&] {
      checkin(w.checkin_of(place, "main", w.upstream_at("refs/heads/main")));
    });
  }

  static void refuses(const std::string& sentence,
                      const std::function<void()>& call) {
    auto what = refusal_of(call);
    CHECK(what.code == errc::conflict);
    CHECK_THAT(what.message, Catch::Contains(sentence));
  }

  // What the session has may work or not: it gets nowhere else.
  void try_all() {
    for (const auto& call : std::vector<std::function<void()>>{
           [&] { w.in(place).state(""); },
           [&] { w.in(place).diff({w.upstream_at("refs/heads/main")}); },
           [&] { rescue(w.rescue_of(place)); },
           [&] {
             checkin(
               w.checkin_of(place, "main", w.upstream_at("refs/heads/main")));
           }})
      try {
        call();
      } catch (const refused& what) {
        CHECK(what.code() != errc::internal);
      }
  }

  bool commit() {
    auto before = head_of(place.checkout);
    w.in(place).save({w.user, w.mirror.tips(), "main", "All", "Rescued"});
    return head_of(place.checkout) != before;
  }

  world w;
  checkout_paths place;
  fs::path canary;
};

std::string snapshot(const fs::path& top) {
  auto result = run_command({{"sh", "-c",
                              "find . -exec ls -ld --time-style=full-iso {} + "
                              "| sort; find . -type f -exec sha1sum {} + "
                              "| sort"},
                             top,
                             {"PATH=/usr/bin:/bin"}});
  REQUIRE(result.ok());
  return result.out;
}

} // namespace

TEST_CASE("hooks, fsmonitor and filters of a session never run outside") {
  attacked a;
  const auto& top = a.place.checkout;
  auto base = a.w.upstream_at("refs/heads/main");
  auto script = a.w.dir.path() / "evil.sh";
  write(script, "#!/bin/sh\n" + a.touch() + "\ncat\n");
  fs::permissions(script, fs::perms{0755});
  for (const auto* hook :
       {"pre-commit", "post-commit", "commit-msg", "prepare-commit-msg",
        "reference-transaction", "post-checkout", "pre-push", "post-rewrite",
        "post-index-change", "fsmonitor-watchman", "pre-receive", "update",
        "pre-auto-gc", "post-update"})
    fs::copy(script, a.git_dir() / "hooks" / hook);
  write(
    a.git_dir() / "config",
    read(a.git_dir() / "config") + "[core]\n\tfsmonitor = " + script.string()
      + "\n\thooksPath = " + (a.git_dir() / "hooks").string()
      + "\n\tsshCommand = " + script.string() + "\n\tpager = " + script.string()
      + "\n\teditor = " + script.string()
      + "\n[filter \"evil\"]\n\tclean = " + script.string()
      + "\n\tsmudge = " + script.string() + "\n\tprocess = " + script.string()
      + "\n\trequired = true\n[gpg]\n\tprogram = " + script.string()
      + "\n[commit]\n\tgpgSign = true\n[diff]\n\t" + "external = "
      + script.string() + "\n[credential]\n\thelper = " + script.string()
      + "\n[uploadpack]\n\tpackObjectsHook = " + script.string() + "\n");
  write(top / ".gitattributes", "* filter=evil diff=evil merge=evil\n");
  write(top / "bin/tool", "changed\n");

  if (a.w.tools.host->config.mode == sandbox_mode::none) {
    WARN("no sandbox on this machine: everything runs outside");
    return;
  }
  // What is required and cannot be run is refused.
  a.try_all();
  CHECK(a.w.upstream_at("refs/heads/main") == base);
  CHECK_FALSE(fs::exists(a.canary));
  // The canary does sing where somebody lets it.
  try_git(top, {"status"});
  CHECK(fs::exists(a.canary));
}

TEST_CASE("a session's configuration leads nowhere else") {
  attacked a;
  auto other = a.w.dir.path() / "elsewhere";
  write(other / "precious", "precious\n");
  write(a.w.dir.path() / "included", "[core]\n\tbare = true\n");
  write(a.git_dir() / "config",
        "[core]\n\trepositoryformatversion = 99\n\tworktree = " + other.string()
          + "\n[include]\n\tpath = " + (a.w.dir.path() / "included").string()
          + "\n[extensions]\n\tnonsense = true\n");
  auto before = snapshot(other);
  a.try_all();
  CHECK(snapshot(other) == before);
}

TEST_CASE("a .git that is another's leads nowhere") {
  attacked a;
  auto base = a.w.session("feature/x");
  auto other = base.checkout / ".git";
  auto before = snapshot(base.checkout);
  SECTION("missing") {
    fs::remove_all(a.git_dir());
    a.refuses("not a git repository");
  }
  SECTION("a file that leads to another session's") {
    fs::remove_all(a.git_dir());
    write(a.git_dir(), "gitdir: " + other.string() + '\n');
    a.try_all();
  }
  SECTION("a link to another session's") {
    fs::remove_all(a.git_dir());
    fs::create_symlink(other, a.git_dir());
    a.try_all();
  }
  SECTION("a link to the mirror") {
    fs::remove_all(a.git_dir());
    fs::create_symlink(a.w.mirror.path(), a.git_dir());
    a.try_all();
  }
  SECTION("an empty directory") {
    fs::remove_all(a.git_dir());
    fs::create_directory(a.git_dir());
    a.refuses("not a git repository");
  }
  CHECK(snapshot(base.checkout) == before);
}

TEST_CASE("links inside .git lead nowhere") {
  attacked a;
  auto victim = a.w.session("feature/x");
  auto theirs = victim.checkout / ".git";
  auto before = snapshot(victim.checkout);
  auto aside = a.w.dir.path() / "aside";
  for (const std::string name : {"objects", "refs", "index", "HEAD",
                                 "refs/heads/main", "objects/pack", "config"}) {
    CAPTURE(name);
    fs::rename(a.git_dir() / name, aside);
    fs::create_symlink(theirs / name, a.git_dir() / name);
    a.try_all();
    fs::remove_all(a.git_dir() / name);
    fs::rename(aside, a.git_dir() / name);
  }
  CHECK(snapshot(victim.checkout) == before);
}

TEST_CASE("a FIFO in .git holds nobody up") {
  attacked a;
  for (const std::string name : {"HEAD", "packed-refs", "refs/heads/main",
                                 "info/exclude", "MERGE_HEAD"}) {
    CAPTURE(name);
    auto path = a.git_dir() / name;
    auto before = read(path);
    fs::remove(path);
    REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
    a.refuses_while_active("`.git/" + name
                           + "` is neither a file nor a directory");
    // At the end it goes: there is nothing in it.
    if (name == "HEAD")
      attacked::refuses("not a git repository",
                        [&] { rescue(a.w.rescue_of(a.place)); });
    else
      CHECK_FALSE(rescue(a.w.rescue_of(a.place)).refs.empty());
    CHECK_FALSE(fs::exists(fs::symlink_status(path)));
    write(path, before);
  }
}

TEST_CASE("a FIFO in the work tree is left out") {
  attacked a;
  REQUIRE(::mkfifo((a.place.checkout / "pipe").c_str(), 0600) == 0);
  fs::remove(a.place.checkout / "empty");
  REQUIRE(::mkfifo((a.place.checkout / "empty").c_str(), 0600) == 0);
  CHECK(a.commit());
  CHECK(a.w.in(a.place).state("").dirty_files == 1); // "empty" is gone
}

TEST_CASE("whatever a session borrows, it gets nowhere else") {
  attacked a;
  auto alternates = a.git_dir() / "objects/info/alternates";
  auto own = read(alternates);
  auto before = snapshot(a.w.work());
  SECTION("another store") {
    write(alternates, "/nonexistent/objects\n");
    a.try_all();
  }
  SECTION("one more store") {
    write(alternates, own + (a.w.work() / ".git/objects").string() + '\n');
    a.try_all();
  }
  SECTION("none: the mirror's objects are lent all the same") {
    fs::remove(alternates);
    CHECK(a.commit());
  }
  SECTION("another repository's common directory") {
    write(a.git_dir() / "commondir", (a.w.work() / ".git").string() + '\n');
    a.try_all();
  }
  CHECK(snapshot(a.w.work()) == before);
}

TEST_CASE("of corrupt repositories is saved what can be, and nothing changed") {
  attacked a;
  auto base = a.w.upstream_at("refs/heads/main");
  SECTION("HEAD is rubbish") {
    write(a.git_dir() / "HEAD", "rubbish\n");
  }
  SECTION("the branch is rubbish") {
    write(a.git_dir() / "refs/heads/main", "rubbish\n");
  }
  SECTION("the branch leads to an object that is not there") {
    write(a.git_dir() / "refs/heads/main", std::string(40, '1') + '\n');
  }
  SECTION("the branch leads in a circle") {
    write(a.git_dir() / "refs/heads/main", "ref: refs/heads/main\n");
  }
  SECTION("packed references are rubbish") {
    fs::remove(a.git_dir() / "refs/heads/main");
    write(a.git_dir() / "packed-refs", "rubbish\n");
  }
  SECTION("a commit's objects are broken") {
    CHECK(a.commit());
    auto blob = run_git(a.place.checkout, {"rev-parse", "HEAD:work"});
    auto path = a.git_dir() / "objects" / blob.substr(0, 2) / blob.substr(2);
    fs::permissions(path, fs::perms{0644});
    fs::resize_file(path, 5);
  }
  CHECK_THROWS_AS(checkin(a.w.checkin_of(a.place, "main", base)),
                  std::runtime_error);
  // The file, or that it is there only, or nothing at all.
  auto stays = false;
  try {
    auto result = rescue(a.w.rescue_of(a.place));
    stays = leaves_work(result.note.value_or(""));
  } catch (const std::runtime_error&) {
    stays = true;
  }
  CHECK((stays || !a.w.upstream_at(a.w.rescue_ref("tree:work")).empty()));
  CHECK(a.w.upstream_at("refs/heads/main") == base);
  CHECK(read(a.place.checkout / "work") == "work\n");
}

TEST_CASE("a HEAD that leads out of refs is not followed") {
  attacked a;
  auto base = a.w.upstream_at("refs/heads/main");
  auto outside = a.place.checkout / "outside";
  write(outside, base + '\n');
  write(a.git_dir() / "HEAD", "ref: ../outside\n");
  a.refuses("not a git repository");
  CHECK(read(outside) == base + '\n');
  CHECK(a.w.upstream_at("refs/heads/main") == base);
}

TEST_CASE("a replaced object does not get into the upstream") {
  attacked a;
  auto base = a.w.upstream_at("refs/heads/main");
  const auto& top = a.place.checkout;
  run_git(top, {"add", "-A"});
  run_git(top, {"commit", "-qm", "Good"});
  // A sound object under another one's name.
  auto blob = run_git(top, {"rev-parse", "HEAD:work"});
  write(top / "other", "other\n");
  auto other = run_git(top, {"hash-object", "-w", "other"});
  auto path = [&](const std::string& id) {
    return a.git_dir() / "objects" / id.substr(0, 2) / id.substr(2);
  };
  fs::remove(path(blob));
  fs::copy(path(other), path(blob));
  CHECK_THROWS_AS(checkin(a.w.checkin_of(a.place, "main", base)),
                  std::runtime_error);
  CHECK(a.w.upstream_at("refs/heads/main") == base);
  a.w.check_sound(a.w.mirror.path());
}
