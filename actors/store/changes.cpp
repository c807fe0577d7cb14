#include "actors/store/changes.hpp"

#include "messages/errors.hpp"
#include "messages/records.hpp"
#include "runtime/store/api_keys.hpp"
#include "runtime/store/audit.hpp"
#include "runtime/store/batch.hpp"
#include "runtime/store/execs.hpp"
#include "runtime/store/idempotency.hpp"
#include "runtime/store/projects.hpp"
#include "runtime/store/reviews.hpp"
#include "runtime/store/sessions.hpp"
#include "runtime/store/webhooks.hpp"

#include <algorithm>
#include <utility>

namespace greenroom {

namespace {

dropped_sessions reply_of(store::dropped gone) {
  dropped_sessions reply{std::move(gone.sessions)};
  for (auto& review : gone.reviews)
    reply.session_ids.push_back(std::move(review));
  return reply;
}

/// Empty: it is not known.
std::string name_of_key(store::connection& db, const std::string& id) {
  auto keys = store::keys(db);
  auto found = std::ranges::find(keys, id, &key_record::id);
  return found == keys.end() ? std::string{} : found->name;
}

std::string full_key(store::connection& db, const insert_session& request) {
  const auto& id = request.session.created_by;
  const auto held = store::live_of_key(db, id);
  constexpr std::size_t max_named = 5;
  std::string list;
  for (std::size_t i = 0; i < std::min(held.size(), max_named); ++i)
    list += (i == 0 ? "" : ", ") + held[i];
  if (held.size() > max_named)
    list += " and others";
  return key_in_words(id, name_of_key(db, id)) + " has "
         + std::to_string(held.size())
         + " sessions that live, and its limit is "
         + std::to_string(request.max_of_key)
         + " (limits.key_sessions): " + list + "; end one of them first";
}

} // namespace

done store_changes::run(store::connection& db, const insert_session& request) {
  switch (store::insert_session(db, request.session, request.max_active,
                                request.max_of_key, request.webhooks)) {
    case store::insert_result::ok:
      return done{};
    case store::insert_result::no_slot:
      throw refused(errc::session_exists, "no slot is free");
    case store::insert_result::key_full:
      throw refused(errc::quota_exceeded, full_key(db, request));
    case store::insert_result::branch_taken:
      break;
  }
  throw refused(errc::checkout_exists, "the branch is taken");
}

done store_changes::run(store::connection& db, const update_session& x) {
  if (!store::update_session(db, x.session, x.events))
    throw refused(errc::conflict,
                  "the session has been taken over meanwhile, try again");
  has_news = has_news || !x.events.empty();
  return {};
}

done store_changes::run(store::connection& db, const note_exec& x) {
  if (!store::note_exec(db, x))
    throw refused(errc::conflict,
                  "the session has been taken over meanwhile, try again");
  return {};
}

session_record store_changes::run(store::connection& db,
                                  const take_session& x) const {
  auto record = store::take_session(db, x.session_id, node);
  if (!record)
    throw refused(errc::not_found, "session not found");
  return std::move(*record);
}

session_rows store_changes::run(store::connection& db,
                                const take_live_sessions&) const {
  return {store::take_live_sessions(db, node), {}};
}

project_record store_changes::run(store::connection& db,
                                  const put_project& x) const {
  return store::put_project(db, x.project, as);
}

done store_changes::run(store::connection& db, const drop_project& x) const {
  store::delete_project(db, x.project_id, as);
  return {};
}

done store_changes::run(store::connection& db, const put_key& x) {
  store::put_key(db, x.key);
  return {};
}

done store_changes::run(store::connection& db, const drop_key& x) {
  store::delete_key(db, x.key_id);
  return {};
}

done store_changes::run(store::connection& db, const put_review& x) {
  store::put_review(db, x.review, as, node);
  has_news = true;
  return {};
}

begun_request store_changes::run(store::connection& db,
                                 const begin_request& x) const {
  return store::begin_request(db, x, as);
}

done store_changes::run(store::connection& db, const finish_request& x) const {
  store::finish_request(db, x, as);
  return {};
}

dropped_sessions store_changes::run(store::connection& db,
                                    const drop_ended& x) const {
  if (x.limit == 0) // only to see whether the store can be written
    return {};
  return run(db, drop_old{x.before, x.limit, {}});
}

dropped_sessions store_changes::run(store::connection& db,
                                    const drop_old& x) const {
  store::drop_old_requests(db, now_ms());
  return reply_of(store::drop_ended(
    db, x.before, x.limit, {node, {x.except.begin(), x.except.end()}}));
}

dropped_sessions store_changes::run(store::connection& db,
                                    const drop_sessions& x) const {
  return reply_of(store::drop_sessions(db, x.session_ids, node));
}

done store_changes::run(store::connection& db, const add_audit& x) {
  store::add_audit(db, x.entries);
  return {};
}

done store_changes::run(store::connection& db, const drop_audit& x) {
  store::drop_audit(db, x.before, x.max);
  return {};
}

created_webhook store_changes::run(store::connection& db,
                                   const create_webhook& x) {
  return store::add_webhook(db, x);
}

webhook_record store_changes::run(store::connection& db,
                                  const change_webhook& x) {
  return store::alter_webhook(db, x, now_ms());
}

webhook_list store_changes::run(store::connection& db, const renew_secrets& x) {
  return {store::renew_secrets(db, x)};
}

done store_changes::run(store::connection& db, const delete_webhook& x) {
  store::remove_webhook(db, x.project_id, x.webhook_id);
  return {};
}

delivery_page store_changes::run(store::connection& db, const redeliver& x) {
  return {store::queue_again(db, x, now_ms()), {}};
}

due_delivery store_changes::run(store::connection& db, const queue_test& x) {
  return store::add_test(db, x, now_ms());
}

done store_changes::run(store::connection& db, const end_attempt& x) const {
  store::keep_attempt(db, x, as, node);
  return {};
}

done store_changes::run(store::connection& db, const trim_deliveries& x) {
  store::trim(db, x);
  return {};
}

} // namespace greenroom
