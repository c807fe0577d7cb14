#include "http/edge/exchange.hpp"

#include "http/base/ticket.hpp"
#include "http/edge/request_log.hpp"
#include "http/edge/thread_context.hpp"
#include "http/wire/web_socket.hpp"

#include <spdlog/fmt/fmt.h>
#include <spdlog/spdlog.h>

#include <algorithm>

namespace greenroom::http {

namespace {

using tenths_of_ms = std::chrono::duration<std::int64_t, std::ratio<1, 10'000>>;

/// A path for the log: no longer than a line, and nothing that moves a cursor.
std::string printable(std::string_view path) {
  std::string result{path.substr(0, 256)};
  for (auto& c : result)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      c = '?';
  return result;
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
  if (!env.requests.wanted())
    return;
  auto tenths = std::chrono::round<tenths_of_ms>(taken).count();
  env.requests.add(fmt::format(
    "{} {} {} {}.{} ms request={} key={}", in.method, printable(in.path),
    status, tenths / 10, tenths % 10, id,
    key == nullptr ? std::string_view{"-"} : std::string_view{key->id}));
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
