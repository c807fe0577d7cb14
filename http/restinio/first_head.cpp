#include "http/restinio/first_head.hpp"

#include "http/base/parse.hpp"
#include "http/base/reply.hpp"

#include <algorithm>
#include <array>

namespace greenroom::http {

namespace {

constexpr std::size_t max_method = 32;
constexpr std::size_t max_name = 256; // as front_end.cpp tells RESTinio

constexpr std::array<std::string_view, 9> methods{
  "GET",   "HEAD",    "POST",   "PUT",    "PATCH",
  "TRACE", "OPTIONS", "DELETE", "CONNECT"};

bool is_token(std::string_view text) noexcept {
  constexpr std::string_view others = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::ranges::all_of(text, [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z')
           || (c >= 'a' && c <= 'z') || others.find(c) != others.npos;
  });
}

// Of controls a field may have tabs.
bool has_controls(std::string_view text) noexcept {
  return std::ranges::any_of(
    text, [](unsigned char c) { return (c < 0x20 && c != '\t') || c == 0x7f; });
}

head_refusal bad(std::string message) {
  return {400, std::move(message)};
}

head_refusal head_too_large() {
  return {431, "the request's head is too large: at most "
                 + std::to_string(first_head::max_fields) + " fields of "
                 + std::to_string(first_head::max_line / 1024) + " KiB, "
                 + std::to_string(first_head::max_size / 1024) + " KiB in all"};
}

} // namespace

head_refusal first_head::add(std::string_view bytes, const head_rules& rules) {
  text_ += bytes;
  for (;;) {
    auto end = text_.find('\n', seen_);
    auto line = std::string_view{text_}.substr(seen_, end - seen_);
    if (line.ends_with('\r'))
      line.remove_suffix(1);
    // Nor is what begins with no method a request, however much follows.
    if (lines_ == 0 && line.size() > max_method
        && line.substr(0, max_method + 1).find(' ') == line.npos)
      return check_request_line(line);
    if (line.size() > max_line)
      return lines_ == 0 ? head_refusal{414, "the request's URL is too long"}
                         : head_too_large();
    if (seen_ + line.size() > max_size)
      return head_too_large();
    if (end == std::string::npos) {
      // An unknown method is known before its line is whole.
      auto blank = line.find(' ');
      return lines_ == 0 && blank != line.npos ? check_request_line(line)
                                               : head_refusal{};
    }
    seen_ = end + 1;
    if (line.empty() && lines_ == 0)
      continue; // as RFC 9112 has it, some send one after a body
    if (line.empty()) {
      auto refused = check_whole(rules);
      done_ = refused.status == 0;
      return refused;
    }
    if (auto refused = check_line(line); refused.status != 0)
      return refused;
  }
}

head_refusal first_head::check_line(std::string_view line) {
  if (lines_++ == 0)
    return check_request_line(line);
  if (lines_ > max_fields + 1)
    return head_too_large();
  return check_field(line);
}

head_refusal first_head::check_request_line(std::string_view line) const {
  auto method = line.substr(0, line.find(' '));
  if (!is_token(method) || method.size() > max_method)
    return bad("this is no HTTP request");
  if (std::ranges::find(methods, method) == methods.end())
    return {501, "the method " + std::string{method} + " is not known here"};
  // Two blanks at most, and nothing that is none of ours to guess about.
  auto target = line.substr(std::min(method.size() + 1, line.size()));
  target = target.substr(0, target.rfind(' '));
  if (has_controls(line) || target.find(' ') != target.npos)
    return bad("the request's first line is malformed: send blanks in a URL as "
               "%20");
  return {};
}

head_refusal first_head::check_field(std::string_view line) {
  auto colon = line.find(':');
  auto name = line.substr(0, colon);
  if (colon == line.npos || !is_token(name))
    return bad("a field of the request's head is malformed");
  if (name.size() > max_name)
    return {431, "a field of the request's head has a name of more than "
                   + std::to_string(max_name) + " characters"};
  auto value = trimmed(line.substr(colon + 1));
  if (has_controls(value))
    return bad("a field of the request's head has a control character");
  if (is_same_word(name, "content-length")) {
    if (!parse_count(value) || !length_.empty())
      return bad("Content-Length must be one number");
    length_ = value;
  } else if (is_same_word(name, "transfer-encoding")) {
    if (!is_same_word(value, "chunked") || chunked_)
      return {501, "the only Transfer-Encoding that is read is chunked"};
    chunked_ = true;
  } else if (is_same_word(name, "authorization")) {
    if (auto secret = secret_of(value, {}); !secret.empty())
      secret_ = secret;
  } else if (is_same_word(name, "x-api-key")) {
    if (secret_.empty())
      secret_ = value;
  } else if (is_same_word(name, "cookie")) {
    login_ = login_of(value);
  } else if (is_same_word(name, "x-request-id")) {
    request_id_ = value;
  }
  return {};
}

head_refusal first_head::check_whole(const head_rules& rules) const {
  if (chunked_ && !length_.empty())
    return bad("a request has a Content-Length or a Transfer-Encoding, not "
               "both");
  auto size = parse_count(length_).value_or(0);
  if (!chunked_ && size == 0)
    return {};
  auto& sent = secret_.empty() ? login_ : secret_;
  if (rules.knows && sent.empty())
    return {401, "an API key is needed: send it as Authorization: Bearer KEY "
                 "or X-API-Key: KEY"};
  if (rules.knows && !rules.knows(sent))
    return {401, "the API key is unknown, expired or revoked"};
  if (size > rules.max_body)
    return {413, "the request body is larger than "
                   + std::to_string(rules.max_body) + " bytes"};
  return {};
}

std::string_view first_head::request_line() const noexcept {
  auto line = std::string_view{text_};
  line.remove_prefix(std::min(line.find_first_not_of("\r\n"), line.size()));
  return line.substr(0, line.find_first_of("\r\n"));
}

std::string refusal_text(const head_refusal& what, std::string_view id) {
  auto code = what.status == 401   ? errc::unauthorized
              : what.status == 413 ? errc::body_too_large
              : what.status == 503 ? errc::overloaded
                                   : errc::bad_request;
  auto answer = error_response({code, what.message}, id, now_ms());
  std::string text =
    "HTTP/1.1 " + std::to_string(what.status) + ' '
    + std::string{reason_of(what.status)}
    + "\r\nContent-Type: " + std::string{answer.content_type}
    + "\r\nContent-Length: " + std::to_string(answer.body.size())
    + "\r\nCache-Control: no-store\r\nX-Content-Type-Options: "
      "nosniff\r\nX-Request-Id: "
    + std::string{id} + "\r\nConnection: close\r\n";
  for (auto& [name, value] : answer.headers)
    text += std::string{name} + ": " + value + "\r\n";
  return text + "\r\n" + answer.body;
}

} // namespace greenroom::http
