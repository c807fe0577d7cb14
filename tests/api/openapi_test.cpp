// What the OpenAPI document says of answers, held against real ones: each
// field is described, and has the type that it is said to have.
#include "tests/api/demo.hpp"

#include <string>

using namespace greenroom::test;

namespace {

class document {
public:
  explicit document(const node_process& node)
    : all_(node.admin().get("/openapi.json").all()) {}

  /// The answer must be as `method path`, a pattern of the document, says.
  void check(const http_reply& reply, const std::string& method,
             const std::string& path) const {
    INFO(method << ' ' << path << ": " << reply.status << ' ' << reply.body);
    auto& operation = all_.at("paths").at(path).at(method);
    auto& response =
      resolved(operation.at("responses").at(std::to_string(reply.status)));
    check_value(reply.all(),
                response.at("content").at("application/json").at("schema"),
                "answer");
  }

private:
  const json& resolved(const json& schema) const {
    if (!schema.contains("$ref"))
      return schema;
    return resolved(
      all_.at(json::json_pointer(schema["$ref"].get<std::string>().substr(1))));
  }

  static bool has_type(const json& value, const std::string& type) {
    return (type == "object" && value.is_object())
           || (type == "array" && value.is_array())
           || (type == "string" && value.is_string())
           || (type == "boolean" && value.is_boolean())
           || (type == "integer" && value.is_number_integer())
           || (type == "null" && value.is_null());
  }

  static bool has_type(const json& value, const json& types) {
    if (types.is_string())
      return has_type(value, types.get<std::string>());
    for (auto& type : types)
      if (has_type(value, type.get<std::string>()))
        return true;
    return false;
  }

  void gather(const json& schema, json& properties, json& required) const {
    auto& own = resolved(schema);
    for (auto& part : own.value("allOf", json::array()))
      gather(part, properties, required);
    properties.update(own.value("properties", json::object()));
    for (auto& name : own.value("required", json::array()))
      required.push_back(name);
  }

  /// Of several, the one whose `type` is a constant that the value has.
  const json& chosen(const json& schema, const json& value) const {
    for (auto& one : schema.value("oneOf", json::array()))
      if (auto& branch = resolved(one);
          branch["properties"]["type"]["const"] == value["type"])
        return branch;
    return schema;
  }

  void check_value(const json& value, const json& named,
                   const std::string& where) const {
    auto& schema = chosen(resolved(named), value);
    INFO(where << ": " << value.dump());
    if (schema.contains("type"))
      CHECK(has_type(value, schema["type"]));
    if (schema.contains("enum"))
      CHECK(schema["enum"].dump().find(value.dump()) != std::string::npos);
    if (value.is_array() && schema.contains("items"))
      for (auto& item : value)
        check_value(item, schema["items"], where + "[]");
    json properties = json::object();
    json required = json::array();
    gather(schema, properties, required);
    if (!value.is_object() || properties.empty())
      return;
    for (auto& name : required) {
      INFO(name);
      CHECK(value.contains(name.get<std::string>()));
    }
    for (auto& [name, field] : value.items()) {
      INFO("described: " << name);
      REQUIRE(properties.contains(name));
      check_value(field, properties[name], where + '.' + name);
    }
  }

  json all_;
};

} // namespace

TEST_CASE("answers are as the OpenAPI document says") {
  node_process node{
    {.project = {{"review", {{"command", "true"}}}, {"setup", "true"}}}};
  document api{node};
  auto admin = node.admin();
  const std::string base = "/projects/{id}/sessions";
  const std::string one = base + "/{sid}";
  const std::string reviews = "/projects/{id}/reviews";

  auto made = admin.post(
    sessions,
    {{"new_branch", "work"}, {"feature_slug", "f"}, {"labels", {{"a", "b"}}}});
  api.check(made, "post", base);
  session_user session{node, made.data()["id"].get<std::string>()};
  api.check(admin.get(sessions + "?limit=1"), "get", base);
  api.check(admin.get(session.path()), "get", one);
  api.check(session.post("/extend", {{"expires_in", "2h"}}), "post",
            one + "/extend");
  api.check(session.post("/clone-token", json::object()), "post",
            one + "/clone-token");
  api.check(admin.get(session.path("/git")), "get", one + "/git");
  api.check(admin.get(session.path("/mergeability")), "get",
            one + "/mergeability");

  auto exec = [&](const json& body) {
    auto reply = session.post("/exec", body);
    api.check(reply, "post", one + "/exec");
    return reply;
  };
  exec({{"command", "printf '\\377'; echo x >&2; exit 3"}, {"wait", "20s"}});
  exec(
    {{"command", "head -c 1500000 /dev/zero | tr '\\0' x"}, {"wait", "20s"}});
  exec({{"argv", {"cat"}}, {"exec_id", "in"}, {"stdin", "open"}});
  exec({{"command", "sleep 1000"},
        {"exec_id", "tty"},
        {"tty", {{"rows", 24}, {"cols", 80}}}});
  api.check(admin.send("POST", session.path("/execs/in/stdin?eof=true"), "x",
                       "application/octet-stream"),
            "post", one + "/execs/{eid}/stdin");
  api.check(session.post("/execs/tty/resize", {{"rows", 50}, {"cols", 132}}),
            "post", one + "/execs/{eid}/resize");
  api.check(session.post("/execs/tty/signal", {{"signal", "KILL"}}), "post",
            one + "/execs/{eid}/signal");
  api.check(admin.get(session.path("/wait?until=exec:tty:exited")), "get",
            one + "/wait");
  api.check(admin.remove(session.path("/execs/tty")), "delete",
            one + "/execs/{eid}");
  api.check(admin.get(session.path("/execs?limit=3")), "get", one + "/execs");
  api.check(admin.get(session.path("/execs/tty")), "get", one + "/execs/{eid}");
  api.check(admin.get(session.path("/timeline?limit=5")), "get",
            one + "/timeline");

  session.run("echo more > more.txt");
  auto checked_in = session.checkin({{"auto_merge", true}});
  api.check(checked_in, "post", one + "/checkin");
  api.check(admin.get(session.path()), "get", one);
  auto review = "/projects/demo/reviews/"
                + checked_in.data()["review_task_id"].get<std::string>();
  await("the review's end",
        [&] { return admin.get(review).data().contains("ended_at"); });
  api.check(admin.get(review), "get", reviews + "/{rid}");
  api.check(admin.get("/projects/demo/reviews"), "get", reviews);
  session_user ended{node, json{{"new_branch", "ended"}}};
  ended.run("echo x > y");
  api.check(ended.remove(), "delete", one);

  api.check(admin.get("/projects"), "get", "/projects");
  api.check(admin.post("/projects",
                       {{"id", "third"}, {"repo", node.upstream().string()}}),
            "post", "/projects");
  api.check(admin.get("/projects/third"), "get", "/projects/{id}");
  api.check(admin.patch("/projects/third", {{"status", "stopped"}}), "patch",
            "/projects/{id}");
  api.check(admin.remove("/projects/third"), "delete", "/projects/{id}");
  auto key = admin.post("/keys", {{"name", "k"},
                                  {"scopes", {"sessions:read"}},
                                  {"projects", {"demo"}},
                                  {"author", "A B <a@b.c>"},
                                  {"expires_in", "24h"}});
  api.check(key, "post", "/keys");
  api.check(admin.get("/keys"), "get", "/keys");
  api.check(admin.remove("/keys/" + key.data()["id"].get<std::string>()),
            "delete", "/keys/{kid}");
  for (auto path : {"/healthz", "/readyz", "/version"})
    api.check(admin.get(path), "get", path);
  // What goes wrong has one form.
  api.check(admin.get(sessions + "/aaaaaaaaaaaaaaaaaaaa"), "get", one);
  api.check(admin.post(sessions, json::object()), "post", base);
}

TEST_CASE("answers about ports are as the OpenAPI document says") {
  node_process node;
  document api{node};
  auto admin = node.admin();
  const std::string one = "/projects/{id}/sessions/{sid}";
  session_user session{node, json{{"new_branch", "work"}}};
  session.start("web", "exec perl -MIO::Socket::INET -e '"
                       "$s = IO::Socket::INET->new(LocalAddr => "
                       "\"127.0.0.1\", LocalPort => 3000, Listen => 5);"
                       " sleep 1000'");
  auto waited = admin.get(session.path("/wait?until=port:3000"));
  CHECK(expect(200, waited).data()["reached"] == true);
  api.check(waited, "get", one + "/wait");
  auto ports = admin.get(session.path("/ports"));
  CHECK(ports.data()["ports"].size() == 1);
  api.check(ports, "get", one + "/ports");
  api.check(admin.get(session.path("/timeline?types=port.opened")), "get",
            one + "/timeline");
  auto port = one + "/ports/{port}";
  api.check(admin.send("PUT", session.path("/ports/3000"),
                       json{{"access", "key"}}.dump(), "application/json"),
            "put", port);
  auto link = session.post("/ports/3000/link", json::object());
  api.check(link, "post", port + "/link");
  auto id = link.data()["id"].get<std::string>();
  api.check(admin.remove(session.path("/ports/3000/links/" + id)), "delete",
            port + "/links/{lid}");
  api.check(admin.remove(session.path("/ports/3000/links/" + id)), "delete",
            port + "/links/{lid}");
  api.check(admin.get(session.path("/ports/3000/tunnel")), "get",
            port + "/tunnel");
}
