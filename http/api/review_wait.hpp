// GET …/wait?until=review:finished: a wait that outlives the session, whose
// timeline is closed by then.
#pragma once

#include "http/edge/exchange.hpp"

#include <chrono>
#include <string_view>

namespace greenroom::http::handlers {

inline constexpr std::string_view review_finished = "review:finished";

/// Answers once the review of the exchange's session is over, with the review;
/// with `reached` false where the time is up before, or the session is over and
/// has none. At most as long as the response_registry lets it.
void wait_for_review(const exchange_ptr& ex, std::chrono::milliseconds timeout);

} // namespace greenroom::http::handlers
