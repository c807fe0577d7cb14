#include "http/edge/conversation.hpp"

#include "http/base/reply.hpp"
#include "messages/errors.hpp"

#include <spdlog/spdlog.h>
#include <sys/socket.h>

#include <algorithm>
#include <exception>

namespace greenroom::http {

namespace {

/// How a request that was cut short is answered.
struct verdict {
  int status = 500;
  std::string sentence;
};

verdict verdict_on(const std::exception_ptr& fault, const char* name) {
  try {
    std::rethrow_exception(fault);
  } catch (const refused& e) {
    return {status_of(e.code()), e.what()};
  } catch (const wire::bad_message& e) {
    return {e.status(), e.what()};
  } catch (const std::exception& e) {
    spdlog::error("{}: {}", name, e.what());
    return {500, "internal error"};
  }
}

/// `fault`: of the head.
asio::awaitable<void> answer(wire::server_connection& client,
                             request_server& with, std::exception_ptr fault,
                             const char* name) {
  if (!fault)
    try {
      co_await with.serve();
    } catch (const wire::lost&) {
      client.close();
    } catch (...) {
      fault = std::current_exception();
    }
  if (!fault)
    co_return;
  auto why = verdict_on(fault, name);
  // What has begun cannot be taken back, only cut short.
  if (client.status() != 0)
    client.close();
  else
    co_await with.refuse(why.status, why.sentence);
}

bool stays_known(bool known, int status) {
  constexpr int unauthorized = 401;
  constexpr int first_refusal = 400;
  if (status == 0 || status == unauthorized)
    return false;
  return known || status < first_refusal;
}

asio::awaitable<void> answer_all(wire::server_connection& client,
                                 request_server& with,
                                 const conversation& how) {
  auto known = false;
  for (;;) {
    const auto idle = known ? how.idle : std::min(how.idle, how.stranger);
    auto more = false;
    std::exception_ptr fault;
    try {
      more = co_await client.read_head(idle, how.head);
    } catch (const wire::bad_message&) {
      fault = std::current_exception();
    }
    if (!more && !fault)
      co_return;
    const auto since = request_server::clock::now();
    with.begin();
    co_await answer(client, with, fault, how.name);
    with.done(since);
    known = stays_known(known, client.status());
    if (!client.reusable() || how.stopping)
      break;
  }
  co_await client.linger();
}

} // namespace

asio::awaitable<void> converse(wire::server_connection& client,
                               request_server& with, conversation how) {
  try {
    co_await answer_all(client, with, how);
  } catch (const wire::lost&) {
    // There is nobody to tell.
  } catch (const std::exception& e) {
    spdlog::error("{}: {}", how.name, e.what());
  }
  client.close();
}

std::string loggable_path(std::string_view target) {
  constexpr std::size_t longest = 256;
  if (!target.starts_with('/'))
    return "-";
  std::string result{target.substr(0, std::min(target.find('?'), longest))};
  for (auto& c : result)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
      c = '?';
  return result;
}

std::string_view loggable_method(std::string_view method) noexcept {
  constexpr std::size_t longest = 32;
  return method.empty() ? "-" : method.substr(0, longest);
}

void turn_away(const unique_fd& socket, std::string_view sentence) {
  auto answer = "HTTP/1.1 503 Service Unavailable\r\n"
                "Content-Type: text/plain; charset=utf-8\r\n"
                "Retry-After: 1\r\nConnection: close\r\nContent-Length: "
                + std::to_string(sentence.size()) + "\r\n\r\n";
  answer += sentence;
  [[maybe_unused]] auto sent = ::send(
    socket.get(), answer.data(), answer.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
}

} // namespace greenroom::http
