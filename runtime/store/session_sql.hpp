// SQL about sessions that more than one source needs to agree on.
#pragma once

#include "runtime/store/sessions.hpp"

#include <string>
#include <string_view>

namespace greenroom::store {

/// What is_live(session_status) is to the database. The indexes are made with
/// this very text, and serve only queries that have it.
inline constexpr std::string_view is_live_sql =
  "status IN ('creating', 'active', 'checking_in')";

/// Part of the statements that give sessions to `node` and raise their epoch.
inline constexpr std::string_view to_node_sql =
  "epoch = epoch + 1, node = :node, home_epoch ="
  " CASE WHEN node = :node THEN home_epoch ELSE epoch + 1 END";

/// The statement behind list_sessions; its parameters are `project`, and as the
/// query has them `status`, `slug`, `creator`, `created` with `id`, and
/// `count`. Labels are for whoever reads the rows, and then there is no
/// `count`.
std::string listing_sql(const session_query& query);

/// The statement behind live_sessions, with parameter `project`.
std::string live_sql();

/// The statement behind take_live_sessions, with parameter `node`.
std::string take_live_sql();

/// Finds what drop_ended removes; parameters `before`, `node` and
/// `count`.
std::string ended_before_sql();

/// The statement behind list_ended; parameters `since`, `id` and `count`.
std::string ended_sql();

} // namespace greenroom::store
