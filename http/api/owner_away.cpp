#include "http/api/owner_away.hpp"

#include "http/api/fields.hpp"
#include "messages/store.hpp"

#include <nlohmann/json.hpp>

namespace greenroom::http::handlers {

bool has_shared_store(const exchange& ex) {
  return ex.env.others && ex.env.others->reader;
}

std::chrono::milliseconds owners_time(const exchange& ex) {
  auto whole = ex.env.options.ordinary;
  return has_shared_store(ex) ? whole / 2 : whole;
}

void ask_for_sessions(const exchange_ptr& ex, const project_actor& project,
                      const std::string& project_id,
                      const greenroom::list_sessions& what,
                      const on_sessions& then, const on_no_answer& failed) {
  ask<session_page>(
    ex, project, owners_time(*ex), what,
    [then](const session_page& page) {
      then({page, true});
    },
    [=](const ask_error& why) {
      ask_store_for_sessions(ex, why, project_id, what, then, failed);
    });
}

void ask_store_for_sessions(const exchange_ptr& ex, const ask_error& why,
                            const std::string& project_id,
                            const greenroom::list_sessions& what,
                            const on_sessions& then,
                            const on_no_answer& failed) {
  ask_store_instead<session_rows>(
    ex, why, project_id, query_sessions{project_id, what},
    [then](const session_rows& rows) {
      sessions_found result;
      result.reachable = false;
      result.page.next_cursor = rows.next_cursor;
      for (auto& row : rows.sessions)
        result.page.sessions.push_back({row, 0});
      then(result);
    },
    failed);
}

nlohmann::ordered_json
listed_session(const exchange& ex, const session_entry& entry, bool reachable) {
  auto result = shown_session(ex, entry.session, entry.running_execs);
  result["reachable"] = reachable;
  return result;
}

} // namespace greenroom::http::handlers
