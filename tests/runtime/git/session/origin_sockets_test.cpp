#include "runtime/git/session/origin_sockets.hpp"

#include "tests/support/eventually.hpp"
#include "tests/support/temp_dir.hpp"

#include <catch2/catch.hpp>
#include <sys/socket.h>
#include <sys/un.h>

#include <atomic>
#include <stdexcept>

using namespace greenroom;
using namespace greenroom::test;

namespace fs = std::filesystem;

namespace {

unique_fd dial(const fs::path& socket) {
  unique_fd result{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  socket.string().copy(to.sun_path, sizeof to.sun_path - 1);
  REQUIRE(::connect(result.get(), reinterpret_cast<sockaddr*>(&to), sizeof to)
          == 0);
  return result;
}

} // namespace

TEST_CASE("a visit that cannot be served costs only itself") {
  temp_dir dir;
  origin_sockets sockets{dir.path()};
  std::atomic<int> visits = 0;
  fs::create_directory(dir.path() / "one");
  sockets.open("one");
  sockets.serve([&](const std::string& id, unique_fd) {
    if (id == "one" && ++visits == 1)
      throw std::runtime_error("no thread for it");
  });
  auto socket = dir.path() / "one/origin/socket";
  auto first = dial(socket);
  REQUIRE(eventually([&] { return visits == 1; }));
  char byte;
  CHECK(::recv(first.get(), &byte, 1, 0) == 0); // closed
  auto second = dial(socket);
  CHECK(eventually([&] { return visits == 2; }));
  sockets.open("one"); // again is nothing
  sockets.close("one");
}
