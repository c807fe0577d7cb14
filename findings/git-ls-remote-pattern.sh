#!/usr/bin/env bash
# `git ls-remote URL 'refs/pull/*'` asks the server for all of its references.
#
# The good guess: a pattern, or a full name, is sent to the server as
# `ref-prefix`, as `git fetch URL refs/pull/1/head` does, for that is what the
# second version of git's protocol has it for. But ls-remote sends no prefix
# for a pattern and sorts out by itself: a pattern matches the end of a name, at
# any slash, so that no prefix would do. Only --heads and --tags
# become prefixes. So a server that shows some references only to who asks for
# them by name never hears that name from ls-remote, and a list of one reference
# is as long as the list of all.
#
# Seen with git 2.39.5 (Debian 12).
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export HOME=$dir GIT_CONFIG_NOSYSTEM=1
git config --global user.name a
git config --global user.email a@example.com
git config --global init.defaultBranch main
git config --global protocol.version 2
git init -q up
git -C up commit -q --allow-empty -m one
git -C up update-ref refs/pull/1/head HEAD
git clone -q up clone

# Prints the prefixes that a command of git sends, and how many references come.
traffic() {
  GIT_TRACE_PACKET=$dir/trace git -C clone "$@" >/dev/null 2>&1
  local prefixes references
  prefixes=$(sed -n 's/.*> ref-prefix //p' trace | sort -u | paste -sd' ')
  references=$(grep -Ec '< [0-9a-f]{40} ' trace)
  rm trace
  echo "${prefixes:-none}: $references"
}

pattern=$(traffic ls-remote origin 'refs/pull/*')
name=$(traffic ls-remote origin refs/pull/1/head)
heads=$(traffic ls-remote --heads origin)
fetch=$(traffic fetch origin refs/pull/1/head)
echo "$(git --version): prefixes and references of ls-remote 'refs/pull/*' $pattern; of ls-remote refs/pull/1/head $name; of ls-remote --heads $heads; of fetch refs/pull/1/head $fetch"
[ "$pattern" = "none: 3" ] && [ "$name" = "none: 3" ] && [ "$heads" = "refs/heads/: 1" ] &&
  grep -q 'refs/pull/1/head' <<<"$fetch" || { echo "this has changed"; exit 1; }
