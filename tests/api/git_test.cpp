// A session's repository as its users have it: by plain git over HTTP.
#include "tests/api/demo.hpp"

#include "runtime/base/files.hpp"
#include "runtime/base/run_command.hpp"

#include <fstream>

using namespace greenroom::test;
namespace fs = std::filesystem;

namespace {

/// Git is served beside the API, but only an endpoint of its own is known by
/// its port where the kernel has chosen that.
node_options with_git(bool sandboxed = true) {
  node_options result;
  result.sandboxed = sandboxed;
  result.set = {"git.listen=127.0.0.1:0"};
  return result;
}

struct git_session {
  git_session(const node_process& node, const json& body)
    : made(expect(201, node.admin().post(sessions, body)).data()),
      user(node, made["id"].get<std::string>()) {}

  std::string url() const {
    return made["auth_clone_url"];
  }

  json made;
  session_user user;
};

greenroom::command_result try_git(const fs::path& cwd,
                                  std::vector<std::string> args) {
  greenroom::command what;
  what.argv = {"git"};
  what.argv.insert(what.argv.end(), args.begin(), args.end());
  what.cwd = cwd;
  what.env = {"PATH=/usr/local/bin:/usr/bin:/bin",
              "HOME=/nonexistent",
              "LC_ALL=C",
              "GIT_CONFIG_NOSYSTEM=1",
              "GIT_CONFIG_GLOBAL=/dev/null",
              "GIT_TERMINAL_PROMPT=0"};
  return greenroom::run_command(what);
}

void commit(const fs::path& repo, const std::string& name,
            const std::string& text) {
  std::ofstream{repo / name} << text;
  run_git(repo, {"add", "-A"});
  run_git(repo, {"commit", "-qm", "Write " + name});
}

std::string token_of(const std::string& url) {
  auto from = url.find("session:") + 8;
  return url.substr(from, url.find('@') - from);
}

/// The same at the API's own port.
std::string beside_the_api(const std::string& url, const node_process& node) {
  auto host = url.find('@') + 1;
  return url.substr(0, host) + "127.0.0.1:" + std::to_string(node.port())
         + url.substr(url.find('/', host));
}

json event_of_type(const session_user& user, const std::string& type) {
  json found;
  await(type, [&] {
    for (auto& event : user.timeline())
      if (event["type"] == type)
        found = event;
    return !found.is_null();
  });
  return found;
}

} // namespace

TEST_CASE("a session is cloned, pushed to and pulled from by plain git") {
  node_process node{with_git(GENERATE(true, false))};
  git_session session{node, {{"new_branch", "work"}}};
  temp_dir home;
  run_git(home.path(), {"clone", "-q", session.url(), "mine"});
  auto mine = home.path() / "mine";
  CHECK(run_git(mine, {"branch", "--show-current"}) == "work");
  auto before = run_git(mine, {"rev-parse", "HEAD"});

  commit(mine, "pushed.txt", "pushed\n");
  run_git(mine, {"push", "-q"});
  CHECK(session.user.run("cat pushed.txt")["stdout"] == "pushed\n");
  auto event = event_of_type(session.user, "git.pushed");
  CHECK(event["data"]["branch"] == "work");
  CHECK(event["data"]["old"] == before);
  CHECK(event["data"]["new"] == run_git(mine, {"rev-parse", "HEAD"}));
  CHECK(event["data"]["applied"] == true);

  session.user.run("echo made >made.txt; git add -A; "
                   "git -c user.name=A -c user.email=a@b commit -qm Made");
  run_git(mine, {"pull", "-q"});
  CHECK(greenroom::read_file(mine / "made.txt") == "made\n");
  run_git(mine, {"fsck", "--strict"});

  expect(200, session.user.checkin({{"skip_review", true}}));
  CHECK(node.git({"rev-parse", "work"})
        == run_git(mine, {"rev-parse", "HEAD"}));
}

TEST_CASE("the clone URL works at the API's port, too") {
  node_process node{with_git()};
  git_session session{node, {{"branch", "topic"}}};
  temp_dir home;
  run_git(home.path(),
          {"clone", "-q", beside_the_api(session.url(), node), "a"});
  run_git(home.path(), {"clone", "-q", "--depth=1", session.url(), "b"});
  run_git(home.path(),
          {"clone", "-q", "--filter=blob:none", session.url(), "c"});
  for (auto name : {"a", "b", "c"})
    CHECK(run_git(home.path() / name, {"rev-parse", "HEAD"})
          == node.git({"rev-parse", "topic"}));
}

TEST_CASE("a push to a dirty checkout changes nothing and says what to do") {
  node_process node{with_git()};
  git_session session{node, {{"new_branch", "work"}}};
  temp_dir home;
  run_git(home.path(), {"clone", "-q", session.url(), "mine"});
  session.user.run("echo dirty >>README.md");
  auto mine = home.path() / "mine";
  commit(mine, "README.md", "theirs\n");
  auto result = try_git(mine, {"push"});
  CHECK_FALSE(result.ok());
  INFO(result.err);
  CHECK(result.err.find("remote: greenroom: the session's checkout has changes "
                        "of its own")
        != std::string::npos);
  CHECK(session.user.run("tail -1 README.md")["stdout"] == "dirty\n");
}

TEST_CASE("a token is dead once it is rotated, and at the session's end") {
  node_process node{with_git()};
  git_session session{node, {{"new_branch", "work"}}};
  temp_dir home;
  auto works = [&](const std::string& url) {
    return try_git(home.path(), {"ls-remote", url}).ok();
  };
  CHECK(works(session.url()));
  auto rotated =
    expect(200, session.user.post("/clone-token", json::object())).data();
  auto next = rotated["auth_clone_url"].get<std::string>();
  CHECK(token_of(next) != token_of(session.url()));
  CHECK_FALSE(works(session.url()));
  CHECK(works(next));
  expect(200, session.user.remove());
  auto result = try_git(home.path(), {"ls-remote", next});
  CHECK_FALSE(result.ok());
  CHECK(result.err.find("Authentication failed") != std::string::npos);

  // It was never written down but by its hash.
  for (auto& secret : {token_of(session.url()), token_of(next)}) {
    CHECK(node.log().find(secret) == std::string::npos);
    CHECK(session.user.timeline().dump().find(secret) == std::string::npos);
    for (auto& entry : fs::recursive_directory_iterator{node.data_dir()})
      if (entry.is_regular_file()) {
        INFO(entry.path());
        CHECK(greenroom::read_file(entry.path()).value_or("").find(secret)
              == std::string::npos);
      }
  }
}

TEST_CASE("a token outlives the server that made it") {
  node_process node{with_git()};
  git_session session{node, {{"new_branch", "work"}}};
  temp_dir home;
  run_git(home.path(),
          {"clone", "-q", beside_the_api(session.url(), node), "a"});
  node.kill9();
  node.start();
  run_git(home.path(),
          {"clone", "-q", beside_the_api(session.url(), node), "b"});
}

TEST_CASE("one session's token opens no other") {
  node_process node{with_git()};
  git_session one{node, {{"new_branch", "one"}}};
  git_session two{node, {{"new_branch", "two"}}};
  temp_dir home;
  auto mixed = one.url();
  mixed.replace(mixed.find(one.user.id()), 20, two.user.id());
  CHECK_FALSE(try_git(home.path(), {"ls-remote", mixed}).ok());
  auto foreign = one.url();
  foreign.replace(foreign.find("/demo/"), 6, "/other/");
  CHECK_FALSE(try_git(home.path(), {"ls-remote", foreign}).ok());
  CHECK(try_git(home.path(), {"ls-remote", two.url()}).ok());
}

TEST_CASE("links and clone URLs name the port that is really served") {
  node_process node;
  auto made =
    expect(201, node.admin().post(sessions, {{"new_branch", "work"}})).data();
  auto base = "http://127.0.0.1:" + std::to_string(node.port()) + '/';
  CHECK_THAT(made["instructions"].get<std::string>(), Catch::Contains(base));
  auto url = made["auth_clone_url"].get<std::string>();
  CHECK_THAT(url, Catch::Contains("@127.0.0.1:" + std::to_string(node.port())));
  run_git(node.upstream().parent_path(), {"clone", "-q", url, "cloned"});
  CHECK(fs::exists(node.upstream().parent_path() / "cloned/README.md"));
}

TEST_CASE("a clone of a session has the upstream's branches as they are now") {
  node_process node{with_git(GENERATE(true, false))};
  git_session session{node, {{"new_branch", "work"}}};
  temp_dir home;
  run_git(home.path(), {"clone", "-q", node.upstream().string(), "theirs"});
  commit(home.path() / "theirs", "theirs.txt", "theirs\n");
  run_git(home.path() / "theirs", {"push", "-q", "origin", "HEAD:main"});
  auto main = node.git({"rev-parse", "main"});
  for (const std::string protocol : {"0", "2"}) {
    auto version = "protocol.version=" + protocol;
    auto name = "v" + protocol;
    run_git(home.path(), {"-c", version, "clone", "-q", session.url(), name});
    auto mine = home.path() / name;
    CHECK(run_git(mine, {"branch", "--show-current"}) == "work");
    CHECK(run_git(mine, {"rev-parse", "origin/main"}) == main);
    CHECK(run_git(mine, {"rev-parse", "origin/topic"})
          == node.git({"rev-parse", "topic"}));
    run_git(mine, {"-c", version, "fetch", "-q"});
    run_git(mine, {"fsck"});
    CHECK_FALSE(try_git(mine, {"push", "-q", "origin", "HEAD:main"}).ok());
  }
}

TEST_CASE("Git LFS is told where the contents are") {
  node_process node{with_git()};
  git_session session{node, {{"new_branch", "work"}}};
  auto path = session.url().substr(session.url().find("/git/"))
              + "/info/lfs/objects/batch";
  auto reply = http_client{node.port(), token_of(session.url())}.post(
    path, {{"operation", "download"}, {"objects", json::array()}});
  CHECK(reply.status == 501);
  CHECK_THAT(reply.body, Catch::Contains("lfs.url"));
  CHECK(json::parse(reply.body).contains("message"));
  CHECK(http_client{node.port(), "wrong"}.post(path, json::object()).status
        == 401);
}
