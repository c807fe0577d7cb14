#!/usr/bin/env bash
# `git -c lfs.storage=DIR lfs push` to an upstream that is a path says that all
# went well, and delivers nothing.
#
# The good guess: -c sets where this repository keeps its contents, as the same
# line in its configuration does. But git hands settings of -c on in the
# environment, to git-lfs and to the helper which copies files to a path
# (`git-lfs standalone-file`); the helper takes them for the other repository's,
# and finds that the contents are there already. So a server has to write the
# setting into a file.
#
# Seen with git-lfs 3.3.0 (Debian 12): exit code 0 both times, contents in the
# upstream only the second time.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get download -qq git-lfs=3.3.0-1+deb12u2 2>/dev/null
dpkg -x git-lfs_*.deb root
export PATH=$dir/root/usr/bin:$PATH HOME=$dir GIT_CONFIG_NOSYSTEM=1
git init -q --bare upstream.git
git init -q --bare mine.git
cd mine.git
git config remote.origin.url "$dir/upstream.git"
git config lfs.locksverify false
oid=$(seq 100 | git -c lfs.storage="$dir/store" lfs clean -- contents | sed -n 's/oid sha256://p')
arrived() {
  if [ -n "$(find "$dir/upstream.git/lfs" -name "$oid" 2>/dev/null)" ]; then echo yes; else echo no; fi
}
git -c lfs.storage="$dir/store" lfs push --object-id origin "$oid" >/dev/null 2>&1
by_option=$(arrived)
git config lfs.storage "$dir/store"
git lfs push --object-id origin "$oid" >/dev/null 2>&1
by_file=$(arrived)
echo "$(git-lfs version | cut -d' ' -f1): arrived with -c: $by_option, with the setting in the file: $by_file"
[ "$by_option $by_file" = "no yes" ] || { echo "this has changed"; exit 1; }
