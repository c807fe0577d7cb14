#include "http/restinio/request_head.hpp"

#include "http/base/parse.hpp"
#include "http/base/reply.hpp"
#include "http/restinio/characters.hpp"

#include <http_parser.h>

#include <algorithm>
#include <array>
#include <utility>

namespace greenroom::http {

namespace {

constexpr std::size_t max_method = 32;
constexpr std::size_t max_name = 256; // as front_end.cpp tells RESTinio
constexpr auto malformed_field = "a field of the request's head is malformed";

constexpr std::array<std::string_view, 9> methods{
  "GET",   "HEAD",    "POST",   "PUT",    "PATCH",
  "TRACE", "OPTIONS", "DELETE", "CONNECT"};

bool is_token(std::string_view text) noexcept {
  return !text.empty() && std::ranges::all_of(text, is_token_character);
}

bool has_controls(std::string_view text) noexcept {
  return std::ranges::any_of(text, is_control);
}

bool is_version(std::string_view text) noexcept {
  return text == " HTTP/1.1" || text == " HTTP/1.0";
}

// A path that any parser takes, as most are.
bool is_plain_path(std::string_view text) noexcept {
  return text.starts_with('/')
         && std::ranges::all_of(text, is_plain_path_character);
}

// As RESTinio's parser reads it.
bool is_target(std::string_view method, std::string_view text) noexcept {
  http_parser_url parts;
  http_parser_url_init(&parts);
  return http_parser_parse_url(text.data(), text.size(), method == "CONNECT",
                               &parts)
         == 0;
}

head_refusal bad(std::string message) {
  return {400, std::move(message)};
}

head_refusal head_too_large() {
  return {431, "the request's head is too large: at most "
                 + std::to_string(request_head::max_fields) + " fields of "
                 + std::to_string(request_head::max_line / 1024) + " KiB, "
                 + std::to_string(request_head::max_size / 1024)
                 + " KiB in all"};
}

} // namespace

request_head::result request_head::add(std::string_view bytes,
                                       const head_rules& rules) {
  const auto before = kept_.size();
  text_ = bytes;
  if (before > 0) {
    kept_ += bytes;
    text_ = kept_;
  }
  begun_ = begun_ || !bytes.empty();
  result found;
  found.refused = parse(rules);
  found.taken = done_ ? seen_ - before : bytes.size();
  // Most heads come whole, and are never copied.
  if (!done_ && before == 0)
    kept_ = bytes;
  return found;
}

void request_head::start() {
  constexpr std::size_t kept_for_the_next = 1024;
  // To assign an empty list would keep the memory.
  if (kept_.capacity() > kept_for_the_next)
    std::string{}.swap(kept_);
  kept_.clear();
  secret_.clear();
  login_.clear();
  request_id_.clear();
  text_ = {};
  seen_ = lines_ = 0;
  length_ = 0;
  begun_ = done_ = chunked_ = has_length_ = expects_continue_ = tunnels_ =
    false;
}

head_refusal request_head::parse(const head_rules& rules) {
  for (;;) {
    auto end = text_.find('\n', seen_);
    auto line = text_.substr(seen_, end - seen_);
    // RESTinio takes some of these for a line's end, and some for a head's.
    if (auto cr = line.find('\r'); cr != line.npos && cr + 1 < line.size())
      return bad("the request's head has a carriage return that ends no line");
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
    if (end == text_.npos)
      return check_unfinished(line);
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

/// What RESTinio, which reads along, would close for before the line is whole.
head_refusal request_head::check_unfinished(std::string_view line) const {
  if (lines_ > 0)
    return line.empty() ? head_refusal{}
                        : check_name(line.substr(0, line.find(':')));
  auto blank = line.find(' ');
  return blank == line.npos ? head_refusal{}
                            : check_method(line.substr(0, blank));
}

head_refusal request_head::check_line(std::string_view line) {
  if (lines_++ == 0) {
    tunnels_ = line.starts_with("CONNECT ");
    return check_request_line(line);
  }
  if (lines_ > max_fields + 1)
    return head_too_large();
  return check_field(line);
}

head_refusal request_head::check_method(std::string_view method) const {
  if (!is_token(method) || method.size() > max_method)
    return bad("this is no HTTP request");
  if (std::ranges::find(methods, method) == methods.end())
    return {501, "the method " + std::string{method} + " is not known here"};
  return {};
}

head_refusal request_head::check_request_line(std::string_view line) const {
  auto method = line.substr(0, line.find(' '));
  if (auto refused = check_method(method); refused.status != 0)
    return refused;
  // Two blanks, and nothing that is none of ours to guess about.
  auto target = line.substr(std::min(method.size() + 1, line.size()));
  auto version = target.substr(std::min(target.rfind(' '), target.size()));
  target.remove_suffix(version.size());
  if (method != "CONNECT" && is_plain_path(target) && is_version(version))
    return {};
  if (has_controls(line) || target.find(' ') != target.npos)
    return bad("the request's first line is malformed: send blanks in a URL as "
               "%20");
  if (!is_target(method, target))
    return bad("the request's URL is malformed: it is to begin with /");
  if (!is_version(version))
    return bad("the request's first line must end with HTTP/1.1 or HTTP/1.0");
  return {};
}

head_refusal request_head::check_name(std::string_view name) const {
  // The same however much of it has come.
  if (!is_token(name.substr(0, max_name + 1)))
    return bad(malformed_field);
  if (name.size() > max_name)
    return {431, "a field of the request's head has a name of more than "
                   + std::to_string(max_name) + " characters"};
  return {};
}

head_refusal request_head::check_field(std::string_view line) {
  auto colon = line.find(':');
  auto name = line.substr(0, colon);
  if (auto refused = check_name(name); refused.status != 0)
    return refused;
  if (colon == line.npos)
    return bad(malformed_field);
  auto value = trimmed(line.substr(colon + 1));
  // Where RESTinio's parser takes blanks only.
  if (line.find('\t') != line.npos
      && (is_same_word(name, "transfer-encoding")
          || is_same_word(name, "content-length")))
    return bad("the field " + std::string{name} + " has a tab");
  if (has_controls(value))
    return bad("a field of the request's head has a control character");
  return note_field(name, value);
}

head_refusal request_head::note_field(std::string_view name,
                                      std::string_view value) {
  if (is_same_word(name, "content-length")) {
    auto length = parse_count(value);
    if (!length || std::exchange(has_length_, true))
      return bad("Content-Length must be one number");
    length_ = *length;
  } else if (is_same_word(name, "transfer-encoding")) {
    if (!is_same_word(value, "chunked") || chunked_)
      return {501, "the only Transfer-Encoding that is read is chunked"};
    chunked_ = true;
  } else if (is_same_word(name.substr(0, 17), "transfer-encoding")) {
    // RESTinio's parser takes it for the one above.
    return bad("the field " + std::string{name} + " is not known here");
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
  } else if (is_same_word(name, "expect")) {
    expects_continue_ = is_same_word(value, "100-continue");
  }
  return {};
}

head_refusal request_head::check_whole(const head_rules& rules) const {
  if (chunked_ && has_length_)
    return bad("a request has a Content-Length or a Transfer-Encoding, not "
               "both");
  if (!chunked_ && length_ == 0)
    return {};
  // Nor does RESTinio take for a body what follows it.
  if (tunnels_)
    return bad("a CONNECT has no body");
  if (rules.knows && credential().empty())
    return {401, "an API key is needed: send it as Authorization: Bearer KEY "
                 "or X-API-Key: KEY"};
  if (rules.knows && !rules.knows(credential()))
    return {401, "the API key is unknown, expired or revoked"};
  if (length_ > rules.max_body)
    return {413, "the request body is larger than "
                   + std::to_string(rules.max_body) + " bytes"};
  return {};
}

std::string_view request_head::request_line() const noexcept {
  auto line = text_;
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
