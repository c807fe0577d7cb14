#!/usr/bin/env bash
# SOCI 4.0.3 on PostgreSQL: commit() of a transaction in which a statement failed
# returns as if all were well, and nothing is stored.
#
# The good guess: a commit that cannot be done throws. PostgreSQL answers COMMIT
# with ROLLBACK where a statement has failed, which is no error to libpq, and
# SOCI does not look at the answer. Code that catches a statement's exception
# (a duplicate, say) and goes on in the same transaction loses all of it. The
# same code on SQLite keeps the other rows.
#
# Seen with SOCI 4.0.3, PostgreSQL 15 (Debian 12): 0 rows on PostgreSQL, 2 on
# SQLite, no exception from either commit().
set -euo pipefail
for package in postgresql-15 libsoci-dev libsqlite3-dev libpq-dev g++; do
  dpkg-query -W "$package" >/dev/null 2>&1 || {
    echo "needs the Debian package $package: apt-get install $package"
    exit 2
  }
done
dir=$(mktemp -d)
bin=/usr/lib/postgresql/15/bin
as_user() { if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi; }
[ "$(id -u)" = 0 ] && chown postgres "$dir"
trap 'as_user $bin/pg_ctl -D "$dir/data" -m immediate stop >/dev/null 2>&1 || true; rm -rf "$dir"' EXIT
chmod 755 "$dir"
cd "$dir"
as_user $bin/initdb -D "$dir/data" -A trust -U postgres >/dev/null
as_user $bin/pg_ctl -D "$dir/data" -w -l "$dir/log" -o "-c listen_addresses= -c unix_socket_directories=$dir" start >/dev/null
cat >try.cpp <<'CPP'
#include <soci/postgresql/soci-postgresql.h>
#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>

#include <iostream>
#include <string>

int rows_after(soci::session& sql) {
  sql << "create table t (id integer primary key)";
  {
    soci::transaction change{sql};
    sql << "insert into t values (1)";
    try {
      sql << "insert into t values (1)";
    } catch (const soci::soci_error&) {
      // A duplicate: it is there already, which is fine.
    }
    try {
      sql << "insert into t values (2)";
    } catch (const soci::soci_error&) {
    }
    change.commit();
  }
  int count = 0;
  sql << "select count(*) from t", soci::into(count);
  return count;
}

int main(int, char** argv) {
  soci::session postgres{soci::postgresql, std::string{"host="} + argv[1] + " user=postgres"};
  soci::session sqlite{soci::sqlite3, ":memory:"};
  auto in_postgres = rows_after(postgres);
  std::cout << "postgresql " << in_postgres << " sqlite " << rows_after(sqlite) << "\n";
}
CPP
g++ -std=c++17 -w try.cpp -o try -lsoci_core -lsoci_postgresql -lsoci_sqlite3 -I/usr/include/postgresql
seen=$(./try "$dir")
echo "SOCI $(dpkg-query -W -f='${Version}' libsoci-dev), $($bin/postgres --version): $seen"
[ "$seen" = 'postgresql 0 sqlite 2' ] || { echo "this has changed"; exit 1; }
