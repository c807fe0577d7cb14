#!/usr/bin/env bash
# What Boost.Asio notes of a descriptor is never freed while its io_context
# lives, and after many connections each such note may keep a page.
#
# The good guess: once all sockets are closed and their buffers are freed,
# malloc_trim gives the memory back, as it does for the same buffers without
# Asio. But the reactor keeps its notes (less than 200 bytes each) for later
# descriptors, in a list that only grows. They were made one by one, each behind
# the buffers of the connection before, so most pages of these stay. Where the
# notes are made together first, by many descriptors that are opened and closed
# at once, nearly all of the buffers' memory is given back.
#
# Seen with libboost1.81-dev 1.81.0 and glibc 2.36 (Debian 12).
set -euo pipefail
version=1.81.0-5+deb12u1
dpkg-query -W -f='${Version}' libboost1.81-dev 2>/dev/null | grep -q "^1\.81\.0" ||
  apt-get install -y -qq --no-install-recommends g++ \
    "libboost1.81-dev=$version" >/dev/null
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cat >"$dir/pages.cpp" <<'CPP'
#include <boost/asio.hpp>
#include <cstdio>
#include <cstring>
#include <malloc.h>
#include <memory>
#include <string>
#include <sys/eventfd.h>
#include <unistd.h>
#include <vector>

namespace asio = boost::asio;
constexpr int many = 900;
constexpr int size = 3000; // of a connection's buffer

struct connection {
  std::unique_ptr<asio::posix::stream_descriptor> noted;
  std::unique_ptr<char[]> buffer;
};

long resident_kib() {
  long all = 0, here = 0;
  auto* file = std::fopen("/proc/self/statm", "r");
  if (file == nullptr || std::fscanf(file, "%ld %ld", &all, &here) != 2)
    return -1;
  std::fclose(file);
  return here * (sysconf(_SC_PAGESIZE) / 1024);
}

void connect(asio::io_context& io, int any, bool note, bool buffers) {
  std::vector<connection> open(many);
  for (auto& one : open) {
    if (note)
      one.noted = std::make_unique<asio::posix::stream_descriptor>(io, dup(any));
    if (buffers)
      one.buffer.reset(static_cast<char*>(std::memset(new char[size], 1, size)));
  }
}

int main(int, char** args) {
  const std::string how = args[1];
  asio::io_context io;
  const int any = eventfd(0, 0);
  if (how == "together")
    connect(io, any, true, false);
  malloc_trim(0);
  const auto before = resident_kib();
  connect(io, any, how != "without", true);
  malloc_trim(0);
  std::printf("%ld\n", resident_kib() - before);
}
CPP
g++ -std=c++20 -O1 -w -o "$dir/pages" "$dir/pages.cpp" -pthread
without=$("$dir/pages" without)
with=$("$dir/pages" with)
together=$("$dir/pages" together)
echo "$(dpkg-query -W libboost1.81-dev | tr '\t' ' '), KiB kept of 900 buffers of 3,000 bytes: $without without Asio, $with with it, $together where its notes were made together before"
[ "$without" -lt 400 ] && [ "$with" -gt 1500 ] && [ "$together" -lt 600 ] ||
  { echo "this has changed"; exit 1; }
