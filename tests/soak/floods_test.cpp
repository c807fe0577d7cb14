// Much output, and output in awkward shapes.
#include "tests/api/demo.hpp"
#include "tests/soak/size.hpp"
#include "tests/support/process_figures.hpp"
#include "tests/support/sockets.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <fstream>
#include <vector>

using namespace greenroom::test;

TEST_CASE("a flood of bytes is announced whole and costs bounded memory") {
  const std::uint64_t size = how_many<std::uint64_t>(16, 1024) << 20;
  node_process node;
  session_user session{node, json{{"new_branch", "flood"}}};
  session.run("true");
  auto before = resident_kib(node.pid());
  auto stream = session.watch("exec_id=flood&from=earliest");
  session.start("flood",
                "head -c " + std::to_string(size) + " /dev/zero | tr '\\0' x");
  std::uint64_t offset = 0;
  std::uint64_t most = 0;
  for (;;) {
    auto event = stream.next();
    REQUIRE(event);
    if (event->type == "exec.exited") {
      CHECK(event->data["stdout_bytes"] == size);
      CHECK(event->data["truncated"] == false);
      break;
    }
    if (event->type != "exec.output")
      continue;
    REQUIRE(event->data["offset"] == offset);
    auto text = event->data["data"].get<std::string>();
    REQUIRE(text.find_first_not_of('x') == std::string::npos);
    offset += text.size();
    if (offset % (1 << 20) < 70'000)
      most = std::max(most, resident_kib(node.pid()));
  }
  CHECK(offset == size);
#ifdef __SANITIZE_ADDRESS__
  constexpr std::uint64_t room = 1024 * 1024; // its own is most of it
#else
  constexpr std::uint64_t room = 96 * 1024;
#endif
  CHECK(most < before + room);
}

TEST_CASE("many short lines come whole and in order") {
  const int lines = how_many(50'000, 1'000'000);
  node_process node;
  session_user session{node, json{{"new_branch", "lines"}}};
  auto stream = session.watch("exec_id=lines&from=earliest");
  session.start("lines", "seq " + std::to_string(lines));
  auto events = stream.until(
    [](const sse_event& event) { return event.type == "exec.exited"; });
  std::string expected;
  for (int i = 1; i <= lines; ++i)
    expected += std::to_string(i) + '\n';
  CHECK(output_of(events, "lines") == expected);
}

TEST_CASE("one byte at a time arrives at once") {
  const int bytes = how_many(3, 30);
  node_process node;
  session_user session{node, json{{"new_branch", "drip"}}};
  auto stream = session.watch("exec_id=drip&types=exec.output&from=earliest");
  // The next byte is printed only when the one before was seen.
  session.start("drip", "for i in $(seq " + std::to_string(bytes)
                          + "); do printf .; until [ -e seen$i ]; do sleep "
                            "0.01; done; done");
  for (int i = 1; i <= bytes; ++i) {
    auto event = stream.next();
    REQUIRE(event);
    CHECK(event->data["data"] == ".");
    std::ofstream{session.checkout() / ("seen" + std::to_string(i))};
  }
  CHECK(session.await_status("drip", "exited")["stdout_bytes"] == bytes);
}

TEST_CASE("many commands at once each end in exactly one state") {
  const int count = how_many(60, 200);
  node_options options;
  options.set = {"exec.max_queued=300"};
  node_process node{options};
  session_user session{node, json{{"new_branch", "many"}}};
  for (int i = 0; i < count; ++i)
    session.start("e" + std::to_string(i), "echo " + std::to_string(i)
                                             + "; exit "
                                             + std::to_string(i % 7));
  for (int i = 0; i < count; ++i) {
    auto exec = session.await_status("e" + std::to_string(i), "exited");
    CHECK(exec["exit_code"] == i % 7);
  }
  auto events = session.timeline("types=exec.exited");
  CHECK(events.size() == static_cast<std::size_t>(count));
}

TEST_CASE("strangers cost little memory, harm nobody, and it comes back") {
  const int count = how_many(1000, 8000);
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  node_process node;
  session_user session{node, json{{"new_branch", "honest"}}};
  session.run("true");
  auto before = resident_kib(node.pid());
  // A body in chunks of a byte, and a head without end.
  std::string body = "POST " + sessions
                     + " HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: "
                       "chunked\r\n\r\n";
  for (int i = 0; i < 10'400; ++i)
    body += "1\r\nx\r\n";
  const auto head = "GET / HTTP/1.1\r\nX: " + std::string(15'000, 'x');
  std::vector<greenroom::unique_fd> strangers;
  for (int i = 0; i < count; ++i) {
    strangers.push_back(connect_to(node.port()));
    try {
      send_all(strangers.back(), i % 2 == 0 ? body : head);
    } catch (const std::exception&) {
      // It was refused while it sent.
    }
    if (i % 100 == 0)
      expect(200, node.admin().get(session.path()));
  }
  auto most = resident_kib(node.pid());
  INFO(before << " KiB before, " << most << " KiB with strangers");
#ifndef __SANITIZE_ADDRESS__
  CHECK(most < before + static_cast<std::uint64_t>(count) * 24 + 20 * 1024);
#endif
  // An honest body is read all the same.
  CHECK(session.run(": " + std::string(100'000, 'x') + "; echo well")["stdout"]
        == "well\n");
  strangers.clear();
#ifndef __SANITIZE_ADDRESS__
  CHECK(
    eventually([&] { return resident_kib(node.pid()) < before + 40 * 1024; }));
#endif
}
