#include "runtime/store/previews.hpp"

#include "messages/errors.hpp"
#include "runtime/store/preview_rows.hpp"

namespace greenroom::store {

std::optional<std::string> previews_of(connection& c,
                                       const std::string& session_id) {
  return reading(c, [&](soci::session& sql) -> std::optional<std::string> {
    std::string json;
    sql << "SELECT json FROM session_previews WHERE session_id = :id",
      soci::into(json), soci::use(session_id, "id");
    if (!sql.got_data())
      return std::nullopt;
    return json;
  });
}

void keep_previews(connection& c, const std::string& session_id,
                   const std::string& json, const std::string& node) {
  check_text("previews", json);
  in_transaction(c, [&](soci::session& sql) {
    // Locked, so that the session goes nowhere meanwhile.
    std::string owner;
    sql << "UPDATE sessions SET node = node WHERE id = :id RETURNING node",
      soci::into(owner), soci::use(session_id, "id");
    if (!sql.got_data() || owner != node)
      throw refused(errc::conflict,
                    "the session has moved meanwhile, try again");
    execute(sql,
            "INSERT INTO session_previews (session_id, json)"
            " VALUES (:id, :json)"
            " ON CONFLICT (session_id) DO UPDATE SET json = excluded.json",
            soci::use(session_id, "id"), soci::use(json, "json"));
  });
}

void drop_previews(soci::session& sql, const std::string& session_id) {
  execute(sql, "DELETE FROM session_previews WHERE session_id = :id",
          soci::use(session_id, "id"));
}

} // namespace greenroom::store
