#include "http/api/documents.hpp"
#include "http/api/routes.hpp"
#include "messages/events.hpp"
#include "messages/webhooks.hpp"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include <set>
#include <string>

using namespace greenroom::http;
using nlohmann::json;

TEST_CASE("a path finds its route and its parameters") {
  auto found = find_route(verb::get, "/projects/demo/sessions/s1/execs/e1");
  REQUIRE(found.found != nullptr);
  CHECK(found.found->pattern == "/projects/{id}/sessions/{sid}/execs/{eid}");
  CHECK(found.params[0] == "demo");
  CHECK(found.params[1] == "s1");
  CHECK(found.params[2] == "e1");
}

TEST_CASE("a known path with another method names the methods it has") {
  auto found = find_route(verb::put, "/projects/demo/sessions/s1");
  CHECK(found.found == nullptr);
  CHECK(found.allow == "GET, HEAD, DELETE");
  CHECK(find_route(verb::get, "/projects/demo/sessions/s1/exec").allow
        == "POST");
}

TEST_CASE("what is no route is none") {
  for (auto path : {"", "//", "/nope", "/projects//", "/projects//sessions",
                    "/projects/demo/sessions//", "/projects/demo/sessions/s/x",
                    "//projects", "/Projects", "/projects/a/b/c/d/e/f/g/h/i",
                    "*", "projects"}) {
    CAPTURE(path);
    auto found = find_route(verb::get, path);
    CHECK(found.found == nullptr);
    CHECK(found.allow.empty());
  }
}

TEST_CASE("a slash at the end of a path means the same") {
  auto pattern_of = [](std::string_view path) {
    auto found = find_route(verb::get, path);
    return found.found == nullptr ? "" : found.found->pattern;
  };
  CHECK(pattern_of("/") == "/");
  CHECK(pattern_of("/projects/") == "/projects");
  CHECK(pattern_of("/projects/demo/") == "/projects/{id}");
  CHECK(pattern_of("/projects/demo/sessions/") == "/projects/{id}/sessions");
}

TEST_CASE("the OpenAPI document has every route and no other") {
  auto document = json::parse(openapi_document());
  std::set<std::string> served;
  for (auto& one : routes())
    served.insert(std::string{to_string(one.verb)} + " "
                  + std::string{one.pattern});
  std::set<std::string> described;
  for (auto& [path, item] : document["paths"].items())
    for (auto& [method, operation] : item.items()) {
      if (method == "parameters")
        continue;
      auto name = method;
      for (auto& c : name)
        c = static_cast<char>(std::toupper(c));
      described.insert(name + " " + path);
    }
  CHECK(served == described);
}

TEST_CASE("the OpenAPI document says which scopes and parameters there are") {
  auto document = json::parse(openapi_document());
  for (auto& one : routes()) {
    CAPTURE(one.pattern, to_string(one.verb));
    auto method = std::string{to_string(one.verb)};
    for (auto& c : method)
      c = static_cast<char>(std::tolower(c));
    auto& item = document["paths"][std::string{one.pattern}];
    auto& operation = item[method];
    CHECK(operation.contains("security") == (one.who == access::open));
    auto text = operation.value("description", "");
    for (auto scope : scopes_for(one.who))
      CHECK(text.find(scope) != std::string::npos);
    auto parameters = item.value("parameters", json::array());
    for (auto at = one.pattern.find('{'); at != std::string_view::npos;
         at = one.pattern.find('{', at + 1)) {
      auto name =
        one.pattern.substr(at + 1, one.pattern.find('}', at) - at - 1);
      auto wanted =
        json{{"$ref", "#/components/parameters/" + std::string{name}}};
      CHECK(std::find(parameters.begin(), parameters.end(), wanted)
            != parameters.end());
    }
    // What is refused before any handler, and faults of the server's.
    auto& answers = operation["responses"];
    CHECK(answers.contains("default"));
    auto is_probe = one.pattern == "/healthz" || one.pattern == "/readyz";
    for (auto status : {"400", "403"})
      CHECK(answers.contains(status) != is_probe);
    CHECK((!one.takes_body || operation.contains("requestBody")));
    std::string query;
    for (auto named : operation.value("parameters", json::array())) {
      if (named.contains("$ref"))
        named = document[json::json_pointer(
          named["$ref"].get<std::string>().substr(1))];
      if (named["in"] == "query")
        query += (query.empty() ? "" : ",") + named["name"].get<std::string>();
    }
    CHECK(query == one.query);
  }
}

TEST_CASE("the OpenAPI document has the body of every kind of event") {
  auto document = json::parse(openapi_document());
  auto& schemas = document["components"]["schemas"];
  json described;
  for (auto& one : schemas["Event"]["oneOf"]) {
    auto name = one["$ref"].get<std::string>();
    auto& event = schemas[name.substr(name.rfind('/') + 1)];
    CHECK(event["properties"].contains("data"));
    auto type = event["properties"]["type"]["const"];
    CHECK(schemas["Event"]["discriminator"]["mapping"][type] == name);
    described.push_back(type);
  }
  json known;
  for (std::size_t i = 0; i < greenroom::event_kind_count; ++i)
    known.push_back(to_string(static_cast<greenroom::event_kind>(i)));
  known.push_back(std::string{greenroom::webhook_disabled}); // of a project
  CHECK(described == known);
}

TEST_CASE("no field of a request in the OpenAPI document has a default") {
  // Generated clients would take it for one that has to be sent.
  auto document = json::parse(openapi_document());
  std::function<void(const json&)> visit = [&](const json& value) {
    CHECK_FALSE((value.is_object() && value.contains("default")));
    for (auto& child : value)
      if (child.is_structured())
        visit(child);
  };
  for (auto& [path, item] : document["paths"].items())
    for (auto& [method, operation] : item.items())
      if (method != "parameters" && operation.contains("requestBody"))
        visit(operation["requestBody"]);
  for (auto name : {"CreateSession", "Extend", "Checkin", "StartExec",
                    "TerminalSize", "CreateKey"})
    visit(document["components"]["schemas"][name]);
}

TEST_CASE("every reference in the OpenAPI document leads somewhere") {
  auto document = json::parse(openapi_document());
  std::size_t references = 0;
  std::function<void(const json&)> visit = [&](const json& value) {
    if (value.is_object() && value.contains("$ref")) {
      ++references;
      auto target = value["$ref"].get<std::string>();
      CAPTURE(target);
      CHECK(document.contains(json::json_pointer(target.substr(1))));
    }
    if (value.is_structured())
      for (auto& child : value)
        visit(child);
  };
  visit(document);
  CHECK(references > 50);
}
