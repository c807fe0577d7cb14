#!/usr/bin/env bash
# A word that is no subcommand is not what CLI11 complains of.
#
# The good guess: with require_subcommand(1), `prog lst` is refused as an unknown
# argument that names "lst". It is refused as if nothing had been given, so a
# typing error gets a sentence that hides it; a program has to look for itself.
#
# Seen with libcli11-dev 2.1.2 (Debian 12): "A subcommand is required", the same
# for no word at all; the name of the word is nowhere.
set -euo pipefail
version=2.1.2+ds-1
dpkg-query -W -f='${Version}' libcli11-dev 2>/dev/null | grep -qxF "$version" ||
  apt-get install -y -qq --no-install-recommends g++ "libcli11-dev=$version" \
    >/dev/null
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cat >"$dir/prog.cpp" <<'CPP'
#include <CLI/CLI.hpp>
#include <iostream>

int main(int argc, char** argv) {
  CLI::App app;
  app.require_subcommand(1);
  app.add_subcommand("list", "List");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    std::cout << e.get_name() << ": " << e.what() << '\n';
  }
}
CPP
g++ -std=c++17 -o "$dir/prog" "$dir/prog.cpp"
misspelt=$("$dir/prog" lst)
nothing=$("$dir/prog")
echo "libcli11-dev $version: with lst \"$misspelt\", with nothing \"$nothing\""
[ "$misspelt" = "$nothing" ] && [[ $misspelt != *lst* ]] ||
  { echo "this has changed"; exit 1; }
