#include "http/wire/message_parser.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/status.hpp>

#include <limits>
#include <optional>
#include <variant>

namespace greenroom::http::wire {

namespace {

namespace beast = boost::beast;
using beast::http::error;

/// What came of one message.
struct received {
  message_head head;
  header_list trailers;
  std::string_view piece;
  bool first_line = false;
  bool whole_head = false;
};

/// What Beast finds goes into `received`.
template <bool IsRequest>
class collector final : public beast::http::basic_parser<IsRequest> {
public:
  explicit collector(received& to) : to_(to) {
    this->header_limit(max_head);
    this->body_limit(boost::none);
    this->eager(false);
  }

private:
  using code = beast::error_code;
  using text = beast::string_view;

  static std::string_view view(text from) {
    return {from.data(), from.size()};
  }

  void on_request_impl(beast::http::verb, text method, text target, int version,
                       code&) override {
    to_.head.method = view(method);
    to_.head.target = view(target);
    to_.head.old = version == 10;
    to_.first_line = true;
  }
  void on_response_impl(int status, text reason, int version, code&) override {
    to_.head.status = status;
    to_.head.reason = view(reason);
    to_.head.old = version == 10;
    to_.first_line = true;
  }
  void on_field_impl(beast::http::field, text name, text value,
                     code&) override {
    (to_.whole_head ? to_.trailers : to_.head.headers)
      .add(view(name), view(value));
  }
  void on_header_impl(code&) override {
    to_.whole_head = true;
    to_.head.chunked = this->chunked();
    if (auto length = this->content_length())
      to_.head.content_length = *length;
    to_.head.keep_alive = this->keep_alive();
  }
  void on_body_init_impl(const boost::optional<std::uint64_t>&,
                         code&) override {}
  std::size_t on_body_impl(text body, code&) override {
    to_.piece = view(body);
    return body.size();
  }
  void on_chunk_header_impl(std::uint64_t, text, code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, text body, code&) override {
    to_.piece = view(body);
    return body.size();
  }
  void on_finish_impl(code&) override {}

  received& to_;
};

bad_message too_long(bool first_line) {
  if (!first_line)
    return {414, "the first line of a request may have "
                   + std::to_string(max_head) + " bytes"};
  return {431, "the headers of a message may have " + std::to_string(max_head)
                 + " bytes"};
}

void check_request(const message_head& head) {
  auto hosts = head.headers.count("Host");
  if (hosts > 1 || (hosts == 0 && !head.old))
    throw bad_message{400, "a request names exactly one Host"};
  if (head.headers.count("Transfer-Encoding") != 0) {
    if (head.old)
      throw bad_message{400, "HTTP/1.0 knows no Transfer-Encoding"};
    if (!head.chunked
        || !equal_caseless(head.headers.get("Transfer-Encoding"), "chunked"))
      throw bad_message{501, "no Transfer-Encoding but chunked is understood"};
  }
  if (auto expected = head.headers.get("Expect");
      !expected.empty() && !head.expects_continue() && !head.old)
    throw bad_message{417, "nothing but 100-continue can be expected"};
}

// "0\r\n\r\n" is the shortest end of a chunked body. Once Beast has seen that
// it begins, builds with assertions take no less than all of it.
bool begins_to_end(std::string_view data) {
  return data.size() < 5 && data.front() == '0';
}

} // namespace

struct message_parser::state {
  explicit state(message_kind k) : kind(k) {
    reset(false);
  }

  void reset(bool answers_head) {
    got = {};
    touched = broken = false;
    if (kind == message_kind::request) {
      parser.emplace<collector<true>>(got);
    } else {
      auto& made = parser.emplace<collector<false>>(got);
      if (answers_head)
        made.skip(true);
    }
  }

  template <class F>
  decltype(auto) with(F f) {
    if (auto* request = std::get_if<collector<true>>(&parser))
      return f(*request);
    return f(std::get<collector<false>>(parser));
  }

  [[noreturn]] void fail(const bad_message& why) {
    broken = true;
    throw why;
  }

  const message_kind kind;
  received got;
  std::variant<std::monostate, collector<true>, collector<false>> parser;
  bool touched = false;
  bool in_chunk_head = false; // and it has not come whole
  bool broken = false;
};

message_parser::message_parser(message_kind kind)
  : state_(std::make_unique<state>(kind)) {}

message_parser::~message_parser() = default;

message_parser::fed message_parser::feed(std::string_view data) {
  auto& s = *state_;
  if (at() == place::end || data.empty() || s.broken)
    return {};
  if (s.in_chunk_head && begins_to_end(data))
    return {};
  const auto in_head = !s.got.whole_head;
  s.touched = true;
  s.got.piece = {};
  beast::error_code failure;
  auto taken = s.with([&](auto& parser) {
    return parser.put(boost::asio::buffer(data.data(), data.size()), failure);
  });
  if (failure == error::header_limit
      || (in_head && failure == error::need_more && data.size() >= max_head))
    s.fail(
      too_long(s.got.first_line || data.find('\n') != std::string_view::npos));
  s.in_chunk_head = s.got.whole_head && failure == error::need_more;
  if (failure && failure != error::need_more)
    s.fail({400, "this is no HTTP message: " + failure.message()});
  if (in_head && s.got.whole_head && s.kind == message_kind::request)
    try {
      check_request(s.got.head);
    } catch (const bad_message& why) {
      s.fail(why);
    }
  return {taken, s.got.piece};
}

bool message_parser::feed_end() noexcept {
  auto& s = *state_;
  if (at() == place::end)
    return true;
  if (!s.got.whole_head)
    return false;
  beast::error_code failure;
  s.with([&](auto& parser) { parser.put_eof(failure); });
  return !failure;
}

message_parser::place message_parser::at() const noexcept {
  auto& s = *state_;
  if (!s.got.whole_head)
    return place::head;
  auto done = s.with([](auto& parser) { return parser.is_done(); });
  return done ? place::end : place::body;
}

bool message_parser::untouched() const noexcept {
  return !state_->touched;
}

bool message_parser::broken() const noexcept {
  return state_->broken;
}

const message_head& message_parser::head() const noexcept {
  return state_->got.head;
}

const header_list& message_parser::trailers() const noexcept {
  return state_->got.trailers;
}

void message_parser::reset(bool answers_head) {
  state_->reset(answers_head);
}

std::string_view reason_of(int status) noexcept {
  auto text =
    beast::http::obsolete_reason(static_cast<beast::http::status>(status));
  return {text.data(), text.size()};
}

} // namespace greenroom::http::wire
