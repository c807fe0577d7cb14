#include "actors/store/reader.hpp"

#include "actors/base/error_boundary.hpp"
#include "messages/errors.hpp"
#include "runtime/base/processor_load.hpp"
#include "runtime/store/audit.hpp"
#include "runtime/store/execs.hpp"
#include "runtime/store/nodes.hpp"
#include "runtime/store/outbox.hpp"
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

} // namespace

full_store_reader::behavior_type
store_reader(full_store_reader::stateful_pointer<store_reader_state> self,
             std::shared_ptr<std::unique_ptr<store::connection>> connection,
             std::optional<node_record> alone) {
  self->state.connection = std::move(*connection);
  self->state.alone = std::move(alone);
  auto& db = *self->state.connection;
  return {
    [&db](const load_session& x) {
      return guarded("reading a session", [&] {
        auto record = store::find_session(db, x.session_id);
        if (!record)
          throw refused(errc::not_found, "session not found");
        return std::move(*record);
      });
    },
    [&db](const load_outbox& x) {
      return guarded("reading a session's outbox", [&] {
        return outbox{store::outbox_of(db, x.session_id)};
      });
    },
    [&db](const load_notes& x) {
      return guarded("reading what is noted of execs", [&] {
        return exec_notes{store::noted_execs(db, x.session_id)};
      });
    },
    [&db](const query_sessions& x) {
      return guarded("listing sessions", [&] {
        auto page = store::list_sessions(db, to_query(x));
        return session_rows{std::move(page.sessions),
                            std::move(page.next_cursor)};
      });
    },
    [&db](const live_sessions& x) {
      return guarded("listing live sessions", [&] {
        return session_rows{store::live_sessions(db, x.project_id), {}};
      });
    },
    [&db](const load_review& x) {
      return guarded("reading a review", [&] {
        auto record = store::find_review(db, x.project_id, x.review_id);
        if (!record)
          throw refused(errc::not_found, "review not found");
        return std::move(*record);
      });
    },
    [&db](const query_reviews& x) {
      return guarded("listing reviews", [&] {
        auto page = store::list_reviews(db, to_query(x));
        return review_page{std::move(page.reviews),
                           std::move(page.next_cursor)};
      });
    },
    [&db](const query_audit& x) {
      return guarded("reading the audit",
                     [&] { return store::list_audit(db, x); });
    },
    [&db](const find_live& x) {
      return guarded("looking for sessions to watch",
                     [&] { return store::find_live(db, x); });
    },
    [&db](const count_sessions& x) {
      return guarded("counting sessions",
                     [&] { return store::count_live(db, x.node); });
    },
    [&db](const list_webhooks& x) {
      return guarded("listing webhooks", [&] {
        return webhook_list{store::webhooks_of(db, x.project_id)};
      });
    },
    [&db](const list_deliveries& x) {
      return guarded("listing deliveries",
                     [&] { return store::deliveries_of(db, x); });
    },
    [&db](const find_due& x) {
      return guarded("looking for deliveries",
                     [&] { return due_list{store::find_due(db, x)}; });
    },
    [self, &db](list_nodes) {
      return guarded("listing nodes", [&] {
        if (!self->state.alone)
          return node_list{store::nodes(db)};
        auto own = *self->state.alone;
        auto live = store::count_live(db, own.name);
        own.sessions = static_cast<std::uint32_t>(live.creating + live.active
                                                  + live.checking_in);
        own.load = processor_load();
        return node_list{{std::move(own)}};
      });
    },
  };
}

} // namespace greenroom
