#include "tests/support/api_contract.hpp"

#include "tests/support/json_schema.hpp"
#include "tests/support/lower_case.hpp"

#include <algorithm>
#include <cctype>
#include <stdexcept>
#include <string_view>
#include <utility>

namespace greenroom::test {

using nlohmann::json;

namespace {

std::vector<std::string> cut(std::string_view text, char at) {
  std::vector<std::string> result;
  for (;;) {
    auto end = text.find(at);
    result.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos)
      return result;
    text.remove_prefix(end + 1);
  }
}

std::string without_parameters(const std::string& media_type) {
  auto result = media_type.substr(0, media_type.find(';'));
  result.erase(result.find_last_not_of(' ') + 1);
  return lower(result);
}

/// A slash at the end means nothing.
std::string without_last_slash(std::string path) {
  if (path.size() > 1 && path.ends_with('/'))
    path.pop_back();
  return path;
}

/// How many segments are the same word; nothing where the path does not fit.
int literals(const std::string& pattern, const std::string& path) {
  auto wanted = cut(pattern, '/');
  auto given = cut(path, '/');
  if (wanted.size() != given.size())
    return -1;
  int result = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i].starts_with('{') && !given[i].empty())
      continue;
    if (wanted[i] != given[i])
      return -1;
    ++result;
  }
  return result;
}

/// What the document has for a request.
struct place {
  std::string pattern; // empty: nothing
  const json* item = nullptr;
  const json* operation = nullptr; // null: not this method
};

place find_place(const json& document, const std::string& method,
                 const std::string& path) {
  place best;
  int most = -1;
  auto verb = method == "HEAD" ? "get" : lower(method);
  for (auto& [pattern, item] : document["paths"].items()) {
    auto fit = literals(pattern, path);
    if (fit < 0)
      continue;
    auto found = item.find(verb);
    auto* operation = found == item.end() ? nullptr : &*found;
    if (fit > most || (operation != nullptr && best.operation == nullptr)) {
      best = {pattern, &item, operation};
      most = fit;
    }
  }
  return best;
}

/// One exchange, held against the document.
class comparison {
public:
  comparison(const json& document, const http_exchange& exchange)
    : document_(document), schemas_(document), exchange_(exchange),
      question_(exchange.path.find('?')),
      path_(without_last_slash(exchange.path.substr(0, question_))),
      place_(find_place(document, exchange.method, path_)) {}

  std::vector<std::string> run() {
    check_request_id();
    if (place_.operation == nullptr) {
      check_stranger();
      return std::move(faults_);
    }
    check_answer();
    if (exchange_.reply.status / 100 == 2)
      check_request();
    return std::move(faults_);
  }

private:
  void fault(const std::string& what) {
    faults_.push_back(
      exchange_.method + ' ' + (place_.pattern.empty() ? path_ : place_.pattern)
      + " -> " + std::to_string(exchange_.reply.status) + ": " + what);
  }

  void check_value(const char* whose, const json& value, const json& schema) {
    for (auto& [pointer, reason] : schemas_.check(value, schema))
      fault(std::string{whose} + " \"" + pointer + "\" " + reason);
  }

  std::string header(const std::string& name) const {
    auto found = exchange_.reply.headers.find(name);
    return found == exchange_.reply.headers.end() ? std::string{}
                                                  : found->second;
  }

  void check_request_id() {
    auto id = header("x-request-id");
    if (id.empty())
      fault("there is no X-Request-Id");
    auto all = exchange_.reply.all();
    if (!all.is_object() || !all.contains("meta"))
      return;
    if (all["meta"].value("request_id", "") != id)
      fault("meta names another request than X-Request-Id, " + id);
  }

  /// What the document does not have must not be there.
  void check_stranger() {
    auto status = exchange_.reply.status;
    if (status != (place_.pattern.empty() ? 404 : 405) && status != 404)
      fault("the document has no such "
            + std::string{place_.pattern.empty() ? "path" : "method here"});
    auto all = exchange_.reply.all();
    if (!all.is_null())
      check_value("body", all, json{{"$ref", "#/components/schemas/Error"}});
  }

  void check_answer() {
    auto& responses = (*place_.operation)["responses"];
    auto found = responses.find(std::to_string(exchange_.reply.status));
    if (found == responses.end())
      found = responses.find("default");
    if (found == responses.end()) {
      fault("the document does not have this status");
      return;
    }
    auto& response = schemas_.resolved(*found);
    if (!response.contains("content")) {
      if (!exchange_.reply.body.empty())
        fault("the document has no body for this status");
      return;
    }
    check_content(response["content"]);
  }

  void check_content(const json& content) {
    auto type = without_parameters(header("content-type"));
    auto found = content.find(type);
    if (found == content.end()) {
      fault("the document does not have this status with the Content-Type \""
            + type + '"');
      return;
    }
    if (!exchange_.whole || exchange_.method == "HEAD"
        || !found->contains("schema"))
      return;
    if (type == "application/json")
      check_json("body", exchange_.reply.body, (*found)["schema"]);
    else if (type == "application/jsonl")
      check_lines();
  }

  void check_json(const char* whose, const std::string& text,
                  const json& schema) {
    auto value = json::parse(text, nullptr, false);
    if (value.is_discarded())
      fault(std::string{whose} + " is not JSON");
    else
      check_value(whose, value, schema);
  }

  /// The document has no words for a line's schema.
  void check_lines() {
    for (auto& line : cut(exchange_.reply.body, '\n'))
      if (!line.empty() && !json::accept(line))
        fault("a line is not JSON");
  }

  /// What was taken is said to be taken.
  void check_request() {
    check_query();
    auto& operation = *place_.operation;
    if (!operation.contains("requestBody")) {
      if (!exchange_.request_body.empty())
        fault("it takes a body, and the document has none");
      return;
    }
    auto& body = schemas_.resolved(operation["requestBody"]);
    if (exchange_.request_body.empty()) {
      if (body.value("required", false))
        fault("it takes no body, and the document requires one");
      return;
    }
    auto type = without_parameters(exchange_.request_type);
    auto found = body["content"].find(type);
    if (found == body["content"].end())
      fault("it takes the Content-Type \"" + type
            + "\", which the document does not have");
    else if (type == "application/json" && found->contains("schema"))
      check_json("request", exchange_.request_body, (*found)["schema"]);
  }

  void check_query() {
    if (question_ == std::string::npos)
      return;
    for (auto& pair : cut(exchange_.path.substr(question_ + 1), '&')) {
      auto name = pair.substr(0, pair.find('='));
      if (!name.empty() && !takes(*place_.item, name)
          && !takes(*place_.operation, name))
        fault("it takes the parameter \"" + name
              + "\", which the document does not have");
    }
  }

  bool takes(const json& node, const std::string& name) const {
    if (!node.contains("parameters"))
      return false;
    return std::ranges::any_of(node["parameters"], [&](auto& parameter) {
      auto& one = schemas_.resolved(parameter);
      return one["in"] == "query" && one["name"] == name;
    });
  }

  const json& document_;
  json_schema schemas_;
  const http_exchange& exchange_;
  std::size_t question_;
  std::string path_;
  place place_;
  std::vector<std::string> faults_;
};

} // namespace

api_contract::api_contract(json document) : document_(std::move(document)) {
  if (!document_.contains("paths"))
    throw std::runtime_error("this is no OpenAPI document");
}

std::vector<std::string>
api_contract::faults_of(const http_exchange& exchange) const {
  if (exchange.path.starts_with("/git/"))
    return {};
  return comparison{document_, exchange}.run();
}

std::vector<std::string> api_contract::faults_of(const std::string& path,
                                                 const sse_event& event) const {
  json whole{{"id", event.id}, {"type", event.type}, {"data", event.data}};
  // There an id is a cursor into all sessions.
  if (path.starts_with("/events"))
    whole["id"] = "0-0";
  std::vector<std::string> result;
  json_schema schemas{document_};
  for (auto& [pointer, reason] :
       schemas.check(whole, {{"$ref", "#/components/schemas/Event"}}))
    result.push_back("event " + event.type + ": \"" + pointer + "\" " + reason);
  return result;
}

} // namespace greenroom::test
