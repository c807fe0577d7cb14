#include "runtime/store/execs.hpp"

#include "runtime/store/exec_rows.hpp"
#include "runtime/store/sql.hpp"

#include <optional>

namespace greenroom::store {

namespace {

// None where there is no such session any more. It stays so until the
// transaction ends.
std::optional<std::uint64_t> epoch_of(connection& c, soci::session& sql,
                                      const std::string& session_id) {
  long long now = 0;
  sql << "SELECT epoch FROM sessions WHERE id = :id" + c.self().for_update,
    soci::into(now), soci::use(session_id, "id");
  if (!sql.got_data())
    return std::nullopt;
  return static_cast<std::uint64_t>(now);
}

} // namespace

bool note_exec(connection& c, const greenroom::note_exec& what) {
  check_text("exec", what.json);
  const long long time = now_ms();
  return in_transaction(c, [&](soci::session& sql) {
    auto epoch = epoch_of(c, sql, what.session_id);
    if (epoch != what.epoch)
      return !epoch;
    if (what.json.empty())
      execute(sql,
              "DELETE FROM session_execs WHERE session_id = :id AND"
              " exec_id = :exec",
              soci::use(what.session_id, "id"),
              soci::use(what.exec_id, "exec"));
    else
      execute(sql,
              "INSERT INTO session_execs (session_id, exec_id, noted_at, json)"
              " VALUES (:id, :exec, :now, :json)"
              " ON CONFLICT (session_id, exec_id) DO UPDATE SET"
              " json = excluded.json",
              soci::use(what.session_id, "id"), soci::use(what.exec_id, "exec"),
              soci::use(time, "now"), soci::use(what.json, "json"));
    return true;
  });
}

std::vector<std::string> noted_execs(connection& c,
                                     const std::string& session_id) {
  return reading(c, [&](soci::session& sql) {
    std::vector<std::string> result;
    std::string json;
    soci::statement statement{sql};
    statement.exchange(soci::into(json));
    statement.exchange(soci::use(session_id, "id"));
    statement.alloc();
    statement.prepare("SELECT json FROM session_execs WHERE session_id = :id"
                      " ORDER BY noted_at, exec_id",
                      once);
    statement.define_and_bind();
    statement.execute();
    while (statement.fetch())
      result.push_back(json);
    return result;
  });
}

void drop_execs(soci::session& sql, const std::string& session_id) {
  execute(sql, "DELETE FROM session_execs WHERE session_id = :id",
          soci::use(session_id, "id"));
}

} // namespace greenroom::store
