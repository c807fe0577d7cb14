#!/usr/bin/env bash
# A merge without conflict can lose a file: in a criss-cross history where the
# two merges kept different new names of one file, git merges clean and has the
# file under neither name.
#
# The good guess: a file that both sides still have is in the result of a clean
# merge, or there is a conflict. So a server that merges unattended has to check
# that no content which both sides keep is gone.
#
# Seen with git 2.39.5 (Debian 12), default strategy: exit 0, and the tree has
# only the other file.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export HOME=$dir GIT_CONFIG_NOSYSTEM=1
git config --global user.name a
git config --global user.email a@example.com
git config --global init.defaultBranch main
git init -q work
cd work
seq 1 40 >file
echo other >other
git add . && git commit -qm base
git switch -qc left && git mv file by-left && git commit -qm 'rename on the left'
git switch -q main && git switch -qc right && git mv file by-right && git commit -qm 'rename on the right'
# Each side merges the other and settles the conflict for its own name.
left=$(git rev-parse left) right=$(git rev-parse right)
settle() { # NAME, OTHER NAME
  git rm -qf --cached "$2" file 2>/dev/null || true
  rm -f "$2" file
  seq 1 40 >"$1"
  git add "$1" && git commit -qm "keep $1"
}
git switch -q left && git merge -q "$right" >/dev/null 2>&1 || settle by-left by-right
git switch -q right && git merge -q "$left" >/dev/null 2>&1 || settle by-right by-left
git switch -q left
if git merge -q -m both right >/dev/null 2>&1; then result=clean; else result=conflict; fi
echo "$(git --version): $result, files: $(git ls-files | tr '\n' ' ')"
[ "$result $(git ls-files | tr '\n' ' ')" = 'clean other ' ] || { echo "this has changed"; exit 1; }
