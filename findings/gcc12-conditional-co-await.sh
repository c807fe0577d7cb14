#!/usr/bin/env bash
# A co_await in one branch of the conditional operator: GCC 12 destroys one
# object more than it made, whichever branch is taken.
#
# The good guess: `auto x = known ? table[key] : co_await look_up(key);` is the
# same as an if with two assignments. What is copied holds a reference count or
# memory, so the program frees what is still in use, some requests later and
# somewhere else.
#
# Seen with g++ 12.2.0 (Debian 12), at -O0 and at -O2: one destroyed more than
# made in either branch. By `if`, as many as were made.
set -euo pipefail
version='4:12.2.0-3'
dpkg-query -W -f='${Version}' g++ 2>/dev/null | grep -qx "$version" ||
  apt-get install -y -qq --no-install-recommends "g++=$version" >/dev/null
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cat >"$dir/count.cpp" <<'CPP'
#include <coroutine>
#include <cstdio>
#include <exception>

int made = 0, destroyed = 0;

struct counted {
  counted() { ++made; }
  counted(const counted&) { ++made; }
  ~counted() { ++destroyed; }
};

struct task {
  struct promise_type {
    task get_return_object() { return {}; }
    std::suspend_never initial_suspend() { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
  };
};

struct look_up {
  bool await_ready() { return true; }
  void await_suspend(std::coroutine_handle<>) {}
  counted await_resume() { return {}; }
};

counted table;

task by_operator(bool known) {
  auto found = known ? table : co_await look_up{};
  (void)found;
}

task by_if(bool known) {
  if (known) {
    auto found = table;
    (void)found;
  } else {
    auto found = co_await look_up{};
    (void)found;
  }
}

int balance(task (*f)(bool), bool known) {
  made = destroyed = 0;
  f(known);
  return destroyed - made;
}

int main() {
  std::printf("operator %d %d, if %d %d\n", balance(by_operator, true),
              balance(by_operator, false), balance(by_if, true),
              balance(by_if, false));
}
CPP
for level in -O0 -O2; do
  g++ -std=c++20 "$level" -o "$dir/count" "$dir/count.cpp"
  seen=$("$dir/count")
  echo "$(g++ -dumpfullversion) $level: destroyed more than made: $seen"
  [ "$seen" = "operator 1 1, if 0 0" ] || { echo "this has changed"; exit 1; }
done
