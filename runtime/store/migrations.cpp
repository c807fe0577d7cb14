#include "runtime/store/migrations.hpp"

#include "runtime/store/schema_steps.hpp"
#include "runtime/store/sql.hpp"

#include <stdexcept>
#include <string>

namespace greenroom::store {

namespace {

int current_version(soci::session& sql) {
  int result = 0;
  sql << "SELECT COALESCE(MAX(version), 0) FROM schema_version",
    soci::into(result);
  return result;
}

// Of several programs one migrates, and the others wait for it.
void lock(connection& c, soci::session& sql) {
  if (auto& statement = c.self().migration_lock; !statement.empty())
    sql << statement;
}

// False when there is nothing left to do. The version is read again in each
// transaction, since another program may be at it too.
bool take_step(connection& c, soci::session& sql) {
  lock(c, sql);
  const auto version = current_version(sql);
  const auto latest = static_cast<int>(schema_steps().size());
  if (version > latest)
    throw std::runtime_error(
      "the store " + c.self().name + " has version " + std::to_string(version)
      + ", but this program knows only up to " + std::to_string(latest)
      + "; start the newer program that wrote it, or restore a backup");
  if (version == latest)
    return false;
  for (const auto& statement :
       schema_steps()[static_cast<std::size_t>(version)])
    sql << statement;
  const int next = version + 1;
  const long long now = now_ms();
  sql << "INSERT INTO schema_version (version, applied_at) VALUES (:v, :t)",
    soci::use(next, "v"), soci::use(now, "t");
  return true;
}

} // namespace

void migrate(connection& c) {
  in_transaction(c, [&](soci::session& sql) {
    lock(c, sql);
    sql << "CREATE TABLE IF NOT EXISTS schema_version ("
           " version BIGINT PRIMARY KEY,"
           " applied_at BIGINT NOT NULL)";
  });
  while (
    in_transaction(c, [&](soci::session& sql) { return take_step(c, sql); }))
    continue;
}

int schema_version(connection& c) {
  return reading(c, [](soci::session& sql) { return current_version(sql); });
}

} // namespace greenroom::store
