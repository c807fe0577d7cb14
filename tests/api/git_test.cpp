// A session's repository as its users have it: by plain git over HTTP.
#include "tests/api/demo.hpp"

#include "runtime/base/files.hpp"
#include "runtime/base/run_command.hpp"
#include "tests/support/sockets.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

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

TEST_CASE("a branch may have as long a name as git keeps") {
  node_process node{with_git()};
  const std::string part(250, 'a');
  const auto longest =
    part + '/' + part + '/' + part + '/' + std::string(147, 'b');
  CHECK_THAT(
    expect(400, node.admin().post(sessions, {{"new_branch", part + 'a'}}))
      .message(),
    Catch::Contains("250 bytes"));
  CHECK_THAT(
    expect(400, node.admin().post(sessions, {{"new_branch", longest + 'b'}}))
      .message(),
    Catch::Contains("900 bytes"));
  {
    git_session session{node, {{"new_branch", longest}}};
    temp_dir home;
    run_git(home.path(), {"clone", "-q", session.url(), "mine"});
    auto mine = home.path() / "mine";
    commit(mine, "pushed.txt", "pushed\n");
    run_git(mine, {"push", "-q"});
    expect(200, session.user.checkin({{"skip_review", true}}));
    CHECK(node.git({"rev-parse", "refs/heads/" + longest})
          == run_git(mine, {"rev-parse", "HEAD"}));
  }
  session_user ended{node, json{{"branch", longest}}};
  ended.run("echo kept >kept.txt; git add kept.txt; "
            "git -c user.name=A -c user.email=a@b commit -qm Kept");
  expect(200, ended.remove());
  CHECK(node.git({"show", "refs/greenroom/rescue/" + ended.id() + "/heads/"
                            + longest + ":kept.txt"})
        == "kept");
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

TEST_CASE("a push of more than a session may have is refused before anything "
          "is written, though nothing runs there") {
  auto options = with_git();
  const bool by_size = GENERATE(false, true);
  options.set.push_back(by_size ? "sandbox.disk=4MiB" : "sandbox.files=1000");
  node_process node{options};
  git_session session{node, {{"new_branch", "work"}}};
  session.user.new_checkout(); // nothing has ever run there
  temp_dir home;
  run_git(home.path(), {"clone", "-q", session.url(), "mine"});
  auto mine = home.path() / "mine";
  commit(mine, "small.txt", "small\n");
  CHECK(try_git(mine, {"push"}).ok());
  const auto before = run_git(mine, {"rev-parse", "HEAD"});
  const auto files = by_size ? 6 : 1500;
  for (int i = 0; i < files; ++i)
    std::ofstream{mine / ("n" + std::to_string(i))}
      << (by_size ? std::string(1 << 20, 'x') : "x");
  run_git(mine, {"add", "-A"});
  run_git(mine, {"commit", "-qm", "Many"});
  auto result = try_git(mine, {"push"});
  INFO(result.err);
  CHECK_FALSE(result.ok());
  CHECK(result.err.find(by_size ? "the branch's files take more than 4MiB"
                                : "the branch has more than 1000 files")
        != std::string::npos);
  CHECK_FALSE(fs::exists(session.user.checkout() / "n0"));
  CHECK(fs::exists(session.user.checkout() / "small.txt"));
  run_git(mine, {"fetch", "-q"});
  CHECK(run_git(mine, {"rev-parse", "origin/work"}) == before);
  run_git(mine, {"reset", "-q", "--hard", before});
  commit(mine, "more.txt", "more\n");
  CHECK(try_git(mine, {"push"}).ok());
  CHECK(session.user.run("cat more.txt")["stdout"] == "more\n");
}

TEST_CASE("the audit has pushes, those that were refused too") {
  node_process node{with_git(false)};
  git_session session{node, {{"new_branch", "work"}}};
  temp_dir home;
  run_git(home.path(), {"clone", "-q", session.url(), "mine"});
  auto mine = home.path() / "mine";
  commit(mine, "new.txt", "new\n");
  CHECK(try_git(mine, {"push"}).ok());
  CHECK_FALSE(try_git(mine, {"push", "origin", "HEAD:refs/heads/other"}).ok());
  json pushes;
  await("two pushes in the audit", [&] {
    pushes = json::array();
    const auto audit =
      expect(200, node.admin().get("/audit?session=" + session.user.id()));
    const auto entries = audit.data()["entries"];
    for (auto& one : entries)
      if (one["route"] == "/git/{id}/{sid}.git/git-receive-pack")
        pushes.push_back(one);
    return pushes.size() == 2;
  });
  // Newest first.
  CHECK(pushes[0]["status"] == 409);
  CHECK(pushes[0]["code"] == "CONFLICT");
  CHECK(pushes[1]["status"] == 200);
  for (auto& one : pushes) {
    CHECK(one["key_name"] == "clone token");
    CHECK_FALSE(one.contains("key_id"));
    CHECK(one["address"] == "127.0.0.1");
    CHECK(one["project_id"] == "demo");
    CHECK_FALSE(one["request_id"].get<std::string>().empty());
  }
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

TEST_CASE("a clone of a session fetches by name what else the upstream has") {
  node_process node{with_git(GENERATE(true, false))};
  git_session session{node, {{"new_branch", "work"}}};
  temp_dir home;
  run_git(home.path(), {"clone", "-q", session.url(), "mine"});
  auto mine = home.path() / "mine";
  auto fetched = [&](const std::string& name) {
    run_git(mine, {"fetch", "-q", "origin", name});
    return run_git(mine, {"rev-parse", "FETCH_HEAD"});
  };
  auto commit_of = [&](const std::string& message) {
    return node.git({"commit-tree", "-m", message, "main^{tree}"});
  };
  const auto first = commit_of("1");
  const auto second = commit_of("2");
  for (auto name : {"refs/pull/7/head", "refs/pull/8/head",
                    "refs/merge-requests/2/head", "refs/greenroom/x"})
    node.git({"update-ref", name, first});
  CHECK(fetched("refs/pull/7/head") == first);
  CHECK(fetched("pull/7/head") == first);
  CHECK(fetched("refs/merge-requests/2/head") == first);
  run_git(mine, {"fetch", "-q", "origin", "+refs/pull/*:refs/theirs/*"});
  CHECK(run_git(mine, {"rev-parse", "refs/theirs/8/head"}) == first);
  // As it is there now.
  node.git({"update-ref", "refs/pull/7/head", second});
  CHECK(fetched("refs/pull/7/head") == second);
  node.git({"update-ref", "-d", "refs/pull/7/head"});
  for (auto name : {"refs/pull/7/head", "refs/greenroom/x"})
    CHECK_FALSE(try_git(mine, {"fetch", "-q", "origin", name}).ok());
  // What the session itself has of such names goes before.
  session.user.run("git update-ref refs/pull/8/head HEAD");
  CHECK(fetched("refs/pull/8/head") == fetched("work"));
  run_git(mine, {"fsck"});
}

namespace {

bool has_lfs() {
  auto found = fs::exists("/usr/bin/git-lfs");
  if (!found)
    WARN("there is no git-lfs on this machine: nothing to try this with");
  return found;
}

/// Has git keep *.bin by git-lfs, in a clone or in a session.
constexpr const char* use_lfs =
  "git config filter.lfs.clean 'git-lfs clean -- %f'\n"
  "git config filter.lfs.smudge 'git-lfs smudge -- %f'\n"
  "git config filter.lfs.process 'git-lfs filter-process'\n"
  "git config filter.lfs.required true\n"
  "echo '*.bin filter=lfs diff=lfs merge=lfs -text' >.gitattributes\n";

greenroom::command_result script_in(const fs::path& cwd,
                                    const std::string& script) {
  greenroom::command what;
  what.argv = {"/bin/bash", "-c", "set -e\n" + script};
  what.cwd = cwd;
  what.env = {"PATH=/usr/local/bin:/usr/bin:/bin",
              "HOME=/nonexistent",
              "GIT_CONFIG_NOSYSTEM=1",
              "GIT_CONFIG_GLOBAL=/dev/null",
              "GIT_AUTHOR_NAME=Ada",
              "GIT_AUTHOR_EMAIL=ada@example.org",
              "GIT_COMMITTER_NAME=Ada",
              "GIT_COMMITTER_EMAIL=ada@example.org",
              "GIT_TERMINAL_PROMPT=0"};
  return greenroom::run_command(what);
}

/// How many contents the upstream, a directory, keeps by Git LFS.
std::size_t contents_in(const fs::path& upstream) {
  std::size_t count = 0;
  if (fs::exists(upstream / "lfs/objects"))
    for (const auto& one :
         fs::recursive_directory_iterator(upstream / "lfs/objects"))
      count += one.is_regular_file() ? 1 : 0;
  return count;
}

/// Where git-lfs asks for batches and contents, by a clone URL.
std::string lfs_target(const std::string& url) {
  return url.substr(url.find("/git/")) + "/info/lfs/objects/";
}

/// Takes connections, and answers nothing.
class silent_server {
public:
  silent_server() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* address = reinterpret_cast<sockaddr*>(&at);
    socklen_t size = sizeof at;
    REQUIRE(::bind(socket_.get(), address, size) == 0);
    REQUIRE(::listen(socket_.get(), 64) == 0);
    REQUIRE(::getsockname(socket_.get(), address, &size) == 0);
    port_ = ntohs(at.sin_port);
  }

  std::uint16_t port() const {
    return port_;
  }

  /// Waits for the next one to come.
  void await_client() {
    pollfd comes{socket_.get(), POLLIN, 0};
    REQUIRE(::poll(&comes, 1, 60'000) == 1);
    clients_.emplace_back(
      ::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }

private:
  greenroom::unique_fd socket_;
  std::uint16_t port_ = 0;
  std::vector<greenroom::unique_fd> clients_;
};

} // namespace

TEST_CASE("a clone is told what to do about submodules by relative URL") {
  node_process node{with_git(false)};
  auto home = node.upstream().parent_path();
  run_git(home, {"clone", "-q", "--bare", "demo.git", "lib.git"});
  temp_dir dir;
  run_git(dir.path(), {"clone", "-q", node.upstream().string(), "theirs"});
  auto theirs = dir.path() / "theirs";
  run_git(theirs, {"-c", "protocol.file.allow=always", "submodule", "add", "-q",
                   "../lib.git", "vendor/lib"});
  run_git(theirs, {"commit", "-qm", "A submodule"});
  run_git(theirs, {"push", "-q", "origin", "HEAD:main"});
  git_session session{node, {{"new_branch", "work"}}};
  run_git(dir.path(), {"clone", "-q", session.url(), "mine"});
  auto mine = dir.path() / "mine";
  auto refused = try_git(mine, {"submodule", "update", "--init"});
  CHECK_FALSE(refused.ok());
  CHECK_THAT(refused.err,
             Catch::Contains("remote: greenroom: there is no such repository")
               && Catch::Contains("git config submodule.NAME.url URL"));
  run_git(mine,
          {"config", "submodule.vendor/lib.url", (home / "lib.git").string()});
  run_git(mine,
          {"-c", "protocol.file.allow=always", "submodule", "-q", "update"});
  CHECK(greenroom::read_file(mine / "vendor/lib/README.md") == "# Demo\n");
}

TEST_CASE("Git LFS answers in its own form") {
  node_process node{with_git()};
  git_session session{node, {{"new_branch", "work"}}};
  auto top = session.url().substr(session.url().find("/git/")) + "/info/lfs/";
  http_client client{node.port(), token_of(session.url())};
  const std::string oid(64, 'a');
  auto reply = client.post(
    top + "objects/batch",
    {{"operation", "download"}, {"objects", {{{"oid", oid}, {"size", 7}}}}});
  CHECK(http_client{node.port(), "wrong"}
          .post(top + "objects/batch", json::object())
          .status
        == 401);
  if (!has_lfs()) {
    CHECK(reply.status == 501);
    CHECK_THAT(reply.body, Catch::Contains("lfs.url"));
    CHECK(json::parse(reply.body).contains("message"));
    return;
  }
  REQUIRE(reply.status == 200);
  auto one = json::parse(reply.body)["objects"][0];
  CHECK(one["oid"] == oid);
  std::string href = one["actions"]["download"]["href"];
  CHECK_THAT(href, Catch::EndsWith("/info/lfs/objects/" + oid + "?size=7"));
  // The upstream has no such contents, and git-lfs says so.
  reply = client.get(href.substr(href.find("/git/")));
  CHECK(reply.status == 404);
  CHECK_THAT(json::parse(reply.body)["message"].get<std::string>(),
             Catch::Contains(oid));
  CHECK(client.post(top + "locks/verify", json::object()).status == 404);
}

TEST_CASE("what is no batch of Git LFS is refused and says so") {
  if (!has_lfs())
    return;
  node_process node{with_git()};
  git_session session{node, {{"new_branch", "work"}}};
  http_client client{node.port(), token_of(session.url())};
  auto place = lfs_target(session.url()) + "batch";
  const json good{{"oid", std::string(64, 'a')}, {"size", 7}};
  auto batch = [](json operation, json objects) {
    return json{{"operation", std::move(operation)},
                {"objects", std::move(objects)}};
  };
  json many = json::array();
  for (int i = 0; i < 1000; ++i)
    many.push_back(good);
  CHECK(client.post(place, batch("upload", many)).status == 200);
  many.push_back(good);
  for (const auto& bad :
       {json::object(), json::array(), json(7), json{{"operation", "upload"}},
        batch("x", json::array()), batch(7, json::array({good})),
        batch(nullptr, json::array({good})), batch("upload", {{"a", good}}),
        batch("upload", {7}), batch("upload", {"text"}),
        batch("upload", {{{"oid", "../x"}}}),
        batch("upload", {{{"oid", 7}, {"size", 7}}}),
        batch("upload", {{{"oid", good["oid"]}, {"size", "7"}}}),
        batch("upload", {{{"oid", good["oid"]}, {"size", -7}}}),
        batch("upload", {{{"oid", good["oid"]}}}), batch("upload", many)}) {
    auto reply = client.post(place, bad);
    INFO(bad.dump().substr(0, 100) << " -> " << reply.body);
    CHECK(reply.status == 400);
    CHECK(json::parse(reply.body).contains("message"));
  }
  CHECK(client.send("POST", place, "{\"operation\": \"\xff\xfe\"}").status
        == 400);
}

TEST_CASE("a batch of Git LFS repeats no more of a request than its token") {
  if (!has_lfs())
    return;
  node_process node{with_git()};
  git_session session{node, {{"new_branch", "work"}}};
  auto token = token_of(session.url());
  const json batch{{"operation", "download"},
                   {"objects", {{{"oid", std::string(64, 'a')}, {"size", 7}}}}};
  for (const auto& sent :
       {"Bearer" + std::string(3000, ' ') + token, "bearer " + token}) {
    auto reply = http_client{node.port(), ""}.send(
      "POST", lfs_target(session.url()) + "batch", batch.dump(),
      "application/vnd.git-lfs+json", {{"Authorization", sent}});
    REQUIRE(reply.status == 200);
    auto one = json::parse(reply.body)["objects"][0];
    CHECK(one["actions"]["download"]["header"]
          == json{{"Authorization", "Bearer " + token}});
  }
}

TEST_CASE("a transfer of Git LFS ends with its token") {
  if (!has_lfs())
    return;
  node_process node{with_git()};
  git_session session{node, {{"new_branch", "work"}}};
  auto socket = connect_to(node.port());
  send_all(socket, "PUT " + lfs_target(session.url()) + std::string(64, 'a')
                     + "?size=1000 HTTP/1.1\r\nHost: localhost\r\n"
                       "Authorization: Bearer "
                     + token_of(session.url())
                     + "\r\nExpect: 100-continue\r\n"
                       "Content-Length: 1000\r\n\r\n");
  std::string answer;
  while (!answer.ends_with("\r\n\r\n"))
    REQUIRE(receive(socket, answer, 1));
  REQUIRE_THAT(answer, Catch::Contains(" 100 "));
  SECTION("when that is replaced") {
    expect(200, session.user.post("/clone-token", json::object()));
  }
  SECTION("when the session ends") {
    expect(200, session.user.remove());
  }
  std::string more;
  CHECK_FALSE(receive(socket, more, 1));
}

TEST_CASE("files of Git LFS come and go with git") {
  if (!has_lfs())
    return;
  node_process node{with_git()};
  temp_dir home;
  auto made = script_in(
    home.path(), "git clone -q '" + node.upstream().string()
                   + "' seed; cd seed\n" + use_lfs
                   + "seq 9000 >old.bin; git add -A; git commit -qm Old\n"
                     "git push -q origin main\n"
                     "git lfs push --all origin main");
  INFO(made.err);
  REQUIRE(made.ok());
  REQUIRE(contents_in(node.upstream()) == 1);
  git_session session{node, {{"new_branch", "work"}}};

  // In the session.
  auto inside = session.user.run(std::string{"set -e\n"} + use_lfs
                                 + "git lfs pull; tail -1 old.bin\n"
                                   "seq 8000 >new.bin; git add -A\n"
                                   "git commit -qm New; git status --short\n"
                                   "git lfs push origin work\n");
  INFO(inside.dump());
  CHECK(inside["exit_code"] == 0);
  CHECK_THAT(inside["stdout"].get<std::string>(), Catch::StartsWith("9000\n"));
  CHECK(contents_in(node.upstream()) == 2);

  // In a clone of it.
  auto clone = script_in(
    home.path(), "export GIT_LFS_SKIP_SMUDGE=1; git clone -q '" + session.url()
                   + "' mine; unset GIT_LFS_SKIP_SMUDGE; cd mine\n" + use_lfs
                   + "git lfs pull; tail -qn1 old.bin new.bin\n"
                     "seq 7000 >third.bin; git add -A; git commit -qm Third\n"
                     "git lfs push origin work; git push -q origin work\n");
  INFO(clone.out << clone.err);
  CHECK(clone.ok());
  CHECK_THAT(clone.out, Catch::Contains("9000\n8000\n"));
  CHECK(contents_in(node.upstream()) == 3);

  // And at check-in, for whoever has not pushed them.
  auto last = session.user.run("set -e\nseq 6000 >last.bin; git add -A\n"
                               "git commit -qm Last\n");
  INFO(last.dump());
  CHECK(last["exit_code"] == 0);
  auto checked_in = session.user.checkin({{"skip_review", true}});
  INFO(checked_in.body);
  REQUIRE(checked_in.status == 200);
  CHECK(checked_in.data()["rescue_refs"] == json::array());
  CHECK(contents_in(node.upstream()) == 4);
  auto whole =
    script_in(home.path(), "git clone -q -b work '" + node.upstream().string()
                             + "' whole; cd whole\n" + use_lfs
                             + "git lfs pull; tail -qn1 *.bin");
  INFO(whole.err);
  CHECK(whole.out == "6000\n8000\n9000\n7000\n");
}

TEST_CASE("a push of files of Git LFS without their contents is refused") {
  if (!has_lfs())
    return;
  node_process node{with_git()};
  temp_dir home;
  auto seeded = script_in(
    home.path(), "git clone -q '" + node.upstream().string()
                   + "' seed; cd seed\n" + use_lfs
                   + "seq 7000 >old.bin; git add -A; git commit -qm Old\n"
                     "git push -q origin main\n"
                     "git lfs push --all origin main");
  INFO(seeded.err);
  REQUIRE(seeded.ok());
  // Here the old one is a pointer only.
  git_session session{node, {{"new_branch", "work"}}};
  // git-lfs is not asked to bring them.
  auto pushed =
    session.user.run(std::string{"set -e\n"} + use_lfs
                     + "seq 9000 >new.bin; git add -A\n"
                       "git commit -qm New\n"
                       "! git push -q --no-verify origin work 2>&1\n");
  INFO(pushed.dump());
  CHECK(pushed["exit_code"] == 0);
  CHECK_THAT(pushed["stdout"].get<std::string>(),
             Catch::Contains("`new.bin` is kept by Git LFS")
               && Catch::Contains("`git lfs push origin 'work'`"));
  CHECK(contents_in(node.upstream()) == 1);
  auto again = session.user.run("git lfs push origin 'work' && git push -q "
                                "origin work");
  INFO(again.dump());
  CHECK(again["exit_code"] == 0);
  CHECK(contents_in(node.upstream()) == 2);
}

TEST_CASE("what a clone pushes of Git LFS is checked in with its contents "
          "only") {
  if (!has_lfs())
    return;
  node_process node{with_git()};
  git_session session{node, {{"new_branch", "work"}}};
  temp_dir home;
  // git-lfs is not asked to bring them.
  auto pushed =
    script_in(home.path(),
              "git clone -q '" + session.url() + "' mine; cd mine\n" + use_lfs
                + "seq 9000 >new.bin; git add -A; git commit -qm New\n"
                  "git push -q --no-verify origin work");
  INFO(pushed.err);
  REQUIRE(pushed.ok());
  auto refused = expect(409, session.user.checkin({{"skip_review", true}}));
  CHECK_THAT(refused.message(),
             Catch::Contains("`new.bin` is kept by Git LFS"));
  CHECK(session.user.status() == "active");
  CHECK(node.git({"branch", "--list", "work"}).empty());
  const auto begin = refused.message().find("git lfs push");
  REQUIRE(begin != std::string::npos);
  const auto told =
    refused.message().substr(begin, refused.message().find('`', begin) - begin);
  auto pasted = script_in(home.path() / "mine", told);
  INFO(pasted.err);
  REQUIRE(pasted.ok());
  expect(200, session.user.checkin({{"skip_review", true}}));
  CHECK(contents_in(node.upstream()) == 1);
}

TEST_CASE("rescued work is checked in with its contents of Git LFS") {
  if (!has_lfs())
    return;
  node_process node{with_git()};
  git_session first{node, {{"new_branch", "first"}}};
  auto made = first.user.run(std::string{"set -e\n"} + use_lfs
                             + "seq 9000 >new.bin; git add -A\n"
                               "git commit -qm New\n");
  INFO(made.dump());
  REQUIRE(made["exit_code"] == 0);
  expect(200, first.user.remove());
  CHECK(contents_in(node.upstream()) == 0);
  const auto from = "refs/greenroom/rescue/" + first.user.id() + "/heads/first";
  git_session second{node, {{"new_branch", "second"}, {"from_ref", from}}};
  auto pulled = second.user.run(std::string{"set -e\n"} + use_lfs
                                + "git lfs pull; tail -1 new.bin");
  INFO(pulled.dump());
  CHECK(pulled["stdout"] == "9000\n");
  expect(200, second.user.checkin({{"skip_review", true}}));
  CHECK(contents_in(node.upstream()) == 1);
}

TEST_CASE("what a refused check-in says of Git LFS helps as it is pasted") {
  if (!has_lfs())
    return;
  node_process node{with_git()};
  // Where the upstream would keep such contents is no directory.
  std::ofstream{node.upstream() / "lfs"} << "taken";
  git_session session{node, {{"new_branch", "work"}}};
  auto made = session.user.run(std::string{"set -e\n"} + use_lfs
                               + "mkdir d; seq 9000 >\"d/it's, [n]ew.bin\"\n"
                                 "git add -A; git commit -qm New\n"
                                 "echo later >later.txt; git add later.txt\n"
                                 "git commit -qm Later; echo last >last.txt\n");
  INFO(made.dump());
  REQUIRE(made["exit_code"] == 0);
  auto refused = session.user.checkin({{"skip_review", true}});
  INFO(refused.body);
  REQUIRE(refused.status == 409);
  const auto message = refused.message();
  CHECK_THAT(message, Catch::Contains("is kept by Git LFS"));
  const auto begin = message.find("git lfs migrate");
  REQUIRE(begin != message.npos);
  const auto told = message.substr(begin, message.find('`', begin) - begin);
  // What has been written since is not lost.
  session.user.run("echo since >later.txt");
  CHECK(session.user.run(told)["exit_code"] != 0);
  CHECK(session.user.run("cat later.txt; git checkout later.txt")["stdout"]
        == "since\n");
  auto pasted = session.user.run(told);
  INFO(pasted.dump());
  CHECK(pasted["exit_code"] == 0);
  auto again = session.user.checkin({{"skip_review", true}});
  INFO(again.body);
  REQUIRE(again.status == 200);
  CHECK_THAT(node.git({"show", "work:d/it's, [n]ew.bin"}),
             Catch::EndsWith("\n9000"));
  CHECK(node.git({"show", "work:last.txt"}) == "last");
  CHECK(node.git({"log", "-1", "--format=%s", "work~"}) == "Later");
}

TEST_CASE("an upstream of Git LFS that hangs holds up nothing else") {
  if (!has_lfs())
    return;
  silent_server silent;
  node_process node{with_git()};
  temp_dir home;
  auto made = script_in(home.path(),
                        "git clone -q '" + node.upstream().string()
                          + "' seed; cd seed\n"
                            "git config -f .lfsconfig lfs.url http://127.0.0.1:"
                          + std::to_string(silent.port())
                          + "\ngit add .lfsconfig; git commit -qm Silent\n"
                            "git push -q origin main");
  INFO(made.err);
  REQUIRE(made.ok());
  git_session session{node, {{"new_branch", "work"}}};
  const auto target = lfs_target(session.url());
  const auto token = token_of(session.url());
  std::vector<greenroom::unique_fd> waiting;
  for (int i = 0; i < 12; ++i) {
    waiting.push_back(connect_to(node.port()));
    send_all(waiting.back(), "GET " + target + std::string(62, 'b')
                               + std::to_string(10 + i)
                               + "?size=9 HTTP/1.1\r\nHost: localhost\r\n"
                                 "Authorization: Bearer "
                               + token + "\r\n\r\n");
  }
  silent.await_client();
  silent.await_client();

  // What is on the node is given meanwhile.
  const std::string here(64, 'a');
  auto place = node.data_dir() / "repos/demo.git/lfs.git/lfs/objects/aa/aa";
  fs::create_directories(place);
  std::ofstream{place / here} << "some contents\n";
  auto reply = http_client{node.port(), token}.get(target + here + "?size=14");
  CHECK(reply.status == 200);
  CHECK(reply.body == "some contents\n");

  // And a node that is to stop does.
  CHECK(node.terminate() == 0);
}
