#!/usr/bin/env bash
# The name of CLI11's error for left-over words is the name of a command.
#
# The good guess: Error::get_name() tells which kind of error it is, as it does
# for all others ("RequiredError", "ValidationError"…), so that left-over words
# are "ExtrasError". Where the parser itself finds them it gives the name of the
# app that they were left over in: "prog" of prog itself, "list" below list.
# A program that tells errors apart has to go by the class, or by the exit code.
#
# Seen with libcli11-dev 2.1.2 (Debian 12): "prog" and "list", with exit code 109.
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
  CLI::App app{"", "prog"};
  app.add_subcommand("list", "List")->add_option("--of")->required();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ExtrasError& e) {
    std::cout << "extras, named '" << e.get_name() << "', code "
              << e.get_exit_code() << '\n';
  } catch (const CLI::ParseError& e) {
    std::cout << "named '" << e.get_name() << "'\n";
  }
}
CPP
g++ -std=c++17 -o "$dir/prog" "$dir/prog.cpp"
missing=$("$dir/prog" list)
below=$("$dir/prog" list --of a more)
alone=$("$dir/prog" more)
echo "libcli11-dev $version: a missing option is $missing; a word too many is" \
  "$below below list, and $alone above"
[ "$missing" = "named 'RequiredError'" ] &&
  [ "$below" = "extras, named 'list', code 109" ] &&
  [ "$alone" = "extras, named 'prog', code 109" ] ||
  { echo "this has changed"; exit 1; }
