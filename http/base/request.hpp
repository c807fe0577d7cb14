// One HTTP request as handlers see it, free of the HTTP library's types.
//
// All views point into RESTinio's own request, which the exchange holds: a
// request must not outlive its exchange. Header values are empty where the
// client sent none.
#pragma once

#include <cstdint>
#include <string_view>

namespace greenroom::http {

/// HEAD is `get` with `head` set: routes need not know of it.
enum class verb : std::uint8_t { get, post, put, patch, del, other };

struct request {
  http::verb verb = http::verb::other;
  bool head = false;
  std::string_view method; // as sent
  std::string_view path;   // not decoded, without the query
  std::string_view query;  // not decoded, without `?`
  std::string_view body;

  std::string_view authorization;
  std::string_view api_key;
  std::string_view content_type;
  std::string_view request_id;
  std::string_view last_event_id;
  std::string_view idempotency_key;
  std::string_view range;
  std::string_view origin;
  std::string_view accept;
  std::string_view cookie;
  std::string_view console;       // X-Greenroom-Console
  std::string_view passed_on_for; // the client, as another node says
  std::string_view host;
  bool two_names = false;  // two of Host or Origin
  bool needs_host = false; // HTTP/1.1

  // Of a client that wants to speak WebSocket.
  std::string_view upgrade;
  std::string_view web_socket_key;
  std::string_view web_socket_version;
  std::string_view web_socket_protocol;
};

constexpr std::string_view to_string(verb v) noexcept {
  switch (v) {
    case verb::get:
      return "GET";
    case verb::post:
      return "POST";
    case verb::put:
      return "PUT";
    case verb::patch:
      return "PATCH";
    case verb::del:
      return "DELETE";
    case verb::other:
      break;
  }
  return "OTHER";
}

} // namespace greenroom::http
