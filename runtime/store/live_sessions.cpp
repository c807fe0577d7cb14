// Which sessions live: for those who watch, and in numbers.
#include "runtime/store/session_sql.hpp"
#include "runtime/store/sessions.hpp"
#include "runtime/store/sql.hpp"

#include <cstddef>
#include <set>

namespace greenroom::store {

namespace {

// A condition on a column; each value is bound by itself, by numbered names.
std::string is_one_of(const char* column, const char* name, std::size_t count) {
  std::string text = std::string{column} + " IN (";
  for (std::size_t i = 0; i < count; ++i)
    text += (i == 0 ? ":" : ", :") + std::string{name} + std::to_string(i);
  return text + ")";
}

// The names are ids, which is checked where they come from; here each is bound
// all the same.
void bind_names(soci::statement& statement,
                const std::vector<std::string>& values, const char* name) {
  for (std::size_t i = 0; i < values.size(); ++i)
    statement.exchange(soci::use(values[i], name + std::to_string(i)));
}

// Which sessions of the projects that are asked for.
struct which_live {
  std::string condition;
  const std::vector<std::string>* ids = nullptr; // `id0`, … of the condition
  long long since = 0;                           // its `since`; 0: it has none
};

/// Collects sessions, each once.
class live_finder {
public:
  live_finder(soci::session& sql, const std::vector<std::string>& projects)
    : sql_(sql), projects_(projects) {}

  void add(const which_live& which) {
    live_session found;
    long long created = 0;
    auto since = which.since;
    soci::statement statement{sql_};
    statement.exchange(soci::into(found.project_id));
    statement.exchange(soci::into(found.session_id));
    statement.exchange(soci::into(created));
    auto text = "SELECT project_id, id, created_at FROM sessions WHERE "
                + which.condition;
    if (which.ids != nullptr)
      bind_names(statement, *which.ids, "id");
    if (since != 0)
      statement.exchange(soci::use(since, "since"));
    if (!projects_.empty())
      text += " AND " + is_one_of("project_id", "project", projects_.size());
    bind_names(statement, projects_, "project");
    statement.alloc();
    statement.prepare(text, once);
    statement.define_and_bind();
    statement.execute();
    while (statement.fetch())
      if (seen_.insert(found.session_id).second) {
        found.created_at = created;
        result_.sessions.push_back(found);
      }
  }

  live_list take() {
    return std::move(result_);
  }

private:
  soci::session& sql_;
  const std::vector<std::string>& projects_;
  std::set<std::string> seen_;
  live_list result_;
};

} // namespace

live_list find_live(connection& c, const greenroom::find_live& what) {
  return reading(c, [&](soci::session& sql) {
    live_finder finder{sql, what.projects};
    if (!what.sessions.empty()) {
      finder.add({is_one_of("id", "id", what.sessions.size()), &what.sessions});
      return finder.take();
    }
    finder.add({std::string{is_live_sql}});
    if (what.created_since != 0)
      finder.add({"created_at >= :since", nullptr, what.created_since});
    if (!what.also.empty())
      finder.add({is_one_of("id", "id", what.also.size()), &what.also});
    return finder.take();
  });
}

session_counts count_live(connection& c, const std::string& node) {
  return reading(c, [&](soci::session& sql) {
    session_counts result;
    std::string status;
    long long count = 0;
    soci::statement statement{sql};
    statement.exchange(soci::into(status));
    statement.exchange(soci::into(count));
    statement.exchange(soci::use(node, "node"));
    statement.alloc();
    statement.prepare("SELECT status, COUNT(*) FROM sessions"
                      " WHERE node = :node AND "
                        + std::string{is_live_sql} + " GROUP BY status",
                      once);
    statement.define_and_bind();
    statement.execute();
    while (statement.fetch()) {
      auto number = static_cast<std::uint64_t>(count);
      if (status == to_string(session_status::creating))
        result.creating = number;
      else if (status == to_string(session_status::active))
        result.active = number;
      else
        result.checking_in = number;
    }
    return result;
  });
}

} // namespace greenroom::store
