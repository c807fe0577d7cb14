#!/usr/bin/env bash
# libgit2 1.5 cannot open a remote whose configuration has a negative refspec.
#
# The good guess: a refspec that a library does not know yet concerns a fetch
# only. git has had `fetch = ^refs/heads/x` since 2.29, and for a library that
# reads the same file the whole remote is unreadable: its URL, too.
#
# Seen with libgit2 1.5.1 (by pygit2 1.11.1, which says 1.5.0; Debian 12): remote lookup raises;
# git 2.39.5 lists the remote and fetches.
set -euo pipefail
dpkg-query -W python3-pygit2 >/dev/null 2>&1 || {
  echo "needs the Debian package python3-pygit2"
  exit 2
}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export HOME=$dir
git config --global init.defaultBranch main
git init -q --bare up.git
git init -q work
git -C work remote add origin "$dir/up.git"
git -C work config --add remote.origin.fetch '^refs/heads/generated'
git -C work fetch -q origin
seen=$(/usr/bin/python3 -c 'import pygit2
repository = pygit2.Repository("work")
try:
    print(repository.remotes["origin"].url)
except Exception as error:
    print(type(error).__name__ + ": " + str(error))')
echo "$(git --version) fetches; libgit2 $(/usr/bin/python3 -c 'import pygit2; print(pygit2.LIBGIT2_VERSION)'): $seen"
case $seen in
  *Error*refspec*) ;;
  *) echo "this has changed"; exit 1 ;;
esac
