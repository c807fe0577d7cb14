// The answer to a request that waits long in an actor's hands, as a command's
// with `wait` does. Where its key dies meanwhile it is 401 at once; what the
// request has begun goes on.
//
// Counts among the streams of its key until it is answered.
#pragma once

#include "http/edge/exchange.hpp"

namespace greenroom::http {

/// Before the actor is asked. False: the exchange is answered already. Throws
/// limit_reached.
[[nodiscard]] bool await_answer_with_key(const exchange_ptr& ex);

} // namespace greenroom::http
