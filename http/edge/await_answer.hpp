// Asks an actor from a coroutine.
#pragma once

#include "http/base/asio.hpp"
#include "http/edge/bridge.hpp"

#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <memory>
#include <utility>
#include <variant>

namespace greenroom::http {

/// What `whom` answers; on the bridge's thread. Throws refused: with the
/// actor's refusal, `timeout` where it does not answer in time, `overloaded`
/// where too many answers are awaited already. Callers give names to what they
/// pass: GCC 12 destroys twice what is made inside of a co_await.
template <class Reply, class Handle, class Message>
asio::awaitable<Reply> await_answer(bridge& by, Handle whom, Message message,
                                    std::chrono::milliseconds timeout) {
  using outcome = std::variant<refusal, Reply>;
  if (by.full())
    throw refused{errc::overloaded, "too much is going on, try again"};
  auto start = [&](auto handler) {
    auto shared = std::make_shared<decltype(handler)>(std::move(handler));
    by.ask<Reply>(
      whom, timeout, std::move(message),
      [shared](const Reply& reply) { (*shared)(outcome{reply}); },
      [shared](const ask_error& why) { (*shared)(outcome{to_refusal(why)}); });
  };
  auto result =
    co_await asio::async_initiate<const asio::use_awaitable_t<>&,
                                  void(outcome)>(start, asio::use_awaitable);
  if (auto* why = std::get_if<refusal>(&result))
    throw refused{why->code, why->message};
  co_return std::move(std::get<Reply>(result));
}

} // namespace greenroom::http
