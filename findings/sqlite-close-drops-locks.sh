#!/usr/bin/env bash
# A program that opens and closes the file of its own SQLite database loses what
# it commits afterwards, once another program has looked at the database.
#
# The good guess: to open the file beside SQLite, to make it with a mode of one's
# own, say, and to close it again without reading a byte changes nothing. But
# POSIX drops all locks of a process on a file when it closes any descriptor of
# it. The next program that closes the database finds no lock, takes itself for
# the last, and removes the write-ahead log. The first one goes on to write into
# the removed file: its commits succeed, and are gone when it is killed.
#
# Seen with libsqlite3-0 3.40.1-2+deb12u2 (Debian 12): of two rows, each committed
# with synchronous=FULL, one is there after a kill -9.
set -euo pipefail
command -v python3 >/dev/null ||
  apt-get install -y -qq --no-install-recommends python3 >/dev/null
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >writer.py <<'PY'
import os, signal, sqlite3, subprocess, sys
db = sqlite3.connect("a.db")
db.execute("PRAGMA journal_mode=WAL")
db.execute("PRAGMA synchronous=FULL")
db.execute("CREATE TABLE t (n)")
db.commit()
if sys.argv[1] == "touch":
    os.close(os.open("a.db", os.O_RDWR))
db.execute("INSERT INTO t VALUES (1)")
db.commit()
subprocess.run([sys.executable, "look.py"], check=True)
db.execute("INSERT INTO t VALUES (2)")
db.commit()
os.kill(os.getpid(), signal.SIGKILL)
PY
cat >look.py <<'PY'
import sqlite3
db = sqlite3.connect("a.db")
print(db.execute("SELECT count(*) FROM t").fetchone()[0])
db.close()
PY
rows_after() { # HOW
  rm -f a.db*
  python3 writer.py "$1" >/dev/null 2>&1 || true
  python3 look.py
}
touched=$(rows_after touch)
left=$(rows_after leave)
version=$(python3 -c 'import sqlite3; print(sqlite3.sqlite_version)')
echo "SQLite $version: of two rows $touched there where the file was opened and closed, $left where not"
[ "$touched" = 1 ] && [ "$left" = 2 ] || { echo "this has changed"; exit 1; }
