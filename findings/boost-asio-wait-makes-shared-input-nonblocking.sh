#!/usr/bin/env bash
# Only waiting for a descriptor with Boost.Asio makes it non-blocking, and with
# it every other descriptor of the same open file.
#
# The good guess: async_wait(wait_read) on a duplicate of standard input is a
# poll and changes nothing, so the program's own output, and the shell that it
# came from, go on as before. On a terminal all three are one open file: output
# then fails with EAGAIN when the terminal is slow, and the shell keeps the flag.
#
# Seen with libboost1.81-dev 1.81.0 (Debian 12): O_NONBLOCK is set on the
# original after async_wait on its duplicate, and stays when that is closed.
set -euo pipefail
version=1.81.0-5+deb12u1
dpkg-query -W -f='${Version}' libboost1.81-dev 2>/dev/null | grep -q "^1\.81\.0" ||
  apt-get install -y -qq --no-install-recommends g++ \
    "libboost1.81-dev=$version" >/dev/null
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cat >"$dir/wait.cpp" <<'CPP'
#include <boost/asio.hpp>
#include <cstdio>
#include <fcntl.h>
#include <unistd.h>

bool blocks(int fd) { return (fcntl(fd, F_GETFL) & O_NONBLOCK) == 0; }

int main() {
  int ends[2];
  if (pipe(ends) != 0)
    return 1;
  std::printf("before %d", blocks(ends[0]));
  {
    boost::asio::io_context io;
    boost::asio::posix::stream_descriptor in{io, dup(ends[0])};
    std::printf(", assigned %d", blocks(ends[0]));
    in.async_wait(in.wait_read, [](boost::system::error_code) {});
    std::printf(", waited for %d", blocks(ends[0]));
  }
  std::printf(", closed %d\n", blocks(ends[0]));
}
CPP
g++ -std=c++20 -O1 -o "$dir/wait" "$dir/wait.cpp" -pthread
seen=$("$dir/wait")
echo "$(dpkg-query -W libboost1.81-dev | tr '\t' ' '), blocking: $seen"
[ "$seen" = "before 1, assigned 1, waited for 0, closed 0" ] ||
  { echo "this has changed"; exit 1; }
