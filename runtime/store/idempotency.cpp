#include "runtime/store/idempotency.hpp"

#include "runtime/store/sql.hpp"

#include <string_view>

namespace greenroom::store {

namespace {

// What `run` holds: the process that serves, and where it is a node among
// others "/" and the incarnation by which its lease is known.
constexpr char before_incarnation = '/';

// Too many requests: nothing was done.
constexpr int refused_unbegun = 429;

std::string_view process_of(std::string_view run) {
  return run.substr(0, run.find(before_incarnation));
}

std::string incarnation_of(std::string_view run) {
  auto at = run.find(before_incarnation);
  return std::string{at == run.npos ? std::string_view{} : run.substr(at + 1)};
}

// A process that has lost its lease goes on under another incarnation, so it is
// looked up each time.
std::string run_of(soci::session& sql, const std::string& process,
                   const std::string& node) {
  if (node.empty())
    return process;
  std::string incarnation;
  sql << "SELECT incarnation FROM nodes WHERE name = :name",
    soci::into(incarnation), soci::use(node, "name");
  return process + before_incarnation + incarnation;
}

// Whether a node other than `node` serves it, and may still acknowledge that.
bool is_served_elsewhere(connection& c, soci::session& sql,
                         const std::string& run, const std::string& node) {
  auto incarnation = incarnation_of(run);
  if (incarnation.empty())
    return false;
  int living = 0;
  sql << "SELECT COUNT(*) FROM nodes WHERE incarnation = :inc AND name <> :name"
         " AND lease_until > "
           + c.self().now,
    soci::into(living), soci::use(incarnation, "inc"), soci::use(node, "name");
  return living > 0;
}

bool insert(soci::session& sql, const greenroom::begin_request& x) {
  const long long now = x.now;
  return execute(sql,
                 "INSERT INTO requests (key_id, name, fingerprint, run,"
                 " planned_id, status, body, touched_at) VALUES (:key, :name,"
                 " :fingerprint, :run, :planned, 0, '', :now)"
                 " ON CONFLICT DO NOTHING",
                 soci::use(x.key_id, "key"), soci::use(x.name, "name"),
                 soci::use(x.fingerprint, "fingerprint"),
                 soci::use(x.run, "run"), soci::use(x.planned_id, "planned"),
                 soci::use(now, "now"))
         == 1;
}

// Who takes it over from a run that is over; the others find it taken.
bool take_over(soci::session& sql, const greenroom::begin_request& x,
               const std::string& from) {
  const long long now = x.now;
  return execute(sql,
                 "UPDATE requests SET run = :run, touched_at = :now"
                 " WHERE key_id = :key AND name = :name AND run = :from"
                 " AND status = 0",
                 soci::use(x.run, "run"), soci::use(now, "now"),
                 soci::use(x.key_id, "key"), soci::use(x.name, "name"),
                 soci::use(from, "from"))
         == 1;
}

// One that is too old to count; the others are retention's.
void drop_expired(soci::session& sql, const greenroom::begin_request& x) {
  const long long before = x.now - request_lifetime;
  execute(sql,
          "DELETE FROM requests WHERE key_id = :key AND name = :name"
          " AND touched_at < :before",
          soci::use(x.key_id, "key"), soci::use(x.name, "name"),
          soci::use(before, "before"));
}

// Whether it is `node`'s to end: not where another one has taken it over.
bool may_end(connection& c, soci::session& sql,
             const greenroom::finish_request& x, const std::string& node) {
  std::string run;
  sql << "SELECT run FROM requests WHERE key_id = :key AND name = :name"
           + c.self().for_update,
    soci::into(run), soci::use(x.key_id, "key"), soci::use(x.name, "name");
  return sql.got_data() && !is_served_elsewhere(c, sql, run, node);
}

} // namespace

begun_request begin_request(connection& c, greenroom::begin_request x,
                            const std::string& node) {
  check_text("Idempotency-Key", x.name);
  const auto process = x.run;
  return in_transaction(c, [&](soci::session& sql) {
    x.run = run_of(sql, process, node);
    drop_expired(sql, x);
    begun_request result;
    if (insert(sql, x)) {
      result.planned_id = x.planned_id;
      return result;
    }
    std::string fingerprint;
    std::string run;
    int status = 0;
    sql << "SELECT fingerprint, run, planned_id, status, body FROM requests"
           " WHERE key_id = :key AND name = :name",
      soci::into(fingerprint), soci::into(run), soci::into(result.planned_id),
      soci::into(status), soci::into(result.body), soci::use(x.key_id, "key"),
      soci::use(x.name, "name");
    if (!sql.got_data())
      // Its name was freed just between the two statements.
      throw unavailable("a request's row went while it was looked at");
    if (fingerprint != x.fingerprint)
      return begun_request{request_state::reused, {}, 0, {}};
    result.status = static_cast<std::uint16_t>(status);
    if (status != 0)
      result.state = request_state::done;
    else if (process_of(run) != process
             && !is_served_elsewhere(c, sql, run, node)
             && take_over(sql, x, run))
      result.state = request_state::repeat;
    else
      result.state = request_state::busy;
    return result;
  });
}

void finish_request(connection& c, const greenroom::finish_request& x,
                    const std::string& node) {
  check_text("body", x.body);
  const int status = x.status;
  const long long now = x.now;
  in_transaction(c, [&](soci::session& sql) {
    if (status == refused_unbegun) {
      if (may_end(c, sql, x, node))
        execute(sql,
                "DELETE FROM requests WHERE key_id = :key AND name = :name"
                " AND status = 0",
                soci::use(x.key_id, "key"), soci::use(x.name, "name"));
    } else if (status >= 500 || x.body.size() > max_kept_body) {
      if (may_end(c, sql, x, node))
        execute(sql,
                "UPDATE requests SET run = '', touched_at = :now"
                " WHERE key_id = :key AND name = :name",
                soci::use(now, "now"), soci::use(x.key_id, "key"),
                soci::use(x.name, "name"));
    } else if (may_end(c, sql, x, node)) {
      execute(sql,
              "UPDATE requests SET status = :status, body = :body,"
              " touched_at = :now WHERE key_id = :key AND name = :name"
              " AND status = 0",
              soci::use(status, "status"), soci::use(x.body, "body"),
              soci::use(now, "now"), soci::use(x.key_id, "key"),
              soci::use(x.name, "name"));
    }
  });
}

void drop_old_requests(connection& c, unix_ms now) {
  const long long before = now - request_lifetime;
  in_transaction(c, [&](soci::session& sql) {
    execute(sql, "DELETE FROM requests WHERE touched_at < :before",
            soci::use(before, "before"));
  });
}

} // namespace greenroom::store
