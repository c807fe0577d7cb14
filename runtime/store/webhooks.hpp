// Webhooks and their deliveries in the store.
//
// Deliveries are queued by the transactions that write sessions
// (webhook_rows.hpp). `as` is the node that asks, where several share the
// store: of another one's projects nothing is due, and no attempt is kept.
#pragma once

#include "messages/webhooks.hpp"
#include "runtime/store/connection.hpp"

#include <string>
#include <vector>

namespace greenroom::store {

/// Without those of its sessions.
inline constexpr std::size_t max_webhooks_of_project = 20;

/// Of all sessions of a project that live.
inline constexpr std::size_t max_webhooks_of_live_sessions = 100;

/// A list gives at most so many.
inline constexpr std::uint32_t delivery_page_size = 200;

/// Adds one; where the id is in use, answers with the one that has it.
created_webhook add_webhook(connection& c, const create_webhook& what);

std::vector<webhook_record> webhooks_of(connection& c,
                                        const std::string& project_id);

/// Refused as not_found "webhook not found", as are those below; and as
/// bad_request where a session's is to be told of what only a project's is.
webhook_record alter_webhook(connection& c, const change_webhook& what,
                             unix_ms now);

/// Of those that are gone nothing is said; the others in their order.
std::vector<webhook_record> renew_secrets(connection& c,
                                          const greenroom::renew_secrets& x);

void remove_webhook(connection& c, const std::string& project_id,
                    const std::string& webhook_id);

delivery_page deliveries_of(connection& c, const list_deliveries& query);

/// At most delivery_page_size of those that failed, the oldest first.
std::vector<delivery_record> queue_again(connection& c, const redeliver& what,
                                         unix_ms now);

due_delivery add_test(connection& c, const queue_test& what, unix_ms now);

std::vector<due_delivery> find_due(connection& c,
                                   const greenroom::find_due& what);

/// `node` is the one that the audit names where a webhook is disabled.
void keep_attempt(connection& c, const end_attempt& what, const std::string& as,
                  const std::string& node = {});

/// A webhook of a session that is over stays for so long after the last that
/// was sent to it, so that one can see what that was. What was not delivered is
/// kept as long as others' is, and its webhook with it.
inline constexpr millis ended_webhook_kept = 60 * 60 * 1000;

/// Also of the events of projects what is too much.
void trim(connection& c, const trim_deliveries& what);

} // namespace greenroom::store
