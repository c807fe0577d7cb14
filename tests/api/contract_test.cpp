// The check of all traffic against the OpenAPI document: that it finds what is
// not so.
#include "tests/support/api_contract.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <vector>

using namespace greenroom::test;

namespace {

api_contract small_contract() {
  return api_contract{json::parse(R"json({
    "paths": {
      "/things/{id}": {
        "post": {
          "parameters": [{"name": "fast", "in": "query"}],
          "requestBody": {"required": true, "content": {"application/json": {
            "schema": {"type": "object", "properties":
              {"size": {"type": "integer", "minimum": 1}},
              "additionalProperties": false}}}},
          "responses": {
            "200": {"content": {"application/json": {"schema":
              {"$ref": "#/components/schemas/Thing"}}}},
            "404": {"$ref": "#/components/responses/Bad"}
          }
        }
      },
      "/things/all": {"get": {"responses": {"204": {}}}}
    },
    "components": {
      "responses": {"Bad": {"content": {"application/json": {"schema":
        {"$ref": "#/components/schemas/Error"}}}}},
      "schemas": {
        "Error": {"type": "object", "properties": {"error": {"type": "string"}},
          "required": ["error"]},
        "Named": {"type": "object", "properties":
          {"name": {"type": ["string", "null"], "pattern": "^[a-z]+$"}},
          "required": ["name"]},
        "Thing": {"allOf": [
          {"$ref": "#/components/schemas/Named"},
          {"type": "object", "properties": {
            "kind": {"enum": ["big", "small"]},
            "tags": {"type": "array", "items": {"type": "string"}},
            "labels": {"type": "object",
              "additionalProperties": {"type": "string"}}}}]},
        "A": {"type": "object", "properties":
          {"id": {"type": "string"}, "type": {"const": "a"},
           "data": {"$ref": "#/components/schemas/Named"}}},
        "Event": {"oneOf": [{"$ref": "#/components/schemas/A"}],
          "discriminator": {"propertyName": "type",
            "mapping": {"a": "#/components/schemas/A"}}}
      }
    }
  })json")};
}

http_exchange posted(const std::string& answer, int status = 200,
                     const std::string& body = R"({"size": 1})") {
  return {"POST",
          "/things/one",
          "application/json; charset=utf-8",
          body,
          {status,
           {{"content-type", "application/json"}, {"x-request-id", "r"}},
           answer}};
}

std::string first_fault(const http_exchange& exchange) {
  auto all = small_contract().faults_of(exchange);
  return all.empty() ? std::string{} : all.front();
}

std::string fault_of_body(const std::string& answer) {
  const std::string before = "POST /things/{id} -> 200: body ";
  auto all = first_fault(posted(answer));
  return all.starts_with(before) ? all.substr(before.size()) : all;
}

} // namespace

TEST_CASE("an answer is held against the document") {
  CHECK(fault_of_body(R"({"name": "x", "kind": "big", "tags": ["a"],
                          "labels": {"any": "thing"}})")
        == "");
  CHECK(fault_of_body(R"({"name": null})") == "");
  CHECK(fault_of_body("{}") == R"("" lacks "name", which is required)");
  CHECK(fault_of_body(R"({"name": 3})")
        == R"("/name" is 3, not of type ["string","null"])");
  CHECK(fault_of_body(R"({"name": "X"})")
        == R"("/name" "X" does not match "^[a-z]+$")");
  CHECK(fault_of_body(R"({"name": "x", "kind": "odd"})")
        == R"("/kind" is "odd", none of ["big","small"])");
  CHECK(fault_of_body(R"({"name": "x", "tags": ["a", 1]})")
        == R"("/tags/1" is 1, not of type "string")");
  CHECK(fault_of_body(R"({"name": "x", "labels": {"a/b": 1}})")
        == R"("/labels/a~1b" is 1, not of type "string")");
  CHECK(fault_of_body(R"({"name": "x", "more": 1})")
        == R"("/more" is not described)");
  CHECK(fault_of_body("{") == "is not JSON");
}

TEST_CASE("so are its status, its type and its request") {
  CHECK(first_fault(posted(R"({"error": "x"})", 404)) == "");
  CHECK(first_fault(posted(R"({"error": "x"})", 409))
        == "POST /things/{id} -> 409: the document does not have this status");
  auto exchange = posted(R"({"name": "x"})", 200, R"({"size": 0})");
  CHECK(first_fault(exchange)
        == R"(POST /things/{id} -> 200: request "/size" 0 is below 1)");
  exchange = posted(R"({"name": "x"})", 200, "");
  CHECK(first_fault(exchange)
        == "POST /things/{id} -> 200: it takes no body, and the document "
           "requires one");
  exchange = posted(R"({"name": "x"})");
  exchange.path += "?fast=1&slow=1";
  CHECK(first_fault(exchange)
        == "POST /things/{id} -> 200: it takes the parameter \"slow\", which "
           "the document does not have");
  exchange = posted(R"({"name": "x"})");
  exchange.reply.headers["content-type"] = "text/plain";
  CHECK(first_fault(exchange)
        == "POST /things/{id} -> 200: the document does not have this status "
           "with the Content-Type \"text/plain\"");
  exchange.reply.headers.erase("x-request-id");
  CHECK(first_fault(exchange)
        == "POST /things/{id} -> 200: there is no X-Request-Id");
}

TEST_CASE("what the document does not have is not there") {
  auto exchange = posted(R"({"error": "x"})", 404);
  exchange.path = "/other";
  CHECK(first_fault(exchange) == "");
  exchange.reply.status = 200;
  CHECK(first_fault(exchange)
        == "POST /other -> 200: the document has no such path");
  exchange = posted(R"({"error": "x"})", 405);
  exchange.method = "DELETE";
  CHECK(first_fault(exchange) == "");
  exchange.reply.status = 200;
  CHECK(first_fault(exchange)
        == "DELETE /things/{id} -> 200: the document has no such method here");
  // The path in words is meant before the one with a parameter.
  exchange = posted("", 204, "");
  exchange.method = "GET";
  exchange.path = "/things/all";
  CHECK(first_fault(exchange) == "");
  exchange.reply.body = "x";
  CHECK(first_fault(exchange)
        == "GET /things/all -> 204: the document has no body for this status");
}

TEST_CASE("so are the events of streams") {
  auto faults = [](const char* type, const json& data) {
    return small_contract().faults_of("/things", {"1-2", type, data});
  };
  CHECK(faults("a", {{"name", "x"}}).empty());
  CHECK(faults("a", json::object())
        == std::vector<std::string>{
          R"(event a: "/data" lacks "name", which is required)"});
  CHECK(faults("b", {{"name", "x"}}).size() == 1);
}
