#!/usr/bin/env bash
# An actor's state that is an aggregate whose first member is a bool begins as
# true, whatever the member's initializer says.
#
# The good guess: `struct state { bool asking = false; };` as the state of a
# stateful_actor is made by its default constructor. CAF 0.17 hands the actor's
# address to a state that can be made from it, and in C++20 an aggregate can be
# made by parentheses: the pointer becomes the bool. In C++17 it begins false.
#
# Seen with CAF 0.17.6 and g++ 12.2.0 (Debian 12): true with -std=c++20, false
# with -std=c++17, and false with a constructor of its own.
set -euo pipefail
version='0.17.6-2.1+b1'
dpkg-query -W -f='${Version}' libcaf-dev 2>/dev/null | grep -q '^0.17.6' ||
  apt-get install -y -qq --no-install-recommends "libcaf-dev=$version" >/dev/null
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cat >"$dir/state.cpp" <<'CPP'
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>

#include <cstdio>

struct aggregate {
  bool asking = false;
};

struct with_constructor {
  with_constructor() {}
  bool asking = false;
};

template <class State>
caf::behavior first_look(caf::stateful_actor<State>* self, bool* seen) {
  *seen = self->state.asking;
  return {[](int) {}};
}

int main() {
  bool a = false;
  bool b = false;
  {
    caf::actor_system_config settings;
    caf::actor_system system{settings};
    caf::anon_send_exit(system.spawn(first_look<aggregate>, &a),
                        caf::exit_reason::user_shutdown);
    caf::anon_send_exit(system.spawn(first_look<with_constructor>, &b),
                        caf::exit_reason::user_shutdown);
  }
  std::printf("aggregate %d, with a constructor %d\n", a, b);
}
CPP
check() {
  g++ -std="$1" -o "$dir/state" "$dir/state.cpp" -lcaf_core
  seen=$("$dir/state")
  echo "CAF $(dpkg-query -W -f='${Version}' libcaf-dev), $1: $seen"
  [ "$seen" = "$2" ] || { echo "this has changed"; exit 1; }
}
check c++20 "aggregate 1, with a constructor 0"
check c++17 "aggregate 0, with a constructor 0"
