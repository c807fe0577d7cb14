#include "http/api/owner_away.hpp"

#include "http/api/fields.hpp"
#include "messages/store.hpp"

#include <nlohmann/json.hpp>

namespace greenroom::http::handlers {

bool has_shared_store(const exchange& ex) {
  return ex.env.others && ex.env.others->reader;
}

ask_error silent_owner(const std::string& project_id) {
  return ask_error{{errc::unavailable, "the node of project \"" + project_id
                                         + "\" does not answer, try again"}};
}

void ask_for_sessions(const exchange_ptr& ex, const std::string& project_id,
                      const greenroom::list_sessions& what,
                      const on_sessions& then, const on_no_answer& failed) {
  auto ask_store = [=](const ask_error& why) {
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
  };
  ask_owner<session_page>(
    ex, project_id, what,
    [then](const session_page& page) {
      then({page, true});
    },
    ask_store);
}

nlohmann::ordered_json
listed_session(const exchange& ex, const session_entry& entry, bool reachable) {
  auto result = shown_session(ex, entry.session, entry.running_execs);
  result["reachable"] = reachable;
  return result;
}

} // namespace greenroom::http::handlers
