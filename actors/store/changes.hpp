// What each request to the store's writer writes, without the actor.
//
// Each is one part of a transaction: it may run again where the batch that it
// is in is tried again, and has no effect but on the store. Throws what the
// functions of runtime/store throw, and `refused` with what the client is told.
#pragma once

#include "messages/moving.hpp"
#include "messages/store.hpp"
#include "messages/upkeep.hpp"
#include "messages/webhooks.hpp"
#include "runtime/store/connection.hpp"

#include <string>

namespace greenroom {

/// Whether a request must be possible on a full disk.
template <class Request>
inline constexpr bool may_use_reserve = false;

template <>
inline constexpr bool may_use_reserve<update_session> = true;
template <>
inline constexpr bool may_use_reserve<take_session> = true;
template <>
inline constexpr bool may_use_reserve<take_live_sessions> = true;
template <>
inline constexpr bool may_use_reserve<drop_project> = true;
template <>
inline constexpr bool may_use_reserve<drop_key> = true;
template <>
inline constexpr bool may_use_reserve<drop_ended> = true;
template <>
inline constexpr bool may_use_reserve<drop_old> = true;
template <>
inline constexpr bool may_use_reserve<drop_sessions> = true;
template <>
inline constexpr bool may_use_reserve<drop_audit> = true;
template <>
inline constexpr bool may_use_reserve<delete_webhook> = true;
template <>
inline constexpr bool may_use_reserve<trim_deliveries> = true;

struct store_changes {
  std::string node;
  std::string as; // the same where other nodes share the store, else empty
  bool has_news = false; // for the deliverer of webhooks, since it was taken

  static done run(store::connection& db, const insert_session& x);
  done run(store::connection& db, const update_session& x);
  static done run(store::connection& db, const note_exec& x);
  session_record run(store::connection& db, const take_session& x) const;
  session_rows run(store::connection& db, const take_live_sessions& x) const;
  project_record run(store::connection& db, const put_project& x) const;
  done run(store::connection& db, const drop_project& x) const;
  static done run(store::connection& db, const put_key& x);
  static done run(store::connection& db, const drop_key& x);
  done run(store::connection& db, const put_review& x);
  begun_request run(store::connection& db, const begin_request& x) const;
  done run(store::connection& db, const finish_request& x) const;
  dropped_sessions run(store::connection& db, const drop_ended& x) const;
  dropped_sessions run(store::connection& db, const drop_old& x) const;
  dropped_sessions run(store::connection& db, const drop_sessions& x) const;
  static done run(store::connection& db, const add_audit& x);
  static done run(store::connection& db, const drop_audit& x);
  static created_webhook run(store::connection& db, const create_webhook& x);
  static webhook_record run(store::connection& db, const change_webhook& x);
  static webhook_list run(store::connection& db, const renew_secrets& x);
  static done run(store::connection& db, const delete_webhook& x);
  static delivery_page run(store::connection& db, const redeliver& x);
  static due_delivery run(store::connection& db, const queue_test& x);
  done run(store::connection& db, const end_attempt& x) const;
  static done run(store::connection& db, const trim_deliveries& x);
};

} // namespace greenroom
