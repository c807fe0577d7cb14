#!/usr/bin/env bash
# git merge-tree --write-tree in a bare repository reads no committed
# .gitattributes, so its result is not what `git merge` makes of the same two
# commits.
#
# The good guess: merge-tree is the merge without a work tree, so it merges as
# `git merge` would. Attributes come from files of a work tree, though, and a
# bare repository has none; with GIT_WORK_TREE set to a folder that holds just
# the .gitattributes files the answers agree.
#
# Seen with git 2.39.5 (Debian 12): union merge in a clone, a conflict by
# merge-tree in the bare repository, union again with such a folder.
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
echo 'log merge=union' >.gitattributes
echo start >log
git add . && git commit -qm base
git switch -qc left && echo left >>log && git commit -qam left
git switch -q main && git switch -qc right && echo right >>log && git commit -qam right
git clone -q --bare . ../bare.git
git switch -q left
clone=$(git merge -q right >/dev/null 2>&1 && echo clean || echo conflict)
cd ..
bare=$(git -C bare.git merge-tree --write-tree left right >/dev/null && echo clean || echo conflict)
mkdir attributes && git -C bare.git show left:.gitattributes >attributes/.gitattributes
folder=$(cd attributes && GIT_DIR=$dir/bare.git GIT_WORK_TREE=$PWD git merge-tree --write-tree left right >/dev/null && echo clean || echo conflict)
echo "$(git --version): git merge $clone, merge-tree in a bare repository $bare, with a folder of attributes $folder"
[ "$clone $bare $folder" = 'clean conflict clean' ] || { echo "this has changed"; exit 1; }
