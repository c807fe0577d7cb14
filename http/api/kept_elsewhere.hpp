// What ended sessions have kept on the disks of a cluster's nodes: of each the
// node where it ended has it, whichever has the project now, and only that one
// can say how much it is, and remove it.
#pragma once

#include "http/edge/exchange.hpp"
#include "messages/project.hpp"

#include <functional>

namespace greenroom::http::handlers {

/// Calls `then` with what there is: sizes of what lies on other nodes' disks
/// are added, and what is not there any more is left out. Of a node that does
/// not tell all stays as it is.
void measure_elsewhere(const exchange_ptr& ex, kept_sessions all,
                       const std::function<void(const kept_sessions&)>& then);

/// Has what the exchange's session has kept removed, by whoever has it, and
/// calls `dropped`. What goes wrong is answered.
void drop_where_kept(const exchange_ptr& ex,
                     const std::function<void()>& dropped);

} // namespace greenroom::http::handlers
