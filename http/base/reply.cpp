#include "http/base/reply.hpp"

#include "http/base/error_table.hpp"
#include "runtime/base/timestamps.hpp"

#include <nlohmann/json.hpp>

namespace greenroom::http {

namespace {

/// A request id is visible ASCII; two of those characters need care in JSON.
void append_escaped(std::string& out, std::string_view text) {
  if (text.find('"') == text.npos && text.find('\\') == text.npos) {
    out += text;
    return;
  }
  for (auto c : text) {
    if (c == '"' || c == '\\')
      out.push_back('\\');
    out.push_back(c);
  }
}

// Cannot come in a request id, whose quotes are escaped.
constexpr std::string_view meta_begin = R"(,"meta":{"request_id":")";

void append_meta(std::string& out, std::string_view request_id, unix_ms now) {
  out += meta_begin;
  append_escaped(out, request_id);
  out += R"(","timestamp":")";
  out += format_rfc3339(now);
  // The line ends, so that a shell's prompt does not stick to it.
  out += "\"}}\n";
}

constexpr std::size_t meta_size = 100;

std::string as_json(std::string_view text) {
  // A message may quote what the client sent, and must not fail on it.
  return nlohmann::json(text).dump(-1, ' ', false,
                                   nlohmann::json::error_handler_t::replace);
}

/// What every error tells, before the fields of `more`, a JSON object or empty.
void append_details(std::string& out, const error_advice& advice,
                    std::string_view more) {
  out += R"({"remediation":)";
  out += as_json(advice.remediation);
  out += R"(,"retryable":)";
  out += advice.retryable ? "true" : "false";
  if (advice.retry_after > 0) {
    out += R"(,"retry_after_ms":)";
    out += std::to_string(advice.retry_after);
  }
  if (more.size() > 2) { // has fields
    out += ',';
    more.remove_prefix(1);
    out += more;
  } else {
    out += '}';
  }
}

} // namespace

int status_of(errc code) noexcept {
  switch (code) {
    case errc::bad_request:
      return 400;
    case errc::unauthorized:
      return 401;
    case errc::forbidden:
    case errc::quota_exceeded:
      return 403;
    case errc::not_found:
      return 404;
    case errc::method_not_allowed:
      return 405;
    case errc::session_exists:
    case errc::checkout_exists:
    case errc::branch_exists:
    case errc::exec_exists:
    case errc::project_exists:
    case errc::conflict:
    case errc::key_reused:
    case errc::operation_in_progress:
      return 409;
    case errc::body_too_large:
      return 413;
    case errc::unsupported_media_type:
      return 415;
    case errc::rate_limited:
      return 429;
    case errc::overloaded:
    case errc::unavailable:
      return 503;
    case errc::timeout:
      return 504;
    case errc::internal:
      break;
  }
  return 500;
}

std::string_view reason_of(int status) noexcept {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 409:
      return "Conflict";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 416:
      return "Range Not Satisfiable";
    case 426:
      return "Upgrade Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 421:
      return "Misdirected Request";
    case 501:
      return "Not Implemented";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    default:
      return "Internal Server Error";
  }
}

std::string envelope(std::string_view data, std::string_view request_id,
                     unix_ms now) {
  std::string result;
  result.reserve(data.size() + request_id.size() + meta_size);
  result += R"({"data":)";
  result += data;
  append_meta(result, request_id, now);
  return result;
}

std::string_view without_meta(std::string_view body) noexcept {
  return body.substr(0, body.rfind(meta_begin));
}

std::string with_meta(std::string body, std::string_view request_id,
                      unix_ms now) {
  append_meta(body, request_id, now);
  return body;
}

namespace {

response to_response(const refusal& what, std::string_view request_id,
                     unix_ms now, const error_advice& advice,
                     std::string_view details) {
  response result;
  result.status = status_of(what.code);
  result.body = R"({"error":{"code":")";
  result.body += code_name(what.code);
  result.body += R"(","message":)";
  result.body += as_json(what.message);
  result.body += R"(,"details":)";
  append_details(result.body, advice, details);
  result.body += '}';
  append_meta(result.body, request_id, now);
  if (result.status == 401)
    result.headers.emplace_back("WWW-Authenticate",
                                "Bearer realm=\"greenroom\"");
  if (advice.retry_after > 0)
    result.headers.emplace_back(
      "Retry-After", std::to_string((advice.retry_after + 999) / 1000));
  return result;
}

} // namespace

response error_response(const refusal& what, std::string_view request_id,
                        unix_ms now, std::string_view details) {
  return to_response(what, request_id, now, advice_for(what), details);
}

response error_response_after(const refusal& what, std::string_view request_id,
                              unix_ms now, millis retry_after) {
  auto advice = advice_for(what);
  advice.retry_after = retry_after;
  return to_response(what, request_id, now, advice, {});
}

} // namespace greenroom::http
