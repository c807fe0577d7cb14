// What ended sessions have kept on disk, because it could not be saved
// elsewhere: nobody but its project's administrator can say when it may go.
#include "http/api/fields.hpp"
#include "http/api/handlers.hpp"
#include "http/api/kept_elsewhere.hpp"
#include "http/api/owner_away.hpp"
#include "http/base/json_body.hpp"
#include "http/edge/ask.hpp"
#include "messages/left_work.hpp"
#include "messages/store.hpp"
#include "runtime/api_json/records.hpp"
#include "runtime/base/timestamps.hpp"

#include <nlohmann/json.hpp>

namespace greenroom::http::handlers {

using ordered_json = nlohmann::ordered_json;

namespace {

/// What the store says of it; the disk alone can say how much that is.
kept_sessions named_in(const session_rows& rows) {
  kept_sessions result;
  for (auto& row : rows.sessions)
    if (!is_live(row.status) && names_left_work(row))
      result.sessions.push_back({row, 0});
  return result;
}

} // namespace

void list_kept(const exchange_ptr& ex) {
  query_params query{ex->in.query};
  auto show_all = [ex, query = std::move(query)](const kept_sessions& all) {
    std::string next;
    auto shown = page_of(
      all.sessions, query,
      [](const kept_session& one) { return one.session.id; }, next);
    auto list = ordered_json::array();
    for (auto& [session, bytes] : shown) {
      auto& one =
        list.emplace_back(ordered_json{{"session_id", session.id},
                                       {"node", session.node},
                                       {"path", "sessions/" + session.id}});
      if (bytes != 0)
        one["bytes"] = bytes;
      one["branch"] = session.branch;
      one["status"] = to_string(session.status);
      one["status_reason"] = session.status_reason;
      one["ended_at"] = format_rfc3339(session.ended_at);
    }
    ex->reply(200, list_json("kept", to_text(list), next));
  };
  auto show = [ex, show_all = std::move(show_all)](const kept_sessions& all) {
    measure_elsewhere(ex, all, show_all);
  };
  auto failed = [ex, show](const ask_error& why) {
    ask_store_instead<session_rows>(
      ex, why, ex->project_id(), query_sessions{ex->project_id(), {}},
      [show](const session_rows& rows) { show(named_in(rows)); },
      [ex](const ask_error& why_not) { refuse_with(ex, why_not); });
  };
  with_project(
    ex,
    [=](const project_actor& project) {
      ask<kept_sessions>(ex, project, ex->env.options.ordinary,
                         greenroom::list_kept{}, show, failed);
    },
    failed);
}

void drop_kept(const exchange_ptr& ex) {
  drop_where_kept(ex, [ex] {
    ex->reply(
      200, ordered_json{{"session_id", ex->session_id()}, {"status", "dropped"}}
             .dump());
  });
}

} // namespace greenroom::http::handlers
