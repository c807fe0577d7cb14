#include "runtime/base/fd.hpp"

#include <catch2/catch.hpp>
#include <fcntl.h>

using greenroom::unique_fd;

namespace {

unique_fd open_something() {
  unique_fd result{::open("/dev/null", O_RDONLY | O_CLOEXEC)};
  REQUIRE(result);
  return result;
}

bool is_open(int fd) {
  return ::fcntl(fd, F_GETFD) != -1;
}

} // namespace

TEST_CASE("a descriptor is closed with its owner") {
  int number = -1;
  {
    auto fd = open_something();
    number = fd.get();
    CHECK(is_open(number));
  }
  CHECK_FALSE(is_open(number));
}

TEST_CASE("a moved descriptor has one owner") {
  auto first = open_something();
  auto number = first.get();
  unique_fd second{std::move(first)};
  CHECK_FALSE(first);
  CHECK(second.get() == number);
  auto third = open_something();
  auto replaced = third.get();
  third = std::move(second);
  CHECK(third.get() == number);
  CHECK(is_open(number));
  CHECK_FALSE(is_open(replaced));
}

TEST_CASE("a descriptor that is moved to itself stays open") {
  auto fd = open_something();
  auto& same = fd;
  fd = std::move(same);
  CHECK(is_open(fd.get()));
}

TEST_CASE("release gives up without closing, reset closes") {
  auto fd = open_something();
  unique_fd taker{fd.release()};
  CHECK_FALSE(fd);
  CHECK(is_open(taker.get()));
  auto number = taker.get();
  taker.reset();
  CHECK_FALSE(taker);
  CHECK_FALSE(is_open(number));
}
