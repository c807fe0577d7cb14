#include "runtime/store/nodes.hpp"

#include "runtime/config/projects.hpp"
#include "runtime/store/session_sql.hpp"
#include "runtime/store/sql.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <stdexcept>
#include <tuple>
#include <utility>

namespace greenroom::store {

namespace {

using nlohmann::json;

// What a lease is judged by. Held until the transaction ends.
struct held_node {
  std::string incarnation;
  std::string home;
  std::string state;
  bool has_lease = false;
  millis lease_left = 0;
};

std::optional<held_node> hold(connection& c, soci::session& sql,
                              const std::string& name) {
  held_node found;
  long long left = 0;
  sql << "SELECT incarnation, home, state, lease_until - " + c.self().now
           + " FROM nodes WHERE name = :name" + c.self().for_update,
    soci::into(found.incarnation), soci::into(found.home),
    soci::into(found.state), soci::into(left), soci::use(name, "name");
  if (!sql.got_data())
    return std::nullopt;
  found.has_lease = left > 0;
  found.lease_left = std::max(left, 0LL);
  return found;
}

// Two that hold the same two nodes' rows do so in the same order.
std::pair<std::optional<held_node>, std::optional<held_node>>
hold_both(connection& c, soci::session& sql, const std::string& a,
          const std::string& b) {
  std::pair<std::optional<held_node>, std::optional<held_node>> result;
  if (a < b) {
    result.first = hold(c, sql, a);
    result.second = hold(c, sql, b);
  } else {
    result.second = hold(c, sql, b);
    result.first = hold(c, sql, a);
  }
  return result;
}

void check(const joining& x) {
  auto& node = x.node;
  for (auto [field, text] : {std::pair{"name", &node.name},
                             {"incarnation", &node.incarnation},
                             {"address", &node.address},
                             {"http", &node.http},
                             {"version", &node.version},
                             {"home", &x.home}})
    check_text(field, *text);
  for (auto& [name, value] : node.labels) {
    check_text("labels", name);
    check_text("labels", value);
  }
}

// The project and what lives in it get another node and another epoch.
bool give(soci::session& sql, const owner_record& project,
          const std::string& to) {
  const auto epoch = static_cast<long long>(project.epoch);
  if (execute(sql,
              "UPDATE projects SET owner = :new, epoch = epoch + 1"
              " WHERE id = :id AND owner = :old AND epoch = :epoch",
              soci::use(to, "new"), soci::use(project.project_id, "id"),
              soci::use(project.node, "old"), soci::use(epoch, "epoch"))
      != 1)
    return false;
  execute(sql,
          "UPDATE sessions SET " + std::string{to_node_sql}
            + " WHERE project_id = :id AND " + std::string{is_live_sql},
          soci::use(to, "node"), soci::use(project.project_id, "id"));
  return true;
}

bool ends_with_its_node(soci::session& sql, const std::string& project_id) {
  std::string text;
  sql << "SELECT json FROM projects WHERE id = :id", soci::into(text),
    soci::use(project_id, "id");
  return project_from_json(json::parse(text)).placement.on_loss
         == node_loss::stop;
}

// That they are to end is stored with the takeover, for whoever has them until
// they have. The first loss is the reason, where there are more.
void mark_lost(soci::session& sql, const owner_record& project) {
  if (project.node.empty() || !ends_with_its_node(sql, project.project_id))
    return;
  execute(sql,
          "UPDATE sessions SET lost_node = :node WHERE project_id = :id"
          " AND lost_node = '' AND "
            + std::string{is_live_sql},
          soci::use(project.node, "node"), soci::use(project.project_id, "id"));
}

// A lease that has run out is ended for good: a renewal that waits for this
// row looks at it again, and finds it changed. When it ended can still be seen.
void end_lease(soci::session& sql, const std::string& name) {
  execute(sql,
          "UPDATE nodes SET lease_until = -ABS(lease_until)"
          " WHERE name = :name",
          soci::use(name, "name"));
}

bool may_take(connection& c, soci::session& sql, const node_record& node,
              const std::string& old) {
  if (old == node.name)
    return false;
  std::optional<held_node> mine;
  std::optional<held_node> theirs;
  if (old.empty())
    mine = hold(c, sql, node.name);
  else
    std::tie(mine, theirs) = hold_both(c, sql, node.name, old);
  if (!mine || !mine->has_lease || mine->incarnation != node.incarnation
      || (theirs && theirs->has_lease))
    return false;
  if (theirs)
    end_lease(sql, old);
  return true;
}

template <class... Uses>
std::vector<owner_record> fetch_owners(soci::session& sql,
                                       const std::string& condition,
                                       const Uses&... uses) {
  std::vector<owner_record> result;
  owner_record one;
  long long epoch = 0;
  soci::statement statement{sql};
  statement.exchange(soci::into(one.project_id));
  statement.exchange(soci::into(one.node));
  statement.exchange(soci::into(epoch));
  (statement.exchange(uses), ...);
  statement.alloc();
  statement.prepare("SELECT id, owner, epoch FROM projects" + condition, once);
  statement.define_and_bind();
  statement.execute();
  while (statement.fetch()) {
    one.epoch = static_cast<std::uint64_t>(epoch);
    result.push_back(one);
  }
  return result;
}

// A writer's batch of another node may hold what this wants, and want what this
// holds.
bool taken(connection& c, const node_record& node,
           const owner_record& project) {
  constexpr int attempts = 3;
  for (int attempt = 1;; ++attempt)
    try {
      return in_transaction(c, [&](soci::session& sql) {
        if (!may_take(c, sql, node, project.node)
            || !give(sql, project, node.name))
          return false;
        mark_lost(sql, project);
        return true;
      });
    } catch (const collided&) {
      if (attempt == attempts)
        throw;
    }
}

} // namespace

millis join(connection& c, const joining& x) {
  check(x);
  auto& node = x.node;
  const auto labels = json(node.labels).dump();
  const std::string state{to_string(node.state)};
  const long long lease = x.lease;
  return in_transaction(c, [&](soci::session& sql) -> millis {
    auto found = hold(c, sql, node.name);
    if (found && found->has_lease && found->home != x.home)
      throw refused(errc::conflict,
                    "a node called \"" + node.name
                      + "\" is in the cluster already; give this one another "
                        "name with --set node.name=NAME, or wait until the "
                        "other's lease is over");
    execute(sql,
            "INSERT INTO nodes (name, home, incarnation, address, http,"
            " version, labels, state, lease_until) VALUES (:name, :home,"
            " :incarnation, :address, :http, :version, :labels, :state, "
              + c.self().now
              + " + :lease) ON CONFLICT (name) DO UPDATE SET"
                " home = excluded.home, incarnation = excluded.incarnation,"
                " address = excluded.address, http = excluded.http,"
                " version = excluded.version, labels = excluded.labels,"
                " state = excluded.state, lease_until = excluded.lease_until",
            soci::use(node.name, "name"), soci::use(x.home, "home"),
            soci::use(node.incarnation, "incarnation"),
            soci::use(node.address, "address"), soci::use(node.http, "http"),
            soci::use(node.version, "version"), soci::use(labels, "labels"),
            soci::use(state, "state"), soci::use(lease, "lease"));
    return found ? found->lease_left : 0;
  });
}

bool renew(connection& c, const std::string& name,
           const std::string& incarnation, millis lease, double load) {
  const long long length = lease;
  return in_transaction(c, [&](soci::session& sql) {
    return execute(sql,
                   "UPDATE nodes SET load = :load, lease_until = "
                     + c.self().now
                     + " + :lease WHERE name = :name AND incarnation = :inc"
                       " AND lease_until > "
                     + c.self().now,
                   soci::use(load, "load"), soci::use(length, "lease"),
                   soci::use(name, "name"), soci::use(incarnation, "inc"))
           == 1;
  });
}

bool set_node_state(connection& c, const std::string& name, node_state state) {
  const std::string text{to_string(state)};
  return in_transaction(c, [&](soci::session& sql) {
    return execute(sql, "UPDATE nodes SET state = :state WHERE name = :name",
                   soci::use(text, "state"), soci::use(name, "name"))
           == 1;
  });
}

void leave(connection& c, const std::string& name,
           const std::string& incarnation, millis left) {
  const long long length = left;
  in_transaction(c, [&](soci::session& sql) {
    if (length > 0) {
      execute(sql,
              "UPDATE nodes SET lease_until = " + c.self().now
                + " + :left WHERE name = :name AND incarnation = :inc",
              soci::use(length, "left"), soci::use(name, "name"),
              soci::use(incarnation, "inc"));
      return;
    }
    execute(sql,
            "UPDATE nodes SET lease_until = -(" + c.self().now
              + ") WHERE name = :name AND incarnation = :inc",
            soci::use(name, "name"), soci::use(incarnation, "inc"));
  });
}

std::vector<node_record> nodes(connection& c) {
  return reading(c, [&](soci::session& sql) {
    std::vector<node_record> result;
    node_record one;
    std::string labels;
    std::string state;
    long long left = 0;
    long long sessions = 0;
    soci::statement statement{sql};
    for (auto* text : {&one.name, &one.incarnation, &one.address, &one.http,
                       &one.version, &labels, &state})
      statement.exchange(soci::into(*text));
    statement.exchange(soci::into(left));
    statement.exchange(soci::into(sessions));
    statement.exchange(soci::into(one.load));
    statement.alloc();
    statement.prepare(
      "SELECT name, incarnation, address, http, version, labels, state,"
      " lease_until - "
        + c.self().now
        + ", (SELECT COUNT(*) FROM sessions WHERE node = name AND "
        + std::string{is_live_sql} + "), load FROM nodes",
      once);
    statement.define_and_bind();
    statement.execute();
    while (statement.fetch()) {
      try {
        one.labels = json::parse(labels).get<string_map>();
      } catch (const json::exception&) {
        throw std::runtime_error("the store has node " + one.name
                                 + " with a bad value for labels");
      }
      if (!parse(state, one.state))
        throw std::runtime_error("the store has node " + one.name
                                 + " with a bad value for state");
      if (left <= 0)
        one.state = node_state::down;
      one.lease_left = std::max(left, 0LL);
      one.sessions = static_cast<std::uint32_t>(sessions);
      result.push_back(one);
    }
    std::ranges::sort(result, {}, &node_record::name);
    return result;
  });
}

std::map<std::string, millis> lost_nodes(connection& c) {
  return reading(c, [&](soci::session& sql) {
    std::map<std::string, millis> result;
    std::string name;
    long long since = 0;
    soci::statement statement{sql};
    statement.exchange(soci::into(name));
    statement.exchange(soci::into(since));
    statement.alloc();
    statement.prepare("SELECT name, " + c.self().now
                        + " - ABS(lease_until) FROM nodes WHERE lease_until <= "
                        + c.self().now,
                      once);
    statement.define_and_bind();
    statement.execute();
    while (statement.fetch())
      result[name] = since;
    return result;
  });
}

std::vector<owner_record> owners(connection& c) {
  auto result = reading(
    c, [](soci::session& sql) { return fetch_owners(sql, std::string{}); });
  std::ranges::sort(result, {}, &owner_record::project_id);
  return result;
}

std::optional<owner_record> owner_of(connection& c, const find_owner& what) {
  check_text("project", what.project_id);
  check_text("session", what.session_id);
  return reading(c, [&](soci::session& sql) -> std::optional<owner_record> {
    auto found =
      what.session_id.empty()
        ? fetch_owners(sql, " WHERE id = :id", soci::use(what.project_id, "id"))
        : fetch_owners(sql,
                       " WHERE id = (SELECT project_id FROM sessions"
                       " WHERE id = :id)",
                       soci::use(what.session_id, "id"));
    if (found.empty()
        || (!what.project_id.empty()
            && found.front().project_id != what.project_id))
      return std::nullopt;
    auto& owner = found.front();
    sql << "SELECT incarnation FROM nodes WHERE name = :name",
      soci::into(owner.incarnation), soci::use(owner.node, "name");
    return owner;
  });
}

std::vector<owner_record> take_over(connection& c, const node_record& node,
                                    std::span<const owner_record> projects) {
  std::vector<owner_record> result;
  for (auto& project : projects) {
    if (!taken(c, node, project))
      continue;
    auto& mine = result.emplace_back(project);
    mine.node = node.name;
    mine.incarnation = node.incarnation;
    ++mine.epoch;
  }
  return result;
}

std::vector<lost_session> lost_sessions(connection& c,
                                        const std::string& project_id,
                                        const std::string& node) {
  check_text("project", project_id);
  check_text("node", node);
  return reading(c, [&](soci::session& sql) {
    std::vector<lost_session> result;
    lost_session one;
    soci::statement statement{sql};
    statement.exchange(soci::into(one.session_id));
    statement.exchange(soci::into(one.lost_node));
    statement.exchange(soci::use(project_id, "project"));
    statement.exchange(soci::use(node, "node"));
    statement.alloc();
    statement.prepare("SELECT id, lost_node FROM sessions"
                      " WHERE project_id = :project AND node = :node"
                      " AND lost_node <> '' AND "
                        + std::string{is_live_sql},
                      once);
    statement.define_and_bind();
    statement.execute();
    while (statement.fetch())
      result.push_back(one);
    return result;
  });
}

bool hand_over(connection& c, const std::string& as,
               const owner_record& project, const std::string& to) {
  return in_transaction(c, [&](soci::session& sql) {
    auto other = hold(c, sql, to);
    return project.node == as && other && other->has_lease
           && other->state == to_string(node_state::ready)
           && give(sql, project, to);
  });
}

} // namespace greenroom::store
