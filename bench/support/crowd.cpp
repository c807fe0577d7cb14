#include "bench/support/crowd.hpp"

#include "bench/support/spawn.hpp"

#include <filesystem>
#include <string>

namespace greenroom::bench {

namespace {

void sqlite(const node& of, const std::string& sql) {
  spawn({installed("sqlite3"), "-bail",
         (of.data_dir() / "greenroom.db").string(), sql});
}

std::string id_of(char kind, int number) {
  auto digits = std::to_string(number);
  return kind + std::string(19 - digits.size(), '0') + digits;
}

// All columns are those of a session that is there, but for what makes it
// another one.
std::string copies(int count, const std::string& name,
                   const std::string& change) {
  return "CREATE TEMP TABLE more AS WITH RECURSIVE numbers(n) AS (SELECT 1 "
         "UNION ALL SELECT n + 1 FROM numbers WHERE n < "
         + std::to_string(count)
         + ") SELECT n, one.* FROM numbers, (SELECT * FROM sessions WHERE "
           "project_id = 'crowd' LIMIT 1) one;"
           "UPDATE more SET id = printf('"
         + name + "%019d', n), branch = printf('" + name
         + "-%d', n), slot = n, token_hash = '', " + change
         + ";"
           "ALTER TABLE more DROP COLUMN n;"
           "INSERT INTO sessions SELECT * FROM more;"
           "DROP TABLE more;";
}

} // namespace

void add_crowd(const node& to, const crowd& what) {
  std::string sql = "BEGIN;";
  if (what.live > 0)
    sql += copies(what.live, "l", "status = 'active'");
  if (what.ended > 0)
    sql +=
      copies(what.ended, "e", "status = 'ended', ended_at = created_at + 1000");
  sqlite(to, sql + "COMMIT;");
  // A checkout that is missing would be made anew.
  for (int number = 1; number <= what.live; ++number)
    std::filesystem::create_directories(to.data_dir() / "sessions"
                                        / id_of('l', number) / "checkout");
}

void read_all_rows(const node& of) {
  sqlite(of, "SELECT * FROM sessions;");
}

} // namespace greenroom::bench
