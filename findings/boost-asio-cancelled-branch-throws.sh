#!/usr/bin/env bash
# With Boost.Asio's `co_await (a() && b())`, a branch that handles every error
# code still throws once the other has failed, and the first failure is hidden.
#
# The good guess: b reads with redirect_error, so a cancelled read gives it an
# error code; it returns, and what a threw comes out of the co_await. But a
# coroutine that was cancelled throws operation_aborted by itself at its next
# co_await, whatever completion token that has. Both branches have thrown then,
# and who catches a's exception by its type misses it: what comes out is
# multiple_exceptions, with a's inside as first_exception().
#
# Seen with libboost1.81-dev 1.81.0 (Debian 12): a branch that returns after its
# cancelled operation leaves a's exception as it is; one that awaits anything
# else makes it "multiple exceptions".
set -euo pipefail
version=1.81.0-5+deb12u1
dpkg-query -W -f='${Version}' libboost1.81-dev 2>/dev/null | grep -q "^1\.81\.0" ||
  apt-get install -y -qq --no-install-recommends g++ \
    "libboost1.81-dev=$version" >/dev/null
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cat >"$dir/both.cpp" <<'CPP'
#include <boost/asio.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <cstdio>
#include <stdexcept>

namespace asio = boost::asio;
using namespace asio::experimental::awaitable_operators;
using timer = asio::steady_timer;

asio::awaitable<void> sleep_for(int ms, boost::system::error_code& error) {
  timer t{co_await asio::this_coro::executor, std::chrono::milliseconds{ms}};
  co_await t.async_wait(asio::redirect_error(asio::use_awaitable, error));
}

asio::awaitable<void> fails() {
  boost::system::error_code error;
  co_await sleep_for(1, error);
  throw std::runtime_error("a failed");
}

// Looks at each error code, and goes on as it likes.
asio::awaitable<void> careful(bool awaits_again) {
  boost::system::error_code error;
  co_await sleep_for(60'000, error);
  if (awaits_again)
    co_await sleep_for(1, error);
}

asio::awaitable<void> both(bool awaits_again) {
  try {
    co_await (fails() && careful(awaits_again));
  } catch (const std::exception& e) {
    std::printf("%s; ", e.what());
  }
}

int main() {
  for (bool awaits_again : {false, true}) {
    asio::io_context io;
    asio::co_spawn(io, both(awaits_again), asio::detached);
    io.run();
  }
  std::printf("\n");
}
CPP
g++ -std=c++20 -O1 -Wno-mismatched-new-delete -o "$dir/both" "$dir/both.cpp" \
  -pthread
seen=$("$dir/both")
echo "$(dpkg-query -W libboost1.81-dev | tr '\t' ' '): $seen"
[ "$seen" = "a failed; multiple exceptions; " ] ||
  { echo "this has changed"; exit 1; }
