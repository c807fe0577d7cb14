// What ended sessions have kept on disk, because it could not be saved
// elsewhere: nobody but its project's administrator can say when it may go.
#include "http/api/fields.hpp"
#include "http/api/handlers.hpp"
#include "http/api/owner_away.hpp"
#include "http/base/json_body.hpp"
#include "http/edge/ask.hpp"
#include "runtime/api_json/records.hpp"
#include "runtime/base/timestamps.hpp"

#include <nlohmann/json.hpp>

namespace greenroom::http::handlers {

using ordered_json = nlohmann::ordered_json;

namespace {

/// The store knows who has ended, and only the disk whether anything is left.
ask_error only_there(const ask_error& why) {
  return ask_error{
    {errc::unavailable, "what is kept lies on the disk of the project's node, "
                        "which alone can list it: "
                          + to_refusal(why).message}};
}

} // namespace

void list_kept(const exchange_ptr& ex) {
  query_params query{ex->in.query};
  auto show = [ex, query = std::move(query)](const kept_sessions& all) {
    std::string next;
    auto shown = page_of(
      all.sessions, query,
      [](const kept_session& one) { return one.session.id; }, next);
    auto list = ordered_json::array();
    for (auto& [session, bytes] : shown)
      list.push_back({{"session_id", session.id},
                      {"node", session.node},
                      {"path", "sessions/" + session.id},
                      {"bytes", bytes},
                      {"branch", session.branch},
                      {"status", to_string(session.status)},
                      {"status_reason", session.status_reason},
                      {"ended_at", format_rfc3339(session.ended_at)}});
    ex->reply(200, list_json("kept", to_text(list), next));
  };
  auto failed = [ex](const ask_error& why) {
    refuse_with(ex,
                is_away(why) && has_shared_store(*ex) ? only_there(why) : why);
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
  change_in_session<done>(
    ex, ex->env.options.ordinary, greenroom::drop_kept{}, [ex](const done&) {
      ex->reply(200, ordered_json{{"session_id", ex->session_id()},
                                  {"status", "dropped"}}
                       .dump());
    });
}

} // namespace greenroom::http::handlers
