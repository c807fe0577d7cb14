#!/usr/bin/env bash
# The first `git status` in a new clone reads every file, though the index
# notes for each, to the nanosecond, that it was written before the index was.
#
# The good guess: a file whose size and times are those in the index, and whose
# time is older than the index's own, is taken for unchanged without a look at
# its contents. But Debian's git compares whole seconds: whatever was written in
# the same second as the index counts as perhaps changed. The nanoseconds that
# `git ls-files --debug` prints are kept and not used. So a program that makes
# checkouts spares the first command much by making the files a little older.
#
# Seen with git 2.39.5 (Debian 12): all 100 files are read, most of them
# older than the index by the nanosecond; of a clone whose files are two seconds
# older, none.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export HOME=$dir GIT_CONFIG_NOSYSTEM=1
git config --global user.name a
git config --global user.email a@example.com
git config --global init.defaultBranch main
# What git reads of a file to compare it goes through its filter.
git config --global core.attributesFile "$dir/attributes"
git init -q origin
for i in {1..100}; do echo "$i" >"origin/$i"; done
git -C origin add . && git -C origin commit -qm files
git config --global filter.note.clean "echo %f >>$dir/read; cat"

# Prints how many files `git status` reads.
read_by_status() {
  : >"$dir/read"
  echo '* filter=note' >"$dir/attributes"
  git -C "$1" status --porcelain
  rm "$dir/attributes"
  wc -l <"$dir/read"
}

# A clone with all of its files written in the second of its index.
for try in {1..20}; do
  rm -rf clone
  while [ "$(date +%1N)" != 0 ]; do :; done # a second has just begun
  git clone -q origin clone
  oldest=$(stat -c %Y clone/* | sort -n | sed -n 1p)
  [ "$oldest" = "$(stat -c %Y clone/.git/index)" ] && break
  oldest=
done
[ -n "$oldest" ] || { echo "this machine takes a second for 100 files" >&2; exit 2; }
index=$(stat -c %.Y clone/.git/index)
before=$(stat -c %.Y clone/* | awk -v index_time="$index" '$0 < index_time' | wc -l)
fresh=$(read_by_status clone)

rm -rf clone
git clone -q origin clone
touch -d '2 seconds ago' clone/*
git -C clone update-index --refresh
older=$(read_by_status clone)

echo "$(git --version): of 100 files $before older than the index by the nanosecond, $fresh read; of those two seconds older $older"
[ "$before" -gt 0 ] && [ "$fresh" -eq 100 ] && [ "$older" -eq 0 ] || { echo "this has changed"; exit 1; }
