#include "http/exchange.hpp"

#include "http/edge.hpp"

#include <spdlog/spdlog.h>

namespace greenroom::http {

namespace {

/// A path for the log: no longer than a line, and nothing that moves a cursor.
std::string printable(std::string_view path) {
  std::string result{path.substr(0, 256)};
  for (auto& c : result)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      c = '?';
  return result;
}

} // namespace

caller exchange::by() const {
  return key == nullptr ? caller{} : caller{key->id, key->name};
}

void exchange::answering(int status) {
  status_ = status;
  if (!env.log->should_log(spdlog::level::info))
    return;
  auto taken = std::chrono::duration<double, std::milli>(
    std::chrono::steady_clock::now() - since_);
  env.log->info("{} {} {} {:.1f} ms request={} key={}", in.method,
                printable(in.path), status, taken.count(), id,
                key == nullptr ? std::string_view{"-"} : key->id);
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
  answering(answer.status);
  transmit(std::move(answer));
}

std::unique_ptr<body_writer> exchange::begin(response head) {
  answering(head.status);
  return transmit_head(std::move(head));
}

void exchange::abandon() noexcept {
  if (answered())
    return;
  try {
    refuse(errc::internal, "internal error");
  } catch (const std::exception& e) {
    spdlog::error("a request could not be answered: {}", e.what());
  }
}

} // namespace greenroom::http
