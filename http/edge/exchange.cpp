#include "http/edge/exchange.hpp"

#include "http/base/ticket.hpp"
#include "http/edge/request_log.hpp"
#include "http/edge/thread_context.hpp"
#include "http/wire/web_socket.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>

namespace greenroom::http {

namespace {

using tenths_of_ms = std::chrono::duration<std::int64_t, std::ratio<1, 10'000>>;

/// A path for the log: no longer than a line, and nothing that moves a cursor.
void append_printable(std::string& to, std::string_view path) {
  const auto begin = to.size();
  to += path.substr(0, 256);
  for (auto i = begin; i < to.size(); ++i)
    if (static_cast<unsigned char>(to[i]) < 0x20 || to[i] == 0x7f)
      to[i] = '?';
}

/// A request's line in the log. Put together by hand, for there is one for each
/// request: a library that reads a format takes several times as long.
std::string log_line(const exchange& ex, int status,
                     std::chrono::nanoseconds taken) {
  const auto tenths = std::chrono::round<tenths_of_ms>(taken).count();
  std::string line;
  line.reserve(ex.in.path.size() + 160);
  line += ex.in.method;
  line += ' ';
  append_printable(line, ex.in.path);
  line += ' ';
  line += std::to_string(status);
  line += ' ';
  line += std::to_string(tenths / 10);
  line += '.';
  line += std::to_string(tenths % 10);
  line += " ms request=";
  line += ex.id;
  line += " key=";
  line +=
    ex.key == nullptr ? std::string_view{"-"} : std::string_view{ex.key->id};
  return line;
}

/// Pages of any origin may read what a ticket lets in: it says all about who
/// asks, and no cookie counts beside it.
void allow_origin(response& answer, const request& in) {
  if (!in.origin.empty() && !ticket_of(in).empty())
    answer.headers.emplace_back("Access-Control-Allow-Origin", "*");
}

} // namespace

exchange::exchange(http::edge& thread) : env(thread) {}

exchange::~exchange() = default;

caller exchange::by() const {
  if (key == nullptr)
    return {{}, {}, {}, id};
  return {key->id, key->name, key->author, id};
}

std::chrono::milliseconds
exchange::left_of(std::chrono::milliseconds whole) const {
  using std::chrono::milliseconds;
  if (answered())
    return whole;
  auto passed = std::chrono::duration_cast<milliseconds>(
    std::chrono::steady_clock::now() - begun_);
  return std::max(whole - passed, milliseconds{1});
}

void exchange::on_input_end(std::function<void()>) {}

void exchange::answering(int status, std::string_view body) {
  status_ = status;
  until_answered.reset();
  if (unobserved_)
    return;
  const auto taken = std::chrono::steady_clock::now() - since_;
  env.observer->answered(*this, status, body, taken);
  if (env.requests.wanted())
    env.requests.add(log_line(*this, status, taken));
}

void exchange::reply(int status, std::string_view data) {
  response answer;
  answer.status = status;
  answer.body = envelope(data, id, now_ms());
  send(std::move(answer));
}

void exchange::refuse(const refusal& why) {
  send(error_response(why, id, now_ms()));
}

void exchange::refuse(errc code, std::string message) {
  refuse(refusal{code, std::move(message)});
}

void exchange::send(response answer) {
  if (answered())
    return;
  if (record) {
    // Sends it again once it is kept.
    std::exchange(record, {})->keep(shared_from_this(), std::move(answer));
    return;
  }
  allow_origin(answer, in);
  answering(answer.status, answer.text());
  transmit(std::move(answer));
}

std::unique_ptr<body_writer> exchange::begin(response head) {
  allow_origin(head, in);
  answering(head.status, {});
  return transmit_head(std::move(head));
}

std::shared_ptr<web_socket> exchange::upgrade(std::string_view protocol,
                                              web_socket_events events) {
  answering(101, {});
  return transmit_upgrade(protocol, std::move(events));
}

void exchange::abandon() noexcept {
  if (answered())
    return;
  try {
    record.reset();
    refuse(errc::internal, "internal error");
  } catch (const std::exception& e) {
    spdlog::error("a request could not be answered: {}", e.what());
  }
}

} // namespace greenroom::http
