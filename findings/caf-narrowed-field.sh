#!/usr/bin/env bash
# CAF 0.17.6: a message field that one side reads narrower than the other wrote
# it arrives as another number, without an error; so do fields that one side
# does not have.
#
# The good guess: a binary format between versions of a program checks sizes, or
# at least fails when bytes are left. The serializer writes no types and no
# lengths, integers in network byte order: 32 bits read where 64 were written
# are the upper half, and every field after it is shifted. So a message type
# that has been released never changes; a change is a new type.
#
# Seen with libcaf-dev 0.17.6 (Debian 12): {7, 9} written as 64 and 32 bits is
# read as {0, 7} with 32 and 32, success, with 4 bytes left over.
set -euo pipefail
dpkg-query -W libcaf-dev g++ >/dev/null 2>&1 || {
  echo "needs the Debian packages libcaf-dev and g++"
  exit 2
}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
cat >try.cpp <<'CPP'
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/binary_deserializer.hpp>
#include <caf/binary_serializer.hpp>

#include <cstdint>
#include <iostream>

struct newer { std::uint64_t a = 7; std::uint32_t b = 9; };
struct older { std::uint32_t a = 1; std::uint32_t b = 1; };
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, newer& x) { return f(caf::meta::type_name("m"), x.a, x.b); }
template <class Inspector>
typename Inspector::result_type inspect(Inspector& f, older& x) { return f(caf::meta::type_name("m"), x.a, x.b); }

int main() {
  caf::actor_system_config config;
  caf::actor_system system{config};
  caf::binary_serializer::container_type bytes;
  caf::binary_serializer to{system, bytes};
  newer sent;
  if (to(sent))
    return 1;
  caf::binary_deserializer from{system, bytes};
  older got;
  auto problem = from(got);
  std::cout << (problem ? "error" : "success") << " {" << got.a << ", " << got.b << "} left " << from.remaining() << "\n";
}
CPP
g++ -std=c++17 -w try.cpp -o try -lcaf_core -pthread
seen=$(./try)
echo "CAF $(dpkg-query -W -f='${Version}' libcaf-dev): $seen"
[ "$seen" = 'success {0, 7} left 4' ] || { echo "this has changed"; exit 1; }
