// Descriptors in datagrams: as many as the sender likes.
#include "runtime/runner/protocol/fd_passing.hpp"
#include "tests/support/process_figures.hpp"

#include <catch2/catch.hpp>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <iterator>
#include <string_view>
#include <utility>
#include <vector>

using namespace greenroom;
using namespace greenroom::runner;

namespace {

// What the kernel takes in one datagram.
constexpr std::size_t kernel_limit = 253;

std::pair<unique_fd, unique_fd> socket_pair() {
  int ends[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
  return {unique_fd{ends[0]}, unique_fd{ends[1]}};
}

// A sender that keeps no limit but the kernel's.
void send_all(int socket, std::string_view text, const std::vector<int>& fds) {
  iovec data{const_cast<char*>(text.data()), text.size()};
  auto size = fds.size() * sizeof(int);
  std::vector<char> control(CMSG_SPACE(size));
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  auto* head = CMSG_FIRSTHDR(&message);
  head->cmsg_level = SOL_SOCKET;
  head->cmsg_type = SCM_RIGHTS;
  head->cmsg_len = CMSG_LEN(size);
  std::memcpy(CMSG_DATA(head), fds.data(), size);
  REQUIRE(::sendmsg(socket, &message, 0) == static_cast<ssize_t>(text.size()));
}

ino_t inode_of(int fd) {
  struct stat info;
  REQUIRE(::fstat(fd, &info) == 0);
  return info.st_ino;
}

// One pipe each, so that each is known again by its inode.
std::vector<unique_fd> distinct_files(std::size_t count) {
  std::vector<unique_fd> result;
  for (std::size_t i = 0; i < count; ++i) {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    result.emplace_back(ends[0]);
    ::close(ends[1]);
  }
  return result;
}

void check_any_number(bool with_credentials) {
  auto [here, there] = socket_pair();
  int on = with_credentials;
  REQUIRE(::setsockopt(here.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on)
          == 0);
  auto files = distinct_files(kernel_limit);
  for (std::size_t count = 1; count <= kernel_limit; ++count) {
    INFO(count << " descriptors");
    std::vector<int> numbers;
    for (std::size_t i = 0; i < count; ++i)
      numbers.push_back(files[i].get());
    auto before = test::open_files();
    send_all(there.get(), "text", numbers);
    // What is written past the buffer shows.
    struct {
      std::array<char, 8> text{};
      std::array<char, 8> guard{};
    } to;
    auto got = receive_with_fds(here.get(), to.text, 0);
    REQUIRE(got.size == 4);
    CHECK(std::string_view{to.text.data(), 4} == "text");
    CHECK(to.guard == std::array<char, 8>{});
    CHECK(got.sender == (with_credentials ? ::getpid() : 0));
    auto kept = std::min(count, max_passed_fds);
    REQUIRE(got.fds.size() == kept);
    CHECK(got.cut == (count > max_passed_fds));
    for (std::size_t i = 0; i < kept; ++i) {
      CHECK(inode_of(got.fds[i].get()) == inode_of(numbers[i]));
      CHECK((::fcntl(got.fds[i].get(), F_GETFD) & FD_CLOEXEC) != 0);
    }
    CHECK(test::open_files() == before + kept);
    got.fds.clear();
    CHECK(test::open_files() == before);
  }
}

} // namespace

TEST_CASE("of any number of descriptors the first are delivered and the rest "
          "closed and reported") {
  check_any_number(false);
}

TEST_CASE("of any number of descriptors and the sender's credentials the "
          "first are delivered and the rest closed and reported") {
  check_any_number(true);
}

TEST_CASE("a datagram that is longer than the buffer is reported as cut") {
  auto [here, there] = socket_pair();
  std::array<char, 4> buffer{};
  REQUIRE(send_with_fds(there.get(), std::string_view{"12345"}, {}, 0) == 5);
  auto got = receive_with_fds(here.get(), buffer, 0);
  CHECK(got.size == 4);
  CHECK(got.cut);
  CHECK(got.fds.empty());
}

TEST_CASE("more descriptors than may travel are not sent") {
  auto [here, there] = socket_pair();
  std::vector<int> many(max_passed_fds + 1, here.get());
  CHECK(send_with_fds(there.get(), std::string_view{"x"}, many, 0) == -1);
  CHECK(errno == EINVAL);
  std::array<char, 4> buffer{};
  CHECK(receive_with_fds(here.get(), buffer, MSG_DONTWAIT).size == -1);
}
