#!/usr/bin/env bash
# `git push REMOTE ID:refs/heads/x` pushes a branch that is called like the id,
# where there is one, and not the commit.
#
# The good guess: forty hexadecimal digits are always that object, as for
# `git rev-parse`, `git log` and `git branch x ID`, which warn that there is a
# reference of that name and go on with the object. But the left side of a
# refspec is matched against the names of references first, and read as an
# object only where none matches; nothing is said. `ID^0` is no reference's
# name, so it is the commit in every case.
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
git init -q work
git init -q --bare up.git
cd work
git commit -q --allow-empty -m first
first=$(git rev-parse HEAD)
git commit -q --allow-empty -m second
second=$(git rev-parse HEAD)
git update-ref "refs/heads/$first" "$second"

name_of() {
  case $1 in
    "$first") echo first ;;
    "$second") echo second ;;
    *) echo neither ;;
  esac
}

parsed=$(name_of "$(git rev-parse "$first" 2>/dev/null)")
git push -q ../up.git "$first:refs/heads/x" 2>/dev/null
pushed=$(name_of "$(git -C ../up.git rev-parse refs/heads/x)")
git push -q ../up.git "$first^0:refs/heads/y" 2>/dev/null
peeled=$(name_of "$(git -C ../up.git rev-parse refs/heads/y)")
echo "$(git --version), the first commit's id: rev-parse reads it as the $parsed commit, push sends the $pushed one, and of ID^0 the $peeled one"
[ "$parsed $pushed $peeled" = "first second first" ] ||
  { echo "this has changed"; exit 1; }
