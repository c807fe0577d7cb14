// Requests that bear an Idempotency-Key: which were begun, and how they were
// answered.
//
//   fresh ─→ busy ─→ done                 one run of one node serves it
//              ├───→ fresh                it was refused before it began (429)
//              └───→ repeat ─→ busy …     that run is over, or its answer was
//                                         too long to be kept, or that it
//                                         failed on our side (5xx)
//
// The run of a node that is alone is over once another one asks. Among several
// nodes each run is as long as its node's lease under the same incarnation, by
// the database's clock: until then the others find the request busy.
//
// What is older than 24 hours is as if it had never been.
#pragma once

#include "messages/store.hpp"
#include "runtime/store/connection.hpp"

#include <string>

namespace greenroom::store {

inline constexpr millis request_lifetime = 24LL * 3600 * 1000;

/// An answer that is longer is not kept.
inline constexpr std::size_t max_kept_body = 1024 * 1024;

/// Says what the name stands for, and begins the request where it is fresh or
/// has to be repeated. All but `fresh` and `reused` come with the planned id of
/// the first time. Of any number that begin the same at once, one serves it.
/// `node` is who serves it among others at this store; empty: it is alone.
begun_request begin_request(connection& c, greenroom::begin_request x,
                            const std::string& node = {});

/// Keeps the answer. Where its status is 500 or above, or its body longer than
/// max_kept_body, the next one repeats the request, unless another node than
/// `node` has begun that already; where it is 429 the request is forgotten,
/// unless the same.
void finish_request(connection& c, const greenroom::finish_request& x,
                    const std::string& node = {});

/// Forgets what is too old.
void drop_old_requests(connection& c, unix_ms now);

} // namespace greenroom::store
