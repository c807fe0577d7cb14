// Requests to the server of a fixture, by its administrator.
#pragma once

#include "tests/http/client.hpp"
#include "tests/http/stand_ins.hpp"

#include <nlohmann/json.hpp>

#include <string>

namespace greenroom::test {

inline const std::string session_path =
  "/projects/demo/sessions/" + std::string{demo_session};

inline http_answer get(const fixture& f, const std::string& target) {
  return call(f.port(), "GET", target, admin_secret);
}

inline http_answer post(const fixture& f, const std::string& target,
                        const std::string& body) {
  return call(f.port(), "POST", target, admin_secret, body);
}

inline nlohmann::json data_of(const http_answer& answer) {
  return nlohmann::json::parse(answer.body)["data"];
}

inline std::string message_of(const http_answer& answer) {
  return nlohmann::json::parse(answer.body)["error"]["message"];
}

} // namespace greenroom::test
