// An HTTP client for tests: one connection per request, a deadline on each.
//
// A value that knows a port and a key, so it can be copied into threads. What
// it is given goes out as it is: paths are not encoded, bodies not checked.
#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace greenroom::test {

using nlohmann::json;
using header_list = std::vector<std::pair<std::string, std::string>>;

struct http_reply {
  int status = 0;
  std::map<std::string, std::string> headers; // names in lower case
  std::string body;

  /// Null where the body is no JSON.
  json all() const;
  json data() const;
  std::string code() const;
  std::string message() const;
};

/// The status and the error, if there is one, for messages of tests.
std::string to_string(const http_reply& reply);

class http_client {
public:
  http_client(std::uint16_t port, std::string key)
    : port_(port), key_(std::move(key)) {}

  http_reply get(const std::string& path) const;
  http_reply remove(const std::string& path) const;
  http_reply post(const std::string& path, const json& body) const;
  http_reply patch(const std::string& path, const json& body) const;

  /// Any request; without a type none is sent. Throws std::runtime_error where
  /// there is no answer.
  http_reply send(const std::string& method, const std::string& path,
                  const std::string& body = {},
                  const std::string& content_type = "application/json",
                  const header_list& headers = {}) const;

  std::uint16_t port() const noexcept {
    return port_;
  }
  const std::string& key() const noexcept {
    return key_;
  }

private:
  std::uint16_t port_;
  std::string key_; // empty: none is sent
};

} // namespace greenroom::test
