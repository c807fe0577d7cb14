// A node that reads its configuration again.
#include "tests/api/demo.hpp"

#include <csignal>
#include <fstream>
#include <iterator>

using namespace greenroom::test;

namespace {

json configuration(const node_process& node) {
  std::ifstream file{node.config_file()};
  return json::parse(std::string{std::istreambuf_iterator<char>{file}, {}});
}

/// Writes it, and waits until the node has looked.
void reload(const node_process& node, const std::string& text,
            const std::string& said) {
  std::ofstream{node.config_file(), std::ios::trunc} << text;
  auto before = node.log().size();
  REQUIRE(::kill(node.pid(), SIGHUP) == 0);
  await("\"" + said + "\" in the log",
        [&] { return node.log().find(said, before) != std::string::npos; });
}

} // namespace

TEST_CASE("SIGHUP takes over changed projects and the log's level") {
  node_process node;
  auto admin = node.admin();
  session_user session{node, json{{"new_branch", "work"}}};
  auto settings = configuration(node);
  settings["projects"][0]["max_active_sessions"] = 7;
  auto third = settings["projects"][1];
  third["id"] = "third";
  settings["projects"].push_back(third);
  settings["log"]["level"] = "info";
  settings["exec"]["max_queued"] = 3;
  // What was changed by the API stays where the file says what it said.
  expect(200, admin.patch("/projects/other", {{"max_active_sessions", 9}}));
  reload(node, settings.dump(), "the configuration is read again");
  auto limit_of = [&](const std::string& project) {
    return expect(200, admin.get("/projects/" + project))
      .data()["max_active_sessions"]
      .get<int>();
  };
  CHECK(limit_of("demo") == 7);
  CHECK(limit_of("other") == 9);
  CHECK(limit_of("third") == third["max_active_sessions"]);
  CHECK(node.log().find("exec.max_queued has changed, which holds once the "
                        "node is started again")
        != std::string::npos);
  CHECK(session.run("echo still here")["stdout"] == "still here\n");
}

TEST_CASE("SIGHUP reads the administrator's key again", "[one-node]") {
  node_process node;
  auto settings = configuration(node);
  const auto file = node.config_file().parent_path() / "another.key";
  auto write = [&](const std::string& text) {
    std::ofstream{file, std::ios::trunc} << text;
    std::filesystem::permissions(file, std::filesystem::perms::owner_read
                                         | std::filesystem::perms::owner_write);
  };
  const std::string other = "another-key-of-the-admin";
  write(other + '\n');
  settings["auth"]["admin_key_file"] = file.string();
  reload(node, settings.dump(), "the administrator's key is another one");
  CHECK(node.admin().get("/keys").status == 401);
  const http_client admin{node.port(), other};
  expect(200, admin.get("/keys"));
  // One that is none changes nothing, and is said in a line.
  write("\n");
  reload(node, settings.dump(), "the administrator's key stays as it was: ");
  expect(200, admin.get("/keys"));
  json entry;
  CHECK(eventually([&] {
    entry = expect(200, admin.get("/audit?limit=1")).data()["entries"][0];
    return entry["route"] == "auth.admin_key_file";
  }));
  CHECK(entry["key_name"] == "configuration");
  CHECK(entry["object"] == "admin");
}

TEST_CASE("what SIGHUP has changed and what it could not is in the audit") {
  node_process node;
  session_user session{node, json{{"new_branch", "work"}}};
  auto settings = configuration(node);
  settings["projects"][0]["repo"] = "/nowhere.git";
  settings["projects"][1]["max_active_sessions"] = 7;
  reload(node, settings.dump(), "the configuration is read again");
  auto result_of = [&](const std::string& project) {
    const auto audit =
      expect(200, node.admin().get("/audit?project=" + project));
    const auto entries = audit.data()["entries"];
    for (auto& one : entries)
      if (one.value("key_name", "") == "configuration")
        return one;
    return json::object();
  };
  CHECK(eventually([&] {
    return result_of("other")["status"] == 200
           && result_of("demo")["status"] == 409;
  }));
  CHECK(result_of("other")["route"] == "/projects/{id}");
  CHECK(result_of("demo")["code"] == "CONFLICT");
}

TEST_CASE("SIGHUP with a configuration that is wrong changes nothing") {
  node_process node;
  auto settings = configuration(node);
  settings["projects"][0]["max_active_sessions"] = "many";
  reload(node, settings.dump(), "the configuration is not taken over: ");
  CHECK(expect(200, node.admin().get("/projects/demo"))
          .data()["max_active_sessions"]
        == 50);
  settings["projects"][0]["max_active_sessions"] = 7;
  reload(node, settings.dump(), "the configuration is read again");
  CHECK(expect(200, node.admin().get("/projects/demo"))
          .data()["max_active_sessions"]
        == 7);
}

TEST_CASE("SIGHUP with another repo waits for what lives of the one before") {
  node_process node;
  auto admin = node.admin();
  session_user session{node, json{{"new_branch", "work"}}};
  session.run("echo kept > kept.txt");
  auto repo_of = [&] {
    return expect(200, admin.get("/projects/demo"))
      .data()["repo"]
      .get<std::string>();
  };
  const auto before = repo_of();
  const auto moved = node.upstream().parent_path() / "moved.git";
  run_git(node.upstream(), {"clone", "-q", "--bare", ".", moved.string()});
  auto settings = configuration(node);
  settings["projects"][0]["repo"] = moved.string();
  settings["projects"][0]["max_active_sessions"] = 7;
  reload(node, settings.dump(), "project demo stays as it is: ");
  CHECK(repo_of() == before);
  // The session goes on, and its work goes where it came from.
  CHECK(session.run("cat kept.txt")["stdout"] == "kept\n");
  expect(200, session.post("/checkin", {{"skip_review", true}}));
  CHECK(node.git({"show", "work:kept.txt"}) == "kept");
  // The same file again, once nothing of the one before lives.
  await("the other repo", [&] {
    reload(node, settings.dump(), "the configuration is read again");
    return repo_of() == moved.string();
  });
  session_user later{node, json{{"new_branch", "later"}}};
  later.run("echo there > there.txt");
  expect(200, later.post("/checkin", {{"skip_review", true}}));
  CHECK(run_git(moved, {"branch", "--list", "later"}) == "  later");
}
