// git itself, unmodified, against the listener.
#include "tests/http/git/git_node.hpp"
#include "tests/support/eventually.hpp"

#include <catch2/catch.hpp>

using namespace greenroom;
using namespace greenroom::test;

namespace {

fs::path clone(git_node& node, std::vector<std::string> more = {},
               const std::string& name = "clone") {
  std::vector<std::string> args{"clone", "-q"};
  args.insert(args.end(), more.begin(), more.end());
  args.insert(args.end(), {node.url(), name});
  must_git(node.home(), args);
  return node.home() / name;
}

std::string head_of(const fs::path& repo) {
  return must_git(repo, {"rev-parse", "HEAD"});
}

bool contains(const std::string& text, const std::string& part) {
  INFO(text);
  CHECK(text.find(part) != std::string::npos);
  return text.find(part) != std::string::npos;
}

/// A push that must be refused; gives what git showed.
std::string refused_push(const fs::path& repo, std::vector<std::string> args) {
  args.insert(args.begin(), "push");
  auto result = user_git(repo, args);
  REQUIRE_FALSE(result.ok());
  return result.err;
}

void await_pushes(git_node& node, std::size_t count) {
  await("push", [&] { return node.pushes().size() == count; });
}

} // namespace

TEST_CASE("a clone is the session's branch, checked out") {
  git_node node;
  auto mine = clone(node);
  CHECK(must_git(mine, {"branch", "--show-current"}) == git_branch);
  CHECK(head_of(mine) == head_of(node.checkout()));
  CHECK(read_text(mine / "README.md") == "# Demo, again\n");
  must_git(mine, {"fsck", "--strict"});
}

TEST_CASE("all versions of the protocol are spoken") {
  git_node node;
  for (auto version : {"0", "1", "2"}) {
    must_git(node.home(),
             {"-c", std::string{"protocol.version="} + version, "clone", "-q",
              node.url(), std::string{"clone"} + version});
    CHECK(head_of(node.home() / (std::string{"clone"} + version))
          == head_of(node.checkout()));
  }
}

TEST_CASE("a commit made in the session can be fetched at once") {
  git_node node;
  auto mine = clone(node);
  commit_file(node.checkout(), "new.txt", "new\n");
  must_git(mine, {"pull", "-q"});
  CHECK(read_text(mine / "new.txt") == "new\n");
}

TEST_CASE("shallow and partial clones work, and can push") {
  git_node node;
  auto shallow = clone(node, {"--depth=1"}, "shallow");
  CHECK(must_git(shallow, {"rev-list", "--count", "HEAD"}) == "1");
  commit_file(shallow, "shallow.txt", "1\n");
  must_git(shallow, {"push", "-q"});
  CHECK(read_text(node.checkout() / "shallow.txt") == "1\n");

  auto partial = clone(node, {"--filter=blob:none", "--no-checkout"}, "part");
  auto missing =
    must_git(partial, {"rev-list", "--objects", "--missing=print", "HEAD"});
  CHECK(missing.find("\n?") != std::string::npos);
  must_git(partial, {"checkout", "-q", git_branch});
  CHECK(read_text(partial / "big.txt").size() == 10'000);
  must_git(shallow, {"fetch", "-q", "--unshallow"});
  CHECK(must_git(shallow, {"rev-list", "--count", "HEAD"}) == "4");
}

TEST_CASE("a push shows in the checkout, and the session hears of it") {
  git_node node;
  auto mine = clone(node);
  auto before = head_of(mine);
  commit_file(mine, "pushed.txt", "pushed\n");
  must_git(mine, {"push", "-q"});
  CHECK(read_text(node.checkout() / "pushed.txt") == "pushed\n");
  CHECK(must_git(node.checkout(), {"status", "--porcelain"}).empty());
  await_pushes(node, 1);
  auto push = node.pushes()[0];
  CHECK(push.old_commit == before);
  CHECK(push.new_commit == head_of(mine));
  CHECK(push.applied);
}

TEST_CASE("a push while the session stands elsewhere is not applied") {
  git_node node;
  auto mine = clone(node, {"-b", git_branch});
  must_git(node.checkout(), {"checkout", "-q", "main"});
  commit_file(mine, "pushed.txt", "pushed\n");
  must_git(mine, {"push", "-q", "origin", git_branch});
  CHECK_FALSE(fs::exists(node.checkout() / "pushed.txt"));
  await_pushes(node, 1);
  CHECK_FALSE(node.pushes()[0].applied);
}

TEST_CASE("a push may have lines of attributes that are too long for git") {
  git_node node;
  auto mine = clone(node);
  commit_file(mine, ".gitattributes", std::string(3000, 'x') + " text\n");
  must_git(mine, {"push", "-q"});
  CHECK(read_text(node.checkout() / ".gitattributes").size() == 3006);
}

TEST_CASE("a push with options is told that there are none") {
  git_node node;
  auto mine = clone(node);
  // Whatever the session's own configuration says.
  must_git(node.checkout(), {"config", "receive.advertisePushOptions", "true"});
  commit_file(mine, "pushed.txt", "pushed\n");
  contains(refused_push(mine, {"-o", "ci.skip"}),
           "the receiving end does not support push options");
  CHECK_FALSE(fs::exists(node.checkout() / "pushed.txt"));
  must_git(mine, {"push", "-q"});
  CHECK(read_text(node.checkout() / "pushed.txt") == "pushed\n");
}

TEST_CASE("a push to a dirty checkout is refused and says what to do") {
  git_node node;
  auto mine = clone(node);
  auto before = head_of(node.checkout());
  commit_file(mine, "README.md", "# Theirs\n");
  SECTION("changed, not staged") {
    write_text(node.checkout() / "README.md", "# Mine\n");
  }
  SECTION("staged") {
    write_text(node.checkout() / "other.txt", "mine\n");
    must_git(node.checkout(), {"add", "-A"});
  }
  SECTION("not tracked, and in the way") {
    commit_file(mine, "way.txt", "theirs\n");
    write_text(node.checkout() / "way.txt", "mine\n");
  }
  auto shown = refused_push(mine, {});
  CHECK(contains(shown, "remote: greenroom: the session's checkout has changes "
                        "of its own"));
  CHECK(contains(shown, "[remote rejected]"));
  CHECK(head_of(node.checkout()) == before);
  CHECK(node.pushes().empty());
}

TEST_CASE("nothing but the session's branch can be pushed") {
  git_node node;
  auto mine = clone(node);
  auto refs = must_git(node.checkout(), {"show-ref"});
  commit_file(mine, "pushed.txt", "pushed\n");
  must_git(mine, {"tag", "v9"});
  const std::string only =
    "remote: greenroom: only the branch \"work\" of this "
    "session can be pushed";
  for (auto& args : std::vector<std::vector<std::string>>{
         {"origin", "HEAD:main"},
         {"origin", "HEAD:refs/heads/work2"},
         {"origin", "HEAD:refs/heads/work/deeper"},
         {"origin", "HEAD:refs/greenroom/rescue/x"},
         {"origin", "v9"},
         {"origin", "work", "v9"},
         {"--force", "origin", "HEAD:main"}}) {
    auto shown = refused_push(mine, args);
    CHECK(contains(shown, only));
    CHECK(contains(shown, "[remote rejected]"));
  }
  CHECK(contains(refused_push(mine, {"origin", ":work"}), "cannot be deleted"));
  CHECK(must_git(node.checkout(), {"show-ref"}) == refs);
  CHECK(node.pushes().empty());
}

TEST_CASE("a push that is no fast-forward is refused, forced or not") {
  git_node node;
  auto mine = clone(node);
  must_git(mine, {"reset", "-q", "--hard", "HEAD~1"});
  commit_file(mine, "other.txt", "other\n");
  auto before = head_of(node.checkout());
  auto shown = refused_push(mine, {"--force"});
  CHECK(contains(shown, "non-fast-forward"));
  CHECK(contains(shown, "remote: greenroom: the session's branch has commits "
                        "that this push would drop"));
  CHECK(contains(shown, "git pull --rebase"));
  CHECK(head_of(node.checkout()) == before);
  CHECK(node.pushes().empty());
  must_git(mine, {"pull", "-q", "--rebase"});
  must_git(mine, {"push", "-q"});
  CHECK(head_of(node.checkout()) == head_of(mine));
}

TEST_CASE("a push while the session takes none says why") {
  git_node node;
  auto mine = clone(node);
  commit_file(mine, "pushed.txt", "pushed\n");
  node.refuse_transfers("the session is being checked in");
  CHECK(contains(refused_push(mine, {}), "the session is being checked in"));
  CHECK(node.pushes().empty());
}

TEST_CASE("without the token there is nothing, whatever is asked for") {
  git_node node;
  auto wrong = user_git(node.home(), {"ls-remote", node.url("gr_wrong")});
  REQUIRE_FALSE(wrong.ok());
  CHECK(contains(wrong.err, "Authentication failed"));
  CHECK(contains(wrong.err, "remote: greenroom: the clone token is wrong, a "
                            "newer one has taken its place"));
  CHECK(contains(wrong.err, "`greenroom checkout SESSION`"));
  auto bearer = [&](const std::string& token) {
    return user_git(node.home(),
                    {"-c", "http.extraHeader=Authorization: Bearer " + token,
                     "ls-remote",
                     "http://127.0.0.1:" + std::to_string(node.port())
                       + git_node::path()})
      .ok();
  };
  CHECK(bearer(git_token));
  CHECK_FALSE(bearer("gr_wrong"));
  CHECK(node.log().find(git_token) == std::string::npos);
  CHECK(node.log().find("gr_wrong") == std::string::npos);
  CHECK(contains(node.log(), "GET " + git_node::path() + "/info/refs 200"));
  CHECK(contains(node.log(), "GET " + git_node::path() + "/info/refs 401"));
}

TEST_CASE("git is served on an endpoint of its own, too") {
  git_node node{{[](auto& o) { o.git_host = "127.0.0.1"; }, {}}};
  REQUIRE(node.git_port() != node.port());
  must_git(node.home(),
           {"ls-remote", "http://session:" + git_token
                           + "@127.0.0.1:" + std::to_string(node.git_port())
                           + git_node::path()});
  clone(node);
}

TEST_CASE("the dumb protocol is refused with a sentence") {
  git_node node;
  auto result = user_git(node.home(), {"ls-remote", node.url()});
  REQUIRE(result.ok());
  command what;
  what.argv = {"git", "ls-remote", node.url()};
  what.cwd = node.home();
  what.env = {"PATH=/usr/bin:/bin",
              "LC_ALL=C",
              "GIT_SMART_HTTP=0",
              "GIT_CONFIG_NOSYSTEM=1",
              "GIT_CONFIG_GLOBAL=/dev/null",
              "GIT_TERMINAL_PROMPT=0"};
  auto dumb = run_command(what);
  CHECK_FALSE(dumb.ok());
  CHECK(contains(dumb.err, "only git's smart HTTP protocol"));
}

TEST_CASE("what the checkout's own configuration names never runs") {
  auto mode = GENERATE(sandbox_mode::none, sandbox_mode::bubblewrap);
  git_node node{{{}, mode}};
  auto mine = clone(node);
  auto canary = node.home() / "canary";
  auto program = node.home() / "program";
  write_text(program, "#!/bin/sh\ntouch " + canary.string() + "\ncat\n");
  fs::permissions(program, fs::perms::owner_all);
  auto checkout = node.checkout();
  auto config = [&](const std::string& name, const std::string& value) {
    must_git(checkout, {"config", name, value});
  };
  for (auto name : {"pre-receive", "update", "post-receive", "post-update",
                    "push-to-checkout", "proc-receive", "reference-transaction",
                    "post-checkout", "post-index-change"}) {
    write_text(checkout / ".git/hooks" / name, read_text(program));
    fs::permissions(checkout / ".git/hooks" / name, fs::perms::owner_all);
    fs::create_directories(checkout / ".git/mine");
    write_text(checkout / ".git/mine" / name, read_text(program));
    fs::permissions(checkout / ".git/mine" / name, fs::perms::owner_all);
  }
  config("core.hooksPath", ".git/mine");
  config("core.fsmonitor", program.string());
  config("core.alternateRefsCommand", program.string());
  config("uploadpack.packObjectsHook", program.string());
  config("core.sshCommand", program.string());
  config("core.gitProxy", program.string());
  config("gc.auto", "1");
  commit_file(mine, "pushed.txt", "pushed\n");
  // They are there to be run: this git does.
  must_git(checkout, {"status"});
  REQUIRE(fs::exists(canary));
  fs::remove(canary);
  must_git(mine, {"push", "-q"});
  must_git(mine, {"fetch", "-q"});
  clone(node, {}, "again");
  CHECK(read_text(checkout / "pushed.txt") == "pushed\n");
  CHECK_FALSE(fs::exists(canary));
}

TEST_CASE("filters of the session's run in its sandbox only") {
  git_node node{{{}, sandbox_mode::bubblewrap}};
  auto mine = clone(node);
  auto outside = node.home() / "canary";
  must_git(node.checkout(), {"config", "filter.mine.smudge",
                             "sh -c 'touch " + outside.string()
                               + "; touch /workspace/.git/inside; cat'"});
  write_text(node.checkout() / ".git/info/attributes", "*.txt filter=mine\n");
  commit_file(mine, "pushed.txt", "pushed\n");
  must_git(mine, {"push", "-q"});
  CHECK(read_text(node.checkout() / "pushed.txt") == "pushed\n");
  CHECK(fs::exists(node.checkout() / ".git/inside"));
  CHECK_FALSE(fs::exists(outside));
}

TEST_CASE("a repository that leads elsewhere leads nowhere") {
  git_node node{{{}, sandbox_mode::bubblewrap}};
  auto secret = node.home() / "secret";
  must_git(node.home(), {"init", "-q", "-b", "work", "secret"});
  commit_file(secret, "secret.txt", "secret\n");
  fs::remove_all(node.checkout() / ".git");
  SECTION("by a link") {
    fs::create_symlink(secret / ".git", node.checkout() / ".git");
  }
  SECTION("by a file") {
    write_text(node.checkout() / ".git",
               "gitdir: " + (secret / ".git").string() + '\n');
  }
  auto result = user_git(node.home(), {"clone", node.url(), "clone"});
  CHECK_FALSE(result.ok());
  CHECK_FALSE(fs::exists(node.home() / "clone/secret.txt"));
}
