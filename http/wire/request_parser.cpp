#include "http/wire/request_parser.hpp"

#include <algorithm>
#include <climits>
#include <cstring>

namespace greenroom::http::git_http {

namespace {

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  });
  return text;
}

} // namespace

request_parser& request_parser::self(http_parser* of) {
  return *static_cast<request_parser*>(of->data);
}

const http_parser_settings& request_parser::settings() {
  static const http_parser_settings made = [] {
    http_parser_settings result;
    http_parser_settings_init(&result);
    result.on_url = [](http_parser* of, const char* at, std::size_t size) {
      self(of).head_.target.append(at, size);
      return 0;
    };
    result.on_header_field = [](http_parser* of, const char* at,
                                std::size_t size) {
      self(of).take_name(at, size);
      return 0;
    };
    result.on_header_value = [](http_parser* of, const char* at,
                                std::size_t size) {
      self(of).take_value(at, size);
      return 0;
    };
    result.on_headers_complete = [](http_parser* of) {
      self(of).end_head();
      http_parser_pause(of, 1);
      return 0;
    };
    result.on_body = [](http_parser* of, const char* at, std::size_t size) {
      auto& front = self(of).front_;
      std::memmove(front, at, size);
      front += size;
      return 0;
    };
    result.on_message_complete = [](http_parser* of) {
      auto& me = self(of);
      me.place_ = place::end;
      me.keep_alive_ = http_should_keep_alive(of) != 0;
      http_parser_pause(of, 1);
      return 0;
    };
    return result;
  }();
  return made;
}

request_parser::request_parser() {
  reset();
}

void request_parser::reset() {
  http_parser_init(&parser_, HTTP_REQUEST);
  parser_.data = this;
  place_ = place::head;
  head_ = {};
  head_size_ = 0;
  name_.clear();
  value_.clear();
  in_value_ = false;
  keep_alive_ = broken_ = false;
}

request_parser::fed request_parser::feed(char* data, std::size_t size) {
  if (place_ == place::end || size == 0 || broken_)
    return {};
  const auto in_head = place_ == place::head;
  front_ = data;
  http_parser_pause(&parser_, 0);
  auto taken = http_parser_execute(&parser_, &settings(), data, size);
  auto error = HTTP_PARSER_ERRNO(&parser_);
  if (in_head)
    head_size_ += taken;
  broken_ = head_size_ > max_head || (error != HPE_OK && error != HPE_PAUSED);
  if (head_size_ > max_head || error == HPE_HEADER_OVERFLOW)
    throw bad_message{431, "the headers of a request may have "
                             + std::to_string(max_head) + " bytes"};
  if (broken_)
    throw bad_message{400, std::string{"this is no HTTP request: "}
                             + http_errno_description(error)};
  return {taken, static_cast<std::size_t>(front_ - data)};
}

void request_parser::take_name(const char* at, std::size_t size) {
  if (place_ != place::head)
    return; // a trailer
  if (in_value_)
    end_field();
  name_.append(at, size);
}

void request_parser::take_value(const char* at, std::size_t size) {
  if (place_ != place::head)
    return;
  in_value_ = true;
  value_.append(at, size);
}

void request_parser::end_field() {
  auto name = lower(std::move(name_));
  if (name == "expect")
    head_.expects_continue = lower(value_) == "100-continue";
  else if (auto* field = field_named(name))
    *field = std::move(value_);
  name_.clear();
  value_.clear();
  in_value_ = false;
}

std::string* request_parser::field_named(const std::string& name) {
  if (name == "authorization")
    return &head_.authorization;
  if (name == "content-type")
    return &head_.content_type;
  if (name == "content-encoding")
    return &head_.content_encoding;
  if (name == "git-protocol")
    return &head_.git_protocol;
  if (name == "x-request-id")
    return &head_.request_id;
  return nullptr;
}

void request_parser::end_head() {
  end_field();
  head_.method = http_method_str(static_cast<http_method>(parser_.method));
  head_.old = parser_.http_major < 1
              || (parser_.http_major == 1 && parser_.http_minor == 0);
  // The parser's word for "none was said" is the largest number.
  if (parser_.content_length != ULLONG_MAX)
    head_.content_length = parser_.content_length;
  place_ = place::body;
}

} // namespace greenroom::http::git_http
