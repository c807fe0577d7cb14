#include "runtime/store/projects.hpp"

#include "runtime/config/projects.hpp"
#include "runtime/store/project_rows.hpp"
#include "runtime/store/session_sql.hpp"

#include <nlohmann/json.hpp>

#include <stdexcept>

namespace greenroom::store {

namespace {

void write(connection& c, const project_record& project, bool keep_stopped,
           const std::string& as) {
  const nlohmann::json form = project_to_json(project);
  // What could not be read again must not get in.
  static_cast<void>(project_from_json(form));
  const auto text = form.dump();
  const int stopped = project.stopped ? 1 : 0;
  const long long now = now_ms();
  // What is new is its maker's.
  const long long epoch = as.empty() ? 0 : 1;
  in_transaction(c, [&](soci::session& sql) {
    hold_project(c, sql, project.id, as);
    execute(
      sql,
      std::string{"INSERT INTO projects (id, json, stopped, created_at,"
                  " updated_at, owner, epoch) VALUES (:id, :json, :stopped,"
                  " :made, :now, :owner, :epoch)"
                  " ON CONFLICT (id) DO UPDATE SET json = excluded.json,"
                  " updated_at = excluded.updated_at"}
        + (keep_stopped ? "" : ", stopped = excluded.stopped"),
      soci::use(project.id, "id"), soci::use(text, "json"),
      soci::use(stopped, "stopped"), soci::use(now, "made"),
      soci::use(now, "now"), soci::use(as, "owner"), soci::use(epoch, "epoch"));
  });
}

project_record read(const std::string& id, const std::string& text,
                    bool stopped) {
  try {
    auto project = project_from_json(nlohmann::json::parse(text));
    project.stopped = stopped;
    return project;
  } catch (const std::exception& e) {
    throw std::runtime_error("the store has project " + id
                             + " in a form that cannot be read: " + e.what());
  }
}

} // namespace

bool hold_project(connection& c, soci::session& sql, const std::string& id,
                  const std::string& as) {
  std::string owner;
  sql << "SELECT owner FROM projects WHERE id = :id" + c.self().for_update,
    soci::into(owner), soci::use(id, "id");
  if (!sql.got_data())
    return false;
  if (!as.empty() && !owner.empty() && owner != as)
    throw refused(errc::unavailable, "project \"" + id + "\" is on node \""
                                       + owner + "\" by now, try again");
  return true;
}

void put_project(connection& c, const project_record& project,
                 const std::string& as) {
  write(c, project, false, as);
}

void configure_project(connection& c, const project_record& project) {
  write(c, project, true, {});
}

bool delete_project(connection& c, const std::string& id,
                    const std::string& as) {
  return in_transaction(c, [&](soci::session& sql) {
    if (!hold_project(c, sql, id, as)) // against sessions that begin meanwhile
      return false;
    int live = 0;
    sql << "SELECT COUNT(*) FROM sessions WHERE project_id = :id AND "
             + std::string{is_live_sql},
      soci::into(live), soci::use(id, "id");
    if (live > 0)
      throw refused(errc::conflict,
                    "project \"" + id + "\" has live sessions; end them first");
    int open = 0;
    sql << "SELECT COUNT(*) FROM reviews WHERE project_id = :id AND"
           " ended_at = 0",
      soci::into(open), soci::use(id, "id");
    if (open > 0)
      throw refused(errc::conflict, "project \"" + id
                                      + "\" has open reviews; approve or "
                                        "reject them first");
    return execute(sql, "DELETE FROM projects WHERE id = :id",
                   soci::use(id, "id"))
           > 0;
  });
}

std::vector<project_record> projects(connection& c) {
  return reading(c, [&](soci::session& sql) {
    std::vector<project_record> result;
    std::string id;
    std::string text;
    int stopped = 0;
    soci::statement statement =
      (sql.prepare
         << "SELECT id, json, stopped FROM projects ORDER BY created_at, id",
       soci::into(id), soci::into(text), soci::into(stopped));
    statement.execute();
    while (statement.fetch())
      result.push_back(read(id, text, stopped != 0));
    return result;
  });
}

} // namespace greenroom::store
