// Tells an actor what it does not answer. Any thread.
#pragma once

#include <caf/send.hpp>

#include <type_traits>
#include <utility>

namespace greenroom::http {

/// Sends `what` to `whom`, from nobody. One that is gone does not hear it.
template <class Handle, class Message>
void notify(const Handle& whom, Message&& what) {
  caf::anon_send(whom, std::decay_t<Message>{std::forward<Message>(what)});
}

} // namespace greenroom::http
