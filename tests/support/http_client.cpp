#include "tests/support/http_client.hpp"

#include "tests/support/lower_case.hpp"
#include "tests/support/traffic.hpp"

// A server that hangs up is an error here, and no signal.
#define CPPHTTPLIB_SEND_FLAGS MSG_NOSIGNAL
#include <httplib.h>

#include <algorithm>
#include <cctype>
#include <stdexcept>

namespace greenroom::test {

namespace {

constexpr int seconds_to_answer = 130; // above the longest of the API's own

std::string text_at(const json& all, const char* name) {
  if (!all.is_object() || !all.contains("error"))
    return {};
  return all["error"].value(name, "");
}

} // namespace

json http_reply::all() const {
  auto result = json::parse(body, nullptr, false);
  return result.is_discarded() ? json{} : result;
}

json http_reply::data() const {
  auto result = all();
  return result.is_object() && result.contains("data") ? result["data"]
                                                       : json{};
}

std::string http_reply::code() const {
  return text_at(all(), "code");
}

std::string http_reply::message() const {
  return text_at(all(), "message");
}

std::string to_string(const http_reply& reply) {
  auto result = std::to_string(reply.status);
  if (!reply.code().empty())
    result += ' ' + reply.code() + ": " + reply.message();
  return result;
}

http_reply http_client::get(const std::string& path) const {
  return send("GET", path, {}, {});
}

http_reply http_client::remove(const std::string& path) const {
  return send("DELETE", path, {}, {});
}

http_reply http_client::post(const std::string& path, const json& body) const {
  return send("POST", path, body.dump());
}

http_reply http_client::patch(const std::string& path, const json& body) const {
  return send("PATCH", path, body.dump());
}

http_reply http_client::send(const std::string& method, const std::string& path,
                             const std::string& body,
                             const std::string& content_type,
                             const header_list& headers) const {
  httplib::Client client{"127.0.0.1", port_};
  client.set_url_encode(false);
  client.set_read_timeout(seconds_to_answer);
  client.set_write_timeout(seconds_to_answer);
  httplib::Request request;
  request.method = method;
  request.path = path;
  request.body = body;
  if (!key_.empty())
    request.headers.emplace("Authorization", "Bearer " + key_);
  if (!content_type.empty())
    request.headers.emplace("Content-Type", content_type);
  for (auto& [name, value] : headers)
    request.headers.emplace(name, value);
  auto answer = client.send(request);
  if (!answer)
    throw std::runtime_error(method + ' ' + path.substr(0, 200) + ": "
                             + httplib::to_string(answer.error()));
  http_reply result{answer->status, {}, answer->body};
  for (auto& [name, value] : answer->headers)
    result.headers[lower(name)] = value;
  tell_answered(port_, {method, path, content_type, body, result});
  return result;
}

} // namespace greenroom::test
