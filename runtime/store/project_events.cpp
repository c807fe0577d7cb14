#include "runtime/store/project_events.hpp"

#include "runtime/store/outbox_rows.hpp"
#include "runtime/store/project_event_rows.hpp"
#include "runtime/store/rows.hpp"

#include <string>

namespace greenroom::store {

namespace {

struct project_event_row {
  long long number = 0;
  std::string project_id;
  std::string session_id;
  std::string type;
  long long made_at = 0;
  std::string fields; // JSON
};

template <class F>
void each_column(project_event_row& row, F&& f) {
  f("number", row.number);
  f("project_id", row.project_id);
  f("session_id", row.session_id);
  f("type", row.type);
  f("made_at", row.made_at);
  f("fields", row.fields);
}

project_event from_row(const project_event_row& row) {
  return {static_cast<std::uint64_t>(row.number),
          row.project_id,
          row.session_id,
          row.type,
          row.made_at,
          fields_from_text(row.fields)};
}

/// A condition that a column is one of so many names.
std::string one_of(const char* column, const char* name, std::size_t count) {
  std::string text = std::string{" AND "} + column + " IN (";
  for (std::size_t i = 0; i < count; ++i)
    text += (i == 0 ? ":" : ", :") + std::string{name} + std::to_string(i);
  return text + ')';
}

} // namespace

void add_project_event(soci::session& sql, const project_event& what) {
  project_event_row row{
    0,         what.project_id, what.session_id,
    what.type, what.time,       fields_to_text(what.fields)};
  check_texts(row);
  sql << "UPDATE project_event_number SET number = number + 1"
         " RETURNING number",
    soci::into(row.number);
  insert_row(sql, "project_events", row);
}

void drop_project_events(soci::session& sql, const std::string& project_id) {
  execute(sql, "DELETE FROM project_events WHERE project_id = :project",
          soci::use(project_id, "project"));
}

std::uint64_t last_project_event(connection& c) {
  return reading(c, [](soci::session& sql) {
    long long result = 0;
    sql << "SELECT number FROM project_event_number", soci::into(result);
    return static_cast<std::uint64_t>(result);
  });
}

std::vector<project_event>
project_events_after(connection& c, const greenroom::find_live& what) {
  const auto after = static_cast<long long>(what.events_after);
  const auto count = static_cast<long long>(project_event_page);
  auto text = "SELECT " + columns_of<project_event_row>()
              + " FROM project_events WHERE number > :after";
  if (!what.projects.empty())
    text += one_of("project_id", "project", what.projects.size());
  if (!what.sessions.empty())
    text += one_of("session_id", "session", what.sessions.size());
  text += " ORDER BY number LIMIT :count";
  auto bind = [&](soci::statement& statement) {
    statement.exchange(soci::use(after, "after"));
    for (std::size_t i = 0; i < what.projects.size(); ++i)
      statement.exchange(
        soci::use(what.projects[i], "project" + std::to_string(i)));
    for (std::size_t i = 0; i < what.sessions.size(); ++i)
      statement.exchange(
        soci::use(what.sessions[i], "session" + std::to_string(i)));
    statement.exchange(soci::use(count, "count"));
  };
  return reading(c, [&](soci::session& sql) {
    std::vector<project_event> result;
    each_row<project_event_row>(sql, text, bind,
                                [&](const project_event_row& row) {
                                  result.push_back(from_row(row));
                                  return true;
                                });
    return result;
  });
}

void trim_project_events(connection& c) {
  const auto kept = static_cast<long long>(kept_project_events);
  in_transaction(c, [&](soci::session& sql) {
    execute(sql,
            "DELETE FROM project_events WHERE number <="
            " (SELECT number FROM project_event_number) - :kept",
            soci::use(kept, "kept"));
  });
}

} // namespace greenroom::store
