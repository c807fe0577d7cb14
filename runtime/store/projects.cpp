#include "runtime/store/projects.hpp"

#include "runtime/config/projects.hpp"
#include "runtime/store/project_event_rows.hpp"
#include "runtime/store/project_rows.hpp"
#include "runtime/store/session_sql.hpp"
#include "runtime/store/webhook_rows.hpp"

#include <nlohmann/json.hpp>

#include <optional>
#include <stdexcept>
#include <string>

namespace greenroom::store {

namespace {

project_record read(const std::string& id, const std::string& text,
                    bool stopped, long long incarnation) {
  try {
    auto project = project_from_json(nlohmann::json::parse(text));
    project.stopped = stopped;
    project.incarnation = static_cast<std::uint32_t>(incarnation);
    return project;
  } catch (const std::exception& e) {
    throw unreadable("the store has project " + id
                     + " in a form that cannot be read: " + e.what());
  }
}

// A node that is older than a rule reads projects that do not use it.
std::string stored_form(const project_record& project) {
  auto fields = project_to_json(project);
  const auto usual = project_to_json(project_record{});
  for (const char* rule : {"on_node_loss", "node_loss_delay", "node_labels"})
    if (fields.at(rule) == usual.at(rule))
      fields.erase(rule);
  return fields.dump();
}

// As it is in the store, and held: against sessions that begin meanwhile.
std::optional<project_record> find(connection& c, soci::session& sql,
                                   const std::string& id,
                                   const std::string& as) {
  if (!hold_project(c, sql, id, as))
    return std::nullopt;
  std::string text;
  int stopped = 0;
  long long incarnation = 0;
  sql << "SELECT json, stopped, incarnation FROM projects WHERE id = :id",
    soci::into(text), soci::into(stopped), soci::into(incarnation),
    soci::use(id, "id");
  return read(id, text, stopped != 0, incarnation);
}

// Why the project cannot be given up yet, or nothing.
std::optional<std::string> holder(soci::session& sql, const std::string& id) {
  int live = 0;
  sql << "SELECT COUNT(*) FROM sessions WHERE project_id = :id AND "
           + std::string{is_live_sql},
    soci::into(live), soci::use(id, "id");
  if (live > 0)
    return "project \"" + id + "\" has live sessions; end them first";
  int open = 0;
  sql << "SELECT COUNT(*) FROM reviews WHERE project_id = :id AND"
         " ended_at = 0",
    soci::into(open), soci::use(id, "id");
  if (open > 0)
    return "project \"" + id
           + "\" has open reviews; approve or reject them first";
  return std::nullopt;
}

// Gives what is over another project's id, which no project can have, and
// remembers that the incarnation is used up.
void retire(soci::session& sql, const project_record& project) {
  const auto name = project.id + '~' + std::to_string(project.incarnation);
  for (const std::string table : {"sessions", "reviews"})
    execute(sql,
            "UPDATE " + table
              + " SET project_id = :name"
                " WHERE project_id = :id",
            soci::use(name, "name"), soci::use(project.id, "id"));
  const long long next = project.incarnation + 1LL;
  execute(sql,
          "INSERT INTO former_projects (project_id, incarnations)"
          " VALUES (:id, :next) ON CONFLICT (project_id)"
          " DO UPDATE SET incarnations = excluded.incarnations",
          soci::use(project.id, "id"), soci::use(next, "next"));
}

std::uint32_t next_incarnation(soci::session& sql, const std::string& id) {
  long long used = 0;
  sql << "SELECT COALESCE(MAX(incarnations), 0) FROM former_projects"
         " WHERE project_id = :id",
    soci::into(used), soci::use(id, "id");
  return static_cast<std::uint32_t>(used);
}

// Gives the project its incarnation, and gives up the one before where its repo
// is another.
void take_place(connection& c, soci::session& sql, project_record& project,
                bool from_file, const std::string& as) {
  auto before = find(c, sql, project.id, as);
  if (!before) {
    project.incarnation = next_incarnation(sql, project.id);
    return;
  }
  project.incarnation = before->incarnation;
  if (from_file)
    project.stopped = before->stopped;
  if (before->repo == project.repo)
    return;
  if (auto held = holder(sql, project.id)) {
    if (!from_file)
      throw refused(errc::conflict, "repo cannot be changed: " + *held);
    project.repo = before->repo;
    return;
  }
  retire(sql, *before);
  project.incarnation = next_incarnation(sql, project.id);
}

project_record write(connection& c, const project_record& wanted,
                     bool from_file, const std::string& as) {
  // What could not be read again must not get in.
  static_cast<void>(project_from_json(project_to_json(wanted)));
  const long long now = now_ms();
  // What is new is its maker's, and of the file nobody's yet.
  const auto owner = from_file ? std::string{} : as;
  const long long epoch = owner.empty() ? 0 : 1;
  return in_transaction(c, [&](soci::session& sql) {
    auto project = wanted;
    take_place(c, sql, project, from_file, as);
    const auto text = stored_form(project);
    const int stopped = project.stopped ? 1 : 0;
    const long long incarnation = project.incarnation;
    execute(sql,
            "INSERT INTO projects (id, json, stopped, incarnation, created_at,"
            " updated_at, owner, epoch) VALUES (:id, :json, :stopped,"
            " :incarnation, :made, :now, :owner, :epoch)"
            " ON CONFLICT (id) DO UPDATE SET json = excluded.json,"
            " stopped = excluded.stopped, incarnation = excluded.incarnation,"
            " updated_at = excluded.updated_at",
            soci::use(project.id, "id"), soci::use(text, "json"),
            soci::use(stopped, "stopped"),
            soci::use(incarnation, "incarnation"), soci::use(now, "made"),
            soci::use(now, "now"), soci::use(owner, "owner"),
            soci::use(epoch, "epoch"));
    return project;
  });
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

project_record put_project(connection& c, const project_record& project,
                           const std::string& as) {
  return write(c, project, false, as);
}

project_record configure_project(connection& c, const project_record& project,
                                 const std::string& as) {
  return write(c, project, true, as);
}

bool delete_project(connection& c, const std::string& id,
                    const std::string& as) {
  return in_transaction(c, [&](soci::session& sql) {
    auto project = find(c, sql, id, as);
    if (!project)
      return false;
    if (auto held = holder(sql, id))
      throw refused(errc::conflict, *held);
    retire(sql, *project);
    drop_webhooks(sql, id);
    drop_project_events(sql, id);
    return execute(sql, "DELETE FROM projects WHERE id = :id",
                   soci::use(id, "id"))
           > 0;
  });
}

std::vector<project_record> projects(connection& c,
                                     std::vector<unread_project>* unread) {
  return reading(c, [&](soci::session& sql) {
    std::vector<project_record> result;
    std::string id;
    std::string text;
    int stopped = 0;
    long long incarnation = 0;
    soci::statement statement =
      (sql.prepare << "SELECT id, json, stopped, incarnation FROM projects"
                      " ORDER BY created_at, id",
       soci::into(id), soci::into(text), soci::into(stopped),
       soci::into(incarnation));
    statement.execute();
    while (statement.fetch())
      try {
        result.push_back(read(id, text, stopped != 0, incarnation));
      } catch (const unreadable& e) {
        if (unread != nullptr)
          unread->push_back({id, e.what()});
      }
    return result;
  });
}

} // namespace greenroom::store
