#!/usr/bin/env bash
# dulwich 0.21.2 prints that a push was successful when the server declined the
# branch.
#
# The good guess: a push whose only branch the server's report calls "ng" ends
# with an error, as git's does. A script that relies on the exit code believes
# that its commit is upstream.
#
# Seen with dulwich 0.21.2 (Debian 12) with git 2.39.5's daemon: exit code 0 and
# "Push to ... successful.", then "Push of ref ... failed"; the branch has not moved.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
apt-get download -qq python3-dulwich=0.21.2-1+b1 2>/dev/null
for package in *.deb; do dpkg -x "$package" packages; done
export PYTHONPATH=$dir/packages/usr/lib/python3/dist-packages HOME=$dir
git config --global init.defaultBranch main
git config --global user.name a
git config --global user.email a@example.com
git init -q --bare up.git
printf '#!/bin/sh\nexit 1\n' >up.git/hooks/update
chmod +x up.git/hooks/update
git init -q work
cd work
echo one >file && git add . && git commit -qm one
port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
git daemon --listen=127.0.0.1 --port="$port" --export-all --enable=receive-pack \
  --base-path="$dir" --reuseaddr >/dev/null 2>&1 &
daemon=$!
trap 'kill "$daemon"; rm -rf "$dir"' EXIT
until git ls-remote "git://127.0.0.1:$port/up.git" >/dev/null 2>&1; do :; done
status=0
python3 -c 'import sys; from dulwich import porcelain
porcelain.push(".", sys.argv[1], "refs/heads/main:refs/heads/main")' \
  "git://127.0.0.1:$port/up.git" >"$dir/out" 2>&1 || status=$?
sed 's/^/  /' "$dir/out"
branch=$(git -C "$dir/up.git" rev-parse -q --verify main >/dev/null && echo moved || echo "not moved")
said=$(grep -c successful "$dir/out" || true)
echo "dulwich $(python3 -c 'import dulwich; print(".".join(map(str, dulwich.__version__)))'): exit $status, \"successful\" $said time(s), branch $branch"
[ "$status $said $branch" = '0 1 not moved' ] || { echo "this has changed"; exit 1; }
