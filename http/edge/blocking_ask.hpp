// Asks an actor from a thread that may wait: one of its own, never an HTTP
// thread nor one of CAF's.
#pragma once

#include "http/edge/actor_system.hpp"
#include "messages/errors.hpp"

#include <caf/actor_system.hpp>
#include <caf/scoped_actor.hpp>

#include <chrono>
#include <optional>
#include <utility>

namespace greenroom::http {

/// What `whom` answers. Throws refused: with the actor's refusal, `timeout`
/// where it does not answer in time.
template <class Reply, class Handle, class Message>
Reply blocking_ask(actor_system& system, const Handle& whom,
                   std::chrono::milliseconds timeout, Message message) {
  caf::scoped_actor self{system};
  std::optional<refusal> failure;
  Reply result{};
  self->request(whom, timeout, std::move(message))
    .receive([&](Reply& reply) { result = std::move(reply); },
             [&](const caf::error& why) { failure = to_refusal(why); });
  if (failure)
    throw refused{failure->code, failure->message};
  return result;
}

} // namespace greenroom::http
