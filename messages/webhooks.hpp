// Messages about webhooks: receivers of a project's events by HTTP, or of one
// session's, and the interface of the actor that delivers to them.
//
// A delivery is queued in the transaction that changes a session, beside the
// outbox's rows, and stays in the store until the receiver has taken it or it
// is given up. Its id is the receiver's `webhook-id`, whatever becomes of it.
#pragma once

#include "messages/common.hpp"
#include "messages/events.hpp"
#include "messages/records.hpp"

#include <caf/typed_actor.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace greenroom {

/// Types of deliveries that are no events of sessions.
inline constexpr std::string_view webhook_test = "webhook.test";
inline constexpr std::string_view webhook_disabled = "webhook.disabled";

/// What a webhook can be told of; a webhook.test goes to all.
inline constexpr std::string_view webhook_types[] = {
  "session.created", "session.extended", "session.expiring", "session.ended",
  "checkin.started", "checkin.finished", "review.queued",    "review.started",
  "review.finished", webhook_disabled};

/// A session is made with so many webhooks at most.
inline constexpr std::size_t max_webhooks_of_session = 5;

/// The id of the webhook at this place among those that a session is made with:
/// the session's, but for the last letter. So who makes the session once more
/// makes no second one.
inline std::string session_webhook_id(std::string session_id,
                                      std::size_t place) {
  session_id.back() = static_cast<char>('a' + place);
  return session_id;
}

/// A receiver, without its secret.
struct webhook_record {
  std::string id;
  std::string project_id;
  std::string session_id; // it is told of this one alone; empty: of all
  std::string url;
  std::string description;
  std::vector<std::string> types; // empty: all
  bool enabled = true;
  std::string disabled_reason; // why, or by whom; empty: it is enabled
  unix_ms disabled_at = 0;
  std::string created_by; // key id
  unix_ms created_at = 0;
  unix_ms failing_since = 0; // 0: its last attempt went well, or none was made
  unix_ms delivered_at = 0;  // its last success; 0: never
  std::string last_error;    // of its last attempt
  friend bool operator==(const webhook_record&,
                         const webhook_record&) = default;
};
GREENROOM_INSPECT(webhook_record, x.id, x.project_id, x.session_id, x.url,
                  x.description, x.types, x.enabled, x.disabled_reason,
                  x.disabled_at, x.created_by, x.created_at, x.failing_since,
                  x.delivered_at, x.last_error)

/// pending → delivered | failed, and back where it is sent again.
enum class delivery_state : std::uint8_t { pending, delivered, failed };

constexpr std::string_view to_string(delivery_state state) noexcept {
  switch (state) {
    case delivery_state::pending:
      return "pending";
    case delivery_state::delivered:
      return "delivered";
    case delivery_state::failed:
      break;
  }
  return "failed";
}

struct delivery_record {
  std::string id;
  std::string webhook_id;
  std::string project_id;
  std::string session_id; // empty: about the webhook itself
  std::string type;       // as `session.ended`
  unix_ms created_at = 0; // when what it tells of happened
  delivery_state state = delivery_state::pending;
  std::uint32_t attempts = 0;
  unix_ms first_attempt_at = 0; // 0: none yet
  unix_ms last_attempt_at = 0;
  unix_ms next_attempt_at = 0; // of what is pending
  std::uint16_t status = 0;    // the last answer's; 0: there was none
  std::string error;           // of the last attempt
  millis took = 0;             // the last attempt
  friend bool operator==(const delivery_record&,
                         const delivery_record&) = default;
};
GREENROOM_INSPECT(delivery_record, x.id, x.webhook_id, x.project_id,
                  x.session_id, x.type, x.created_at, x.state, x.attempts,
                  x.first_attempt_at, x.last_attempt_at, x.next_attempt_at,
                  x.status, x.error, x.took)

// -- to the deliverer, and from it to the store -------------------------------

/// Refused: not_found where there is no such project, quota_exceeded where it
/// has too many.
struct create_webhook {
  webhook_record webhook;
  std::string secret; // see runtime/webhooks/signature.hpp
  caller by = {};
};
GREENROOM_INSPECT(create_webhook, x.webhook, x.secret, x.by)

struct created_webhook {
  webhook_record webhook;
  bool fresh = true; // else it was there already, with the secret of then
};
GREENROOM_INSPECT(created_webhook, x.webhook, x.fresh)

struct list_webhooks {
  std::string project_id;
};
GREENROOM_INSPECT(list_webhooks, x.project_id)

struct webhook_list {
  std::vector<webhook_record> webhooks; // newest first
};
GREENROOM_INSPECT(webhook_list, x.webhooks)

/// New secrets for the webhooks of a session, where the answer that told the
/// ones before may be lost. Answered with those that are there.
struct renew_secrets {
  std::string project_id;
  std::string session_id;
  std::vector<std::string> secrets; // of all, in the order they were made in
  caller by = {};
};
GREENROOM_INSPECT(renew_secrets, x.project_id, x.session_id, x.secrets, x.by)

/// A field is changed where its flag is set. What is disabled has its pending
/// deliveries given up, and says in its reason by whom; to enable it forgets
/// why it was disabled.
struct change_webhook {
  std::string project_id;
  std::string webhook_id;
  bool has_url = false;
  std::string url;
  bool has_description = false;
  std::string description;
  bool has_types = false;
  std::vector<std::string> types;
  bool has_enabled = false;
  bool enabled = true;
  caller by = {};
};
GREENROOM_INSPECT(change_webhook, x.project_id, x.webhook_id, x.has_url, x.url,
                  x.has_description, x.description, x.has_types, x.types,
                  x.has_enabled, x.enabled, x.by)

/// With its deliveries.
struct delete_webhook {
  std::string project_id;
  std::string webhook_id;
  caller by = {};
};
GREENROOM_INSPECT(delete_webhook, x.project_id, x.webhook_id, x.by)

struct list_deliveries {
  std::string project_id;
  std::string webhook_id;
  std::string state;       // a delivery_state; empty: all
  std::uint32_t limit = 0; // 0: all
  std::string cursor;      // empty: from the newest
};
GREENROOM_INSPECT(list_deliveries, x.project_id, x.webhook_id, x.state, x.limit,
                  x.cursor)

struct delivery_page {
  std::vector<delivery_record> deliveries; // newest first
  std::string next_cursor;                 // empty: that was all
};
GREENROOM_INSPECT(delivery_page, x.deliveries, x.next_cursor)

/// Queues a delivery again, whatever became of it, or all that failed. Answered
/// with what is queued. Refused as conflict where the webhook is disabled.
struct redeliver {
  std::string project_id;
  std::string webhook_id;
  std::string delivery_id; // empty: all that failed
  caller by = {};
};
GREENROOM_INSPECT(redeliver, x.project_id, x.webhook_id, x.delivery_id, x.by)

/// Sends a webhook.test at once, once, also to one that is disabled. Answered
/// with what came of it.
struct test_webhook {
  std::string project_id;
  std::string webhook_id;
  caller by = {};
};
GREENROOM_INSPECT(test_webhook, x.project_id, x.webhook_id, x.by)

// -- between the deliverer and the store --------------------------------------

/// A delivery with all that is needed to send it.
struct due_delivery {
  delivery_record delivery;
  webhook_record webhook;
  std::string secret;
  session_record session; // as the change left it, without its token's hash
  std::vector<event_field> fields;
};
GREENROOM_INSPECT(due_delivery, x.delivery, x.webhook, x.secret, x.session,
                  x.fields)

/// Queues a webhook.test that is sent by whoever asks; it is due only later,
/// for the case that he dies.
struct queue_test {
  std::string project_id;
  std::string webhook_id;
  unix_ms due_at = 0;
};
GREENROOM_INSPECT(queue_test, x.project_id, x.webhook_id, x.due_at)

/// What is due of the projects of a node: of each session the oldest, at most
/// `of_each` of a webhook, the longest due first.
struct find_due {
  std::string owner; // empty: of all projects
  unix_ms now = 0;
  std::uint32_t of_each = 1;
};
GREENROOM_INSPECT(find_due, x.owner, x.now, x.of_each)

struct due_list {
  std::vector<due_delivery> deliveries;
};
GREENROOM_INSPECT(due_list, x.deliveries)

/// What came of an attempt. Does nothing where the delivery is not there any
/// more, or the project is another node's by now.
struct end_attempt {
  delivery_record delivery;
  std::string disable; // why the webhook is disabled with it; empty: it is not
  unix_ms now = 0;
  std::string detail; // of `disable`, for who may see the webhook; may be empty
};
GREENROOM_INSPECT(end_attempt, x.delivery, x.disable, x.now, x.detail)

/// Removes what is over and too old or too much, and gives up on receivers for
/// which too much waits. Webhooks of sessions that are over go, too.
struct trim_deliveries {
  unix_ms before = 0;
  std::uint32_t max_ended = 0; // of each webhook
  std::uint32_t max_pending = 0;
  unix_ms now = 0;
};
GREENROOM_INSPECT(trim_deliveries, x.before, x.max_ended, x.max_pending, x.now)

/// The store's writer has queued something, perhaps.
struct deliveries_due {};
GREENROOM_INSPECT(deliveries_due)

using deliveries_watcher_actor =
  caf::typed_actor<caf::reacts_to<deliveries_due>>;

struct watch_deliveries {
  deliveries_watcher_actor watcher;
};
GREENROOM_INSPECT(watch_deliveries, x.watcher)

/// Whoever sends tells the deliverer how an attempt went.
struct attempt_ended {
  std::string delivery_id;
  std::uint16_t status = 0;
  std::string error;
  millis retry_after = 0;
  millis took = 0;
};
GREENROOM_INSPECT(attempt_ended, x.delivery_id, x.status, x.error,
                  x.retry_after, x.took)

// -- interfaces ---------------------------------------------------------------

/// What the store's writer takes besides what messages/store.hpp says: webhooks
/// and their deliveries are the deliverer's alone, so that nobody else depends
/// on them.
using webhook_writer_actor = caf::typed_actor<
  // Makes a webhook.
  caf::replies_to<create_webhook>::with<created_webhook>,
  // Changes one.
  caf::replies_to<change_webhook>::with<webhook_record>,
  // Gives those of a session new secrets.
  caf::replies_to<renew_secrets>::with<webhook_list>,
  // Removes one.
  caf::replies_to<delete_webhook>::with<done>,
  // Queues deliveries again.
  caf::replies_to<redeliver>::with<delivery_page>,
  // Queues a test.
  caf::replies_to<queue_test>::with<due_delivery>,
  // Keeps what came of an attempt to deliver.
  caf::replies_to<end_attempt>::with<done>,
  // Removes deliveries that are over for long, or too many.
  caf::replies_to<trim_deliveries>::with<done>,
  // Who wants to know that something may be queued.
  caf::reacts_to<watch_deliveries>>;

/// The same of the store's reader.
using webhook_reader_actor = caf::typed_actor<
  // A project's webhooks.
  caf::replies_to<list_webhooks>::with<webhook_list>,
  // A page of a webhook's deliveries.
  caf::replies_to<list_deliveries>::with<delivery_page>,
  // What is to be delivered now.
  caf::replies_to<find_due>::with<due_list>>;

using webhooks_actor = caf::typed_actor<
  // Makes a webhook.
  caf::replies_to<create_webhook>::with<created_webhook>,
  // A project's webhooks.
  caf::replies_to<list_webhooks>::with<webhook_list>,
  // Changes one.
  caf::replies_to<change_webhook>::with<webhook_record>,
  // Gives those of a session new secrets.
  caf::replies_to<renew_secrets>::with<webhook_list>,
  // Removes one.
  caf::replies_to<delete_webhook>::with<done>,
  // A page of a webhook's deliveries.
  caf::replies_to<list_deliveries>::with<delivery_page>,
  // Queues deliveries again.
  caf::replies_to<redeliver>::with<delivery_page>,
  // Tries a webhook.
  caf::replies_to<test_webhook>::with<delivery_record>>;

using webhooks_core = webhooks_actor::extend<
  // Something may be due.
  caf::reacts_to<deliveries_due>,
  // It is time to look.
  caf::reacts_to<clock_tick>,
  // An attempt is over.
  caf::reacts_to<attempt_ended>>;

} // namespace greenroom
