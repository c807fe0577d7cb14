#include "actors/store/reader.hpp"

#include "actors/base/error_boundary.hpp"
#include "messages/errors.hpp"
#include "runtime/base/processor_load.hpp"
#include "runtime/store/audit.hpp"
#include "runtime/store/execs.hpp"
#include "runtime/store/nodes.hpp"
#include "runtime/store/outbox.hpp"
#include "runtime/store/project_events.hpp"
#include "runtime/store/reviews.hpp"
#include "runtime/store/sessions.hpp"
#include "runtime/store/webhooks.hpp"

namespace greenroom {

namespace {

store::session_query to_query(const query_sessions& request) {
  store::session_query query;
  query.project_id = request.project_id;
  query.feature_slug = request.query.feature_slug;
  query.created_by = request.query.created_by;
  query.label = request.query.label;
  query.limit = request.query.limit;
  query.cursor = request.query.cursor;
  if (!request.query.status.empty()) {
    session_status status{};
    if (!parse(request.query.status, status))
      throw refused(errc::bad_request,
                    "status is not one that a session can have");
    query.status = status;
  }
  return query;
}

store::review_query to_query(const query_reviews& request) {
  store::review_query query;
  query.project_id = request.project_id;
  query.limit = request.query.limit;
  query.cursor = request.query.cursor;
  if (!request.query.status.empty()) {
    review_status status{};
    if (!parse(request.query.status, status))
      throw refused(errc::bad_request,
                    "status is not one that a review can have");
    query.status = status;
  }
  return query;
}

session_record answer(store::connection& db, const load_session& x) {
  auto record = store::find_session(db, x.session_id);
  if (!record)
    throw refused(errc::not_found, "session not found");
  return std::move(*record);
}

outbox answer(store::connection& db, const load_outbox& x) {
  return {store::outbox_of(db, x.session_id)};
}

exec_notes answer(store::connection& db, const load_notes& x) {
  return {store::noted_execs(db, x.session_id)};
}

session_home answer(store::connection& db, const load_home& x) {
  return {store::home_epoch(db, x.session_id)};
}

lost_list answer(store::connection& db, const find_lost& x) {
  return {store::lost_sessions(db, x.project_id, x.node)};
}

ended_list answer(store::connection& db, const list_ended& x) {
  return {store::list_ended(db, x)};
}

session_rows answer(store::connection& db, const query_sessions& x) {
  auto page = store::list_sessions(db, to_query(x));
  return {std::move(page.sessions), std::move(page.next_cursor)};
}

session_rows answer(store::connection& db, const live_sessions& x) {
  return {store::live_sessions(db, x.project_id), {}};
}

review_record answer(store::connection& db, const load_review& x) {
  auto record = store::find_review(db, x.project_id, x.review_id);
  if (!record)
    throw refused(errc::not_found, "review not found");
  return std::move(*record);
}

review_page answer(store::connection& db, const query_reviews& x) {
  auto page = store::list_reviews(db, to_query(x));
  return {std::move(page.reviews), std::move(page.next_cursor)};
}

audit_page answer(store::connection& db, const query_audit& x) {
  return store::list_audit(db, x);
}

live_list answer(store::connection& db, const find_live& x) {
  // Before the sessions and the events: what comes meanwhile is newer.
  const auto last = store::last_project_event(db);
  auto result = store::find_live(db, x);
  if (x.events_after < last)
    result.events = store::project_events_after(db, x);
  result.last_event = last;
  return result;
}

auto answer(store::connection& db, const count_sessions& x) {
  return store::count_live(db, x.node);
}

webhook_list answer(store::connection& db, const list_webhooks& x) {
  return {store::webhooks_of(db, x.project_id)};
}

auto answer(store::connection& db, const list_deliveries& x) {
  return store::deliveries_of(db, x);
}

due_list answer(store::connection& db, const find_due& x) {
  return {store::find_due(db, x)};
}

// All nodes of the store; `alone` is the one that shares it with none.
node_list all_nodes(store::connection& db,
                    const std::optional<node_record>& alone) {
  if (!alone)
    return {store::nodes(db)};
  auto own = *alone;
  auto live = store::count_live(db, own.name);
  own.sessions =
    static_cast<std::uint32_t>(live.creating + live.active + live.checking_in);
  own.load = processor_load();
  return {{std::move(own)}};
}

// What the request asks for, or why it cannot be read.
template <class Request>
auto read(store::connection& db, const Request& x, const char* what) {
  return guarded(what, [&] { return answer(db, x); });
}

} // namespace

full_store_reader::behavior_type
store_reader(full_store_reader::stateful_pointer<store_reader_state> self,
             std::shared_ptr<std::unique_ptr<store::connection>> connection,
             std::optional<node_record> alone) {
  self->state.connection = std::move(*connection);
  self->state.alone = std::move(alone);
  auto& db = *self->state.connection;
  return {
    [&db](const load_session& x) { return read(db, x, "reading a session"); },
    [&db](const load_outbox& x) {
      return read(db, x, "reading a session's outbox");
    },
    [&db](const load_notes& x) {
      return read(db, x, "reading what is noted of execs");
    },
    [&db](const load_home& x) {
      return read(db, x, "reading since when a session is here");
    },
    [&db](const find_lost& x) {
      return read(db, x, "listing sessions of a lost node");
    },
    [&db](const list_ended& x) {
      return read(db, x, "listing what has ended");
    },
    [&db](const query_sessions& x) { return read(db, x, "listing sessions"); },
    [&db](const live_sessions& x) {
      return read(db, x, "listing live sessions");
    },
    [&db](const load_review& x) { return read(db, x, "reading a review"); },
    [&db](const query_reviews& x) { return read(db, x, "listing reviews"); },
    [&db](const query_audit& x) { return read(db, x, "reading the audit"); },
    [&db](const find_live& x) {
      return read(db, x, "looking for sessions to watch");
    },
    [&db](const count_sessions& x) { return read(db, x, "counting sessions"); },
    [&db](const list_webhooks& x) { return read(db, x, "listing webhooks"); },
    [&db](const list_deliveries& x) {
      return read(db, x, "listing deliveries");
    },
    [&db](const find_due& x) { return read(db, x, "looking for deliveries"); },
    [self, &db](list_nodes) {
      return guarded("listing nodes",
                     [&] { return all_nodes(db, self->state.alone); });
    },
  };
}

} // namespace greenroom
