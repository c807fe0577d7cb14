#!/usr/bin/env bash
# A pid namespace whose init has died can still be entered; it is the fork after
# it that fails, and with "Cannot allocate memory".
#
# The good guess: setns fails, with an error that says what is the matter. A
# supervisor that enters a sandbox by a held namespace descriptor has to read
# ENOMEM from fork as "the sandbox is gone", and must not wait for memory.
#
# Seen with util-linux 2.38.1 (Debian 12), Linux 6: nsenter enters without an
# error, then "fork failed: Cannot allocate memory".
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "run it as root: it makes a pid namespace"; exit 2; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkfifo "$dir/go"
unshare --pid --fork sh -c "read x <'$dir/go'" &
outer=$!
# The init is unshare's child; hold its namespace open, then let it end.
until init=$(pgrep -P "$outer") && [ -e "/proc/$init/ns/pid" ]; do :; done
exec 9<"/proc/$init/ns/pid"
echo >"$dir/go"
wait "$outer"
seen=$(LC_ALL=C nsenter --pid=/proc/self/fd/9 true 2>&1 || true)
echo "$(nsenter --version), Linux $(uname -r): $seen"
case $seen in
  *fork*"Cannot allocate memory"*) ;;
  *) echo "this has changed"; exit 1 ;;
esac
