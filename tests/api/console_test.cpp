// The web console as the server gives it: its files and the logins of browsers.
// tests/clients has what a person sees of it.
#include "tests/api/demo.hpp"

#include <regex>
#include <set>
#include <string>
#include <vector>

using namespace greenroom::test;

namespace {

/// A browser that has logged in by a key.
class browser {
public:
  browser(const node_process& node, const http_client& with) : node_(node) {
    auto answer = expect(200, with.send("POST", "/console/login", "", "", {}));
    set_cookie_ = answer.headers["set-cookie"];
    cookie_ = set_cookie_.substr(0, set_cookie_.find(';'));
  }

  http_reply ask(const std::string& method, const std::string& path,
                 header_list headers = {}, const std::string& body = {}) const {
    headers.emplace_back("Cookie", "theme=dark; " + cookie_);
    return node_.with_key("").send(
      method, path, body, body.empty() ? "" : "application/json", headers);
  }
  const std::string& set_cookie() const noexcept {
    return set_cookie_;
  }

private:
  const node_process& node_;
  std::string set_cookie_;
  std::string cookie_;
};

const header_list by_script{{"X-Greenroom-Console", "1"}};

} // namespace

TEST_CASE("a browser is let in by a cookie that no script can read") {
  node_process node;
  browser user{node, node.admin()};
  using Catch::Contains;
  CHECK_THAT(user.set_cookie(), Contains("; Path=/; HttpOnly; SameSite=Strict; "
                                         "Max-Age=43200"));
  CHECK(user.ask("GET", "/whoami").data()["id"] == "admin");
  // With a body, which is judged before the rest.
  auto made = expect(201, user.ask("POST", sessions, by_script,
                                   R"({"new_branch": "by-browser"})"));
  CHECK(made.data()["created_by"] == "admin");
  auto out = expect(200, user.ask("DELETE", "/console/login"));
  CHECK_THAT(out.headers["set-cookie"],
             Contains("greenroom-login=;") && Contains("Max-Age=0"));
}

TEST_CASE("a login changes nothing without the console's header") {
  node_process node;
  browser user{node, node.admin()};
  auto refused = user.ask("POST", sessions, {}, R"({"new_branch": "x"})");
  CHECK(refused.status == 403);
  CHECK_THAT(refused.message(), Catch::Contains("X-Greenroom-Console: 1"));
  CHECK(user.ask("DELETE", "/projects/demo").status == 403);
  // Nor is one made from another.
  CHECK(user.ask("POST", "/console/login", by_script).status == 401);
}

TEST_CASE("a login is over with its key, and holds over a restart") {
  node_process node;
  auto made =
    expect(201, node.admin().post("/keys", {{"name", "ann"},
                                            {"scopes", {"projects:read"}},
                                            {"expires_in", "1h"}}))
      .data();
  browser user{node, node.with_key(made["key"])};
  CHECK(user.ask("GET", "/projects").status == 200);
  CHECK(user.ask("POST", sessions, by_script, "{}").status == 403);
  auto seconds =
    std::stoi(user.set_cookie().substr(user.set_cookie().find("Max-Age=") + 8));
  CHECK(seconds <= 3600);
  CHECK(seconds > 3500);
  node.terminate();
  node.start();
  CHECK(user.ask("GET", "/projects").status == 200);
  expect(200, node.admin().remove("/keys/" + made["id"].get<std::string>()));
  auto over = user.ask("GET", "/projects");
  CHECK(over.status == 401);
  CHECK_THAT(over.message(), Catch::Contains("log in again"));
}

TEST_CASE("browsers get the console and programs what they always got") {
  node_process node;
  auto nobody = node.with_key("");
  auto page = expect(
    200, nobody.send("GET", "/", "", "", {{"Accept", "text/html,*/*;q=0.8"}}));
  CHECK_THAT(page.body, Catch::Contains("<title>Greenroom</title>"));
  CHECK_THAT(page.headers["content-security-policy"],
             Catch::Contains("default-src 'none'; script-src 'self';"));
  CHECK(page.headers["content-type"] == "text/html; charset=utf-8");
  CHECK(nobody.get("/").data()["openapi"] == "/openapi.json");
  auto script = expect(200, nobody.get("/console/app.js"));
  CHECK(script.headers["content-type"] == "text/javascript; charset=utf-8");
  auto icon = expect(200, nobody.get("/favicon.ico"));
  CHECK(icon.headers["content-type"] == "image/svg+xml");
  CHECK(icon.body == nobody.get("/console/icon.svg").body);
  for (auto path : {"/console/nope.js", "/console/.copied", "/console/..%2fx",
                    "/console/%2fetc%2fpasswd"}) {
    INFO(path);
    CHECK(nobody.get(path).status == 404);
  }
}

TEST_CASE("each script that the console imports is served") {
  node_process node;
  auto nobody = node.with_key("");
  std::regex import{R"( from '\./([a-z_]+\.js)';)"};
  std::set<std::string> known{"app.js"};
  std::vector<std::string> unread{"app.js"};
  while (!unread.empty()) {
    auto name = unread.back();
    unread.pop_back();
    INFO(name);
    auto script = expect(200, nobody.get("/console/" + name));
    auto begin =
      std::sregex_iterator{script.body.begin(), script.body.end(), import};
    for (auto it = begin; it != std::sregex_iterator{}; ++it)
      if (known.insert((*it)[1]).second)
        unread.push_back((*it)[1]);
  }
  CHECK(known.count("printout.js") == 1);
}

TEST_CASE("the guide names only routes that there are") {
  node_process node;
  auto nobody = node.with_key("");
  auto guide = expect(200, nobody.get("/llms.txt"));
  CHECK(guide.headers["content-type"] == "text/markdown; charset=utf-8");
  CHECK(nobody.get("/docs").body == guide.body);
  auto paths = nobody.get("/openapi.json").all()["paths"];
  std::regex mention{"`(GET|POST) (/[a-z]*)"};
  auto begin =
    std::sregex_iterator{guide.body.begin(), guide.body.end(), mention};
  for (auto it = begin; it != std::sregex_iterator{}; ++it) {
    INFO((*it)[2]);
    CHECK(paths.contains((*it)[2].str()));
  }
  CHECK(std::distance(begin, std::sregex_iterator{}) >= 2);
}
