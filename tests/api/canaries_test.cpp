// Secrets are where they must be, and nowhere else: one of each kind is
// planted, a node does its main job with failures in it, and all that it
// leaves, shows and says is searched.
#include "tests/api/demo.hpp"
#include "tests/support/http_receiver.hpp"
#include "tests/support/sockets.hpp"
#include "tests/support/upstream_servers.hpp"

#include <poll.h>

#include <atomic>
#include <fstream>
#include <functional>
#include <iterator>
#include <map>
#include <mutex>
#include <set>
#include <thread>

using namespace greenroom::test;
namespace fs = std::filesystem;

namespace {

/// What can be read of it: a process may end meanwhile.
std::string content(const fs::path& path) {
  std::ifstream file{path, std::ios::binary};
  std::ostringstream all;
  if (file.peek() != std::ifstream::traits_type::eof())
    all << file.rdbuf();
  return all.str();
}

void write_line(const fs::path& path, const std::string& text) {
  std::ofstream{path} << text << '\n';
}

struct canary {
  std::string text;
  // Where it must be, as the beginnings or ends of paths below the data
  // directory.
  std::vector<std::string> files;
  // A variable by which a process shows that it is meant to have it.
  std::string owner;
  // Routes that show it to those who may set it.
  std::vector<std::string> routes;
};

/// All that is planted, by what it is.
class cage {
public:
  void plant(const std::string& kind, canary one) {
    REQUIRE(one.text.size() >= 12);
    std::lock_guard guard{mutex_};
    all_[kind] = std::move(one);
  }
  std::string text(const std::string& kind) const {
    std::lock_guard guard{mutex_};
    return all_.at(kind).text;
  }
  std::map<std::string, canary> all() const {
    std::lock_guard guard{mutex_};
    return all_;
  }

private:
  mutable std::mutex mutex_;
  std::map<std::string, canary> all_;
};

/// Looks, as long as it lives, at what all processes show of themselves.
class process_watch {
public:
  explicit process_watch(const cage& canaries)
    : canaries_(canaries), thread_([this] { run(); }) {}
  process_watch(const process_watch&) = delete;
  process_watch& operator=(const process_watch&) = delete;
  ~process_watch() {
    stop();
  }

  /// What was seen where, once each.
  std::set<std::string> stop() {
    stopped_ = true;
    if (thread_.joinable())
      thread_.join();
    return seen_;
  }
  /// The canaries that were where they belong: or nothing was looked at.
  const std::set<std::string>& at_home() const {
    return at_home_;
  }

private:
  void run() {
    while (!stopped_) {
      look();
      ::poll(nullptr, 0, 2);
    }
  }

  void look() {
    auto all = canaries_.all();
    std::error_code gone;
    for (const auto& entry : fs::directory_iterator{"/proc", gone}) {
      auto pid = entry.path().filename().string();
      if (pid.find_first_not_of("0123456789") != std::string::npos)
        continue;
      auto environment = content(entry.path() / "environ");
      auto command = content(entry.path() / "cmdline");
      for (auto& [kind, one] : all) {
        if (command.find(one.text) != std::string::npos)
          seen_.insert(kind + " in the command line of "
                       + command.substr(0, command.find('\0')));
        if (environment.find(one.text) == std::string::npos)
          continue;
        if (!one.owner.empty()
            && environment.find(one.owner) != std::string::npos)
          at_home_.insert(kind);
        else
          seen_.insert(kind + " in the environment of "
                       + command.substr(0, command.find('\0')));
      }
    }
  }

  const cage& canaries_;
  std::set<std::string> seen_;
  std::set<std::string> at_home_;
  std::atomic<bool> stopped_ = false;
  std::thread thread_;
};

/// An upstream by HTTP that wants a password.
struct closed_upstream {
  explicit closed_upstream(const std::string& password)
    : server(dir.path(), "robot", password) {
    auto work = dir.path() / "work";
    run_git(dir.path(), {"init", "-q", "-b", "main", work.string()});
    std::ofstream{work / "hello.txt"} << "hello\n";
    run_git(work, {"add", "-A"});
    run_git(work, {"commit", "-qm", "First"});
    run_git(dir.path(), {"clone", "-q", "--bare", work.string(), "demo.git"});
  }
  std::string repo() const {
    return server.url() + "/demo.git";
  }
  temp_dir dir;
  http_upstream server;
};

std::string token_in(const std::string& url) {
  auto from = url.find("session:") + 8;
  return url.substr(from, url.find('@') - from);
}

constexpr const char* session_files = "/spec.json";
const std::vector<std::string> store_files{"greenroom.db"};

class planted_node {
public:
  planted_node() {
    canaries.plant("upstream password of a variable",
                   {"canary-upstream-variable", {}, "CANARY_PASSWORD=", {}});
    canaries.plant("upstream password of a file",
                   {"canary-upstream-file", {}, "", {}});
    canaries.plant("wrong upstream password",
                   {"canary-upstream-wrong", {}, "", {}});
    // Administrators set it, and read it; commands get it.
    canaries.plant("project environment", {"canary-project-env",
                                           {"greenroom.db", session_files},
                                           "GREENROOM_EXEC_ID=",
                                           {"/projects"}});
    canaries.plant("administrator's key",
                   {node.admin_key(), {"admin.key"}, "", {}});
  }

  node_options options() {
    node_options result;
    write_line(password_file, "canary-upstream-file");
    json keys{{{"url_prefix", upstream.server.url() + '/'},
               {"username", "robot"},
               {"password_env", "CANARY_PASSWORD"}},
              {{"url_prefix", second.server.url() + '/'},
               {"username", "robot"},
               {"password_file", password_file.string()}}};
    result.set = {"git.credentials=" + keys.dump(),
                  R"(webhooks.allow_networks=["127.0.0.0/8"])",
                  "log.level=debug"};
    result.env = {"CANARY_PASSWORD=canary-upstream-variable"};
    result.project = {{"repo", upstream.repo()},
                      {"env", {{"PROJECT_SECRET", "canary-project-env"}}},
                      {"setup", "test -n \"$PROJECT_SECRET\""}};
    return result;
  }

  /// Keeps what was said, for the search.
  http_reply say(const std::string& to, http_reply reply) {
    if (reply.status >= 400)
      said[to + ' ' + std::to_string(reply.status)] += reply.body;
    return reply;
  }
  http_reply post(const std::string& path, const json& body) {
    return say("POST " + path, node.admin().post(path, body));
  }
  json make(const std::string& path, const json& body) {
    return expect(201, post(path, body)).data();
  }

  closed_upstream upstream{"canary-upstream-variable"};
  closed_upstream second{"canary-upstream-file"};
  temp_dir dir;
  fs::path password_file = dir.path() / "password";
  std::map<std::string, std::string> said;
  cage canaries;
  node_process node{options()};
};

/// Keys that are good, revoked, wrong, and in the wrong places.
void use_keys(planted_node& p) {
  auto made =
    p.make("/keys", {{"name", "user"},
                     {"scopes", {"sessions:read", "sessions:execute"}}});
  auto key = made["key"].get<std::string>();
  p.canaries.plant("key", {key, {}, "", {}});
  p.canaries.plant("wrong key", {"grk_canary-wrong-key", {}, "", {}});
  auto client = p.node.with_key(key);
  expect(200, client.get("/projects/demo/sessions"));
  p.say("a wrong key", p.node.with_key("grk_canary-wrong-key").get(sessions));
  p.say("forbidden", client.remove("/projects/demo"));
  auto nobody = p.node.with_key("");
  for (auto name : {"api_key", "key", "token", "access_token", "ticket"})
    p.say(std::string{"a key as "} + name,
          nobody.get(sessions + '?' + name + '=' + key));
  p.say("a malformed header",
        nobody.send("GET", sessions, "", "",
                    {{"Authorization", "Basic " + key + " and more"}}));
  p.say("malformed JSON", client.send("POST", sessions, "{\"branch\": " + key));
  expect(200, p.node.admin().remove("/keys/" + made["id"].get<std::string>()));
  p.say("a revoked key", client.get(sessions));
}

void use_upstreams(planted_node& p) {
  p.canaries.plant("credentials in a repository's URL",
                   {"canary-in-repo-url", {}, "", {}});
  for (const std::string url :
       {"https://me:canary-in-repo-url@git.example.org/x.git",
        "https://canary-in-repo-url@git.example.org/x.git",
        "ssh://git:canary-in-repo-url@git.example.org/x.git"}) {
    auto refused = p.post("/projects", {{"id", "third"}, {"repo", url}});
    CHECK(refused.status == 400);
    p.say("a PATCH of a repository",
          p.node.admin().patch("/projects/other", {{"repo", url}}));
  }
  p.make("/projects", {{"id", "second"}, {"repo", p.second.repo()}});
  const std::string of_second = "/projects/second/sessions";
  // An upstream that does not let us in, and then does.
  write_line(p.password_file, "canary-upstream-wrong");
  CHECK(p.post(of_second, {{"new_branch", "by-file"}}).status == 503);
  write_line(p.password_file, "canary-upstream-file");
  auto made = p.make(of_second, {{"new_branch", "by-file"}});
  expect(200,
         p.post(of_second + '/' + made["id"].get<std::string>() + "/checkin",
                {{"skip_review", true}}));
}

void use_commands(planted_node& p, const session_user& session) {
  p.canaries.plant(
    "a command's environment",
    {"canary-exec-env", {session_files}, "GREENROOM_EXEC_ID=", {}});
  p.canaries.plant("a command's input", {"canary-exec-input", {}, "", {}});
  json env{{"EXEC_SECRET", "canary-exec-env"}};
  auto run = [&](const std::string& id, json more) {
    more["exec_id"] = id;
    more["env"] = env;
    return p.post(session.path("/exec"), more);
  };
  CHECK(run("well", {{"command", "test \"$EXEC_SECRET\" = canary-exec-\"env\" "
                                 "&& test \"$(cat)\" = canary-exec-\"input\" "
                                 "&& sleep 0.2; echo $?"},
                     {"stdin_text", "canary-exec-input"},
                     {"wait", "60s"}})
          .data()["stdout"]
        == "0\n");
  run("late",
      {{"command", "sleep 1000"}, {"timeout", "200ms"}, {"wait", "60s"}});
  run("absent", {{"argv", {"/nonexistent/program"}}, {"wait", "60s"}});
  run("nowhere", {{"command", "true"}, {"cwd", "no/such"}, {"wait", "60s"}});
  run("well", {{"command", "another of this name"}});
  run("bad name!", {{"command", "true"}});
  run("long", {{"command", "sleep 1000"}});
  session.await_status("long", "running");
}

void use_git(planted_node& p, const session_user& session,
             const std::string& clone_url) {
  p.canaries.plant("clone token", {token_in(clone_url), {}, "", {}});
  auto rotated =
    expect(200, p.post(session.path("/clone-token"), json::object()))
      .data()["auth_clone_url"]
      .get<std::string>();
  p.canaries.plant("rotated clone token", {token_in(rotated), {}, "", {}});
  // The client's own process shows none either.
  auto store = p.dir.path() / "git-credentials";
  auto plain = rotated;
  plain.erase(plain.find("session:") + 7, token_in(rotated).size() + 1);
  const auto helper = "credential.helper=store --file=" + store.string();
  auto git = [&](std::vector<std::string> args) {
    args.insert(args.begin(), {"-c", helper});
    run_git(p.dir.path(), args);
  };
  std::ofstream{store} << rotated.substr(0, rotated.find("/git/")) << '\n';
  git({"clone", "-q", plain, "mine"});
  auto mine = p.dir.path() / "mine";
  std::ofstream{mine / "pushed.txt"} << "pushed\n";
  run_git(mine, {"add", "-A"});
  run_git(mine, {"commit", "-qm", "Pushed"});
  git({"-C", mine.string(), "push", "-q"});
  CHECK_THROWS(git({"-C", mine.string(), "push", "-q", "origin", "HEAD:main"}));
  std::ofstream{store} << clone_url.substr(0, clone_url.find("/git/")) << '\n';
  CHECK_THROWS(git({"-C", mine.string(), "fetch", "-q"}));
}

/// Its answers say what its receiver was not to be told; one fails.
void use_webhooks(planted_node& p, const http_receiver& receiver) {
  p.canaries.plant(
    "secret in a webhook's URL",
    {"canary-in-webhook-url", store_files, "", {"/projects/demo/webhooks"}});
  auto made = p.make("/projects/demo/webhooks",
                     {{"url", receiver.url("/in?t=canary-in-webhook-url")}});
  p.canaries.plant("webhook secret",
                   {made["secret"].get<std::string>(), store_files, "", {}});
  p.canaries.plant("credentials in a webhook's URL",
                   {"canary-webhook-user", {}, "", {}});
  CHECK(p.post("/projects/demo/webhooks",
               {{"url", "http://me:canary-webhook-user@127.0.0.1/"}})
          .status
        == 400);
}

std::string request(std::uint16_t port, const std::string& host,
                    const std::string& path, const std::string& headers = {}) {
  auto socket = connect_to(port);
  send_all(socket, "GET " + path + " HTTP/1.1\r\nHost: " + host
                     + "\r\nConnection: close\r\n" + headers + "\r\n");
  std::string all;
  while (receive(socket, all, 64 * 1024))
    continue;
  return all;
}

void use_previews(planted_node& p, const session_user& session) {
  auto made = p.make(session.path("/ports/3000/link"), json::object());
  auto url = made["url"].get<std::string>();
  auto secret = url.substr(url.rfind('=') + 1);
  p.canaries.plant("preview link", {secret, {}, "", {}});
  auto host = url.substr(url.find("://") + 3);
  auto path = host.substr(host.find('/'));
  host = host.substr(0, host.find('/'));
  auto port =
    static_cast<std::uint16_t>(std::stoul(host.substr(host.rfind(':') + 1)));
  auto opened = request(port, host, path);
  CHECK(opened.starts_with("HTTP/1.1 303"));
  auto cookie = opened.substr(opened.find("greenroom-preview="));
  cookie = cookie.substr(0, cookie.find(';'));
  p.canaries.plant("preview cookie",
                   {cookie.substr(cookie.find('=') + 1), {}, "", {}});
  // Nothing listens: refused, with and without.
  p.said["a preview"] += request(port, host, "/", "Cookie: " + cookie + "\r\n");
  p.said["a preview by key"] +=
    request(port, host, "/", "X-API-Key: " + p.node.admin_key() + "\r\n");
  auto ticket = p.make(session.path("/stream-ticket"), json::object())["ticket"]
                  .get<std::string>();
  p.canaries.plant("stream ticket", {ticket, {}, "", {}});
  auto nobody = p.node.with_key("");
  auto output = session.path("/execs/well/output?ticket=") + ticket;
  expect(200, nobody.get(output));
  p.say("a ticket that is used up", nobody.get(output));
}

/// What the node shows to an administrator.
std::map<std::string, std::string> shown(const planted_node& p,
                                         const session_user& session) {
  std::map<std::string, std::string> result;
  for (const std::string& path :
       {std::string{"/projects"}, std::string{"/projects/demo"},
        std::string{"/projects/demo/webhooks"}, std::string{"/sessions"},
        std::string{"/keys"}, std::string{"/audit?limit=200"},
        std::string{"/audit?format=jsonl"}, std::string{"/metrics"},
        std::string{"/readyz"}, std::string{"/nodes"}, std::string{"/whoami"},
        sessions, session.path(), session.path("/timeline"),
        session.path("/execs"), session.path("/execs/well"),
        session.path("/execs/late"), session.path("/ports")}) {
    auto reply = p.node.admin().get(path);
    INFO(path << ": " << to_string(reply));
    CHECK(reply.status < 500);
    result[path] = reply.body;
  }
  const auto hooks = p.node.admin().get("/projects/demo/webhooks").data();
  for (auto& hook : hooks["webhooks"]) {
    auto path = "/projects/demo/webhooks/" + hook["id"].get<std::string>()
                + "/deliveries?limit=200";
    result[path] = expect(200, p.node.admin().get(path)).body;
  }
  return result;
}

bool belongs(const canary& one, const std::string& path) {
  for (auto& place : one.files)
    if (path.starts_with(place) || path.ends_with(place))
      return true;
  return false;
}

void check_files(const planted_node& p, std::set<std::string>& at_home) {
  for (auto& entry : fs::recursive_directory_iterator{
         p.node.data_dir(), fs::directory_options::skip_permission_denied}) {
    if (!entry.is_regular_file() || entry.is_symlink())
      continue;
    auto path = fs::relative(entry.path(), p.node.data_dir()).string();
    auto text = content(entry.path());
    for (auto& [kind, one] : p.canaries.all()) {
      auto found = text.find(one.text) != std::string::npos;
      if (found && belongs(one, path)) {
        at_home.insert(kind);
        // Only the server's user may read it.
        auto others = fs::status(entry.path()).permissions()
                      & (fs::perms::group_all | fs::perms::others_all);
        INFO(path);
        CHECK(others == fs::perms::none);
      } else if (found) {
        FAIL_CHECK(kind << " in the file " << path);
      }
    }
  }
}

bool may_show(const canary& one, const std::string& path) {
  for (auto& route : one.routes)
    if (path.starts_with(route))
      return true;
  return false;
}

} // namespace

TEST_CASE("no secret is anywhere but where it must be") {
  planted_node p;
  process_watch processes{p.canaries};
  std::atomic<int> deliveries = 0;
  http_receiver receiver{[&](const received_request&) {
    return http_receiver::answer(deliveries++ == 0 ? 500 : 200);
  }};
  use_keys(p);
  use_webhooks(p, receiver);
  use_upstreams(p);
  const header_list once{{"Idempotency-Key", "create-work"}};
  auto create = [&] {
    return expect(201, p.node.admin().send("POST", sessions,
                                           R"({"new_branch": "work"})",
                                           "application/json", once))
      .data();
  };
  // A create that is repeated has another token.
  p.canaries.plant("first clone token",
                   {token_in(create()["auth_clone_url"]), {}, "", {}});
  auto made = create();
  session_user session{p.node, made["id"].get<std::string>()};
  use_commands(p, session);
  use_previews(p, session);
  use_git(p, session, made["auth_clone_url"]);
  p.said["a preview's 404"] +=
    p.node.admin().get(session.path("/execs/none")).body;

  // The node dies and comes back while a command runs.
  p.node.kill9();
  p.node.start();
  CHECK(session.exec("long")["status"] == "running");
  std::set<std::string> at_home;
  check_files(p, at_home); // also what is there only while a session lives
  auto live = shown(p, session);
  session_user dropped{p.node, json{{"new_branch", "dropped"}}};
  dropped.run("echo x > x");
  expect(200, dropped.remove());
  expect(200, session.checkin({{"skip_review", true}}));
  CHECK(run_git(p.upstream.dir.path() / "demo.git", {"show", "work:pushed.txt"})
        == "pushed");
  await("deliveries, one of them again", [&] { return deliveries > 2; });

  check_files(p, at_home);
  auto all = shown(p, session);
  all.merge(live);
  const auto events = session.watch("from=earliest").rest();
  for (auto& event : events)
    all["the stream"] += event.data.dump() + event.id;
  all["log"] = p.node.log();
  for (auto& [what, text] : p.said)
    all["answer: " + what] = text;
  for (auto& [kind, one] : p.canaries.all())
    for (auto& [place, text] : all)
      if (text.find(one.text) != std::string::npos && !may_show(one, place)) {
        auto at = text.find(one.text);
        FAIL_CHECK(kind << " in " << place << ": …"
                        << text.substr(at > 80 ? at - 80 : 0, 200));
      }
  for (auto& seen : processes.stop())
    FAIL_CHECK(seen);
  // The search finds what is there, or all of this would prove nothing.
  for (const std::string kind :
       {"administrator's key", "a command's environment",
        "project environment"}) {
    INFO(kind);
    CHECK(at_home.contains(kind));
  }
  // Those of webhooks are in the store, which is a file of a node's own where
  // it is alone.
  for (const std::string kind : {"webhook secret", "secret in a webhook's URL"})
    CHECK(at_home.contains(kind) == (nodes_of_a_test() == 1));
  for (const std::string kind :
       {"upstream password of a variable", "a command's environment"}) {
    INFO(kind);
    CHECK(processes.at_home().contains(kind));
  }
}
