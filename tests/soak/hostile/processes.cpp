// What a hostile tenant has its commands and endings do.
#include "tests/soak/hostile/hostile_tenant.hpp"

#include <future>
#include <string>
#include <vector>

namespace greenroom::test {

void hostile_tenant::much_output() {
  auto session = begin();
  run(session, "yes | head -c " + std::to_string(below(64) << 20));
  end(session);
}

void hostile_tenant::many_commands() {
  auto session = begin();
  for (int i = 0; i < 100; ++i)
    ask("POST", session + "/exec", {{"command", "trap '' TERM; sleep 100"}});
  end(session);
}

void hostile_tenant::memory_hog() {
  auto session = begin();
  run(session, "head -c 1G /dev/zero | tail -c 1G | wc -c");
  end(session);
}

// Takes what the kernel counts by user, until there is no more.
void hostile_tenant::kernel_objects() {
  auto session = begin();
  run(session, R"(exec python3 -c '
import ctypes, os, select
libc = ctypes.CDLL(None)
pipes = [os.pipe() for _ in range(1000)]
while libc.inotify_init() >= 0:
    pass
events = [os.eventfd(0) for _ in range(3000)]
sets = []
try:
    while True:
        sets.append(select.epoll())
        for one in events:
            sets[-1].register(one, select.EPOLLIN)
except OSError:
    pass')");
  end(session);
}

// Its end is asked for several times while it is checked in.
void hostile_tenant::hasty_endings() {
  auto session = begin();
  if (session.empty())
    return;
  run(session,
      "head -c " + std::to_string(1 + below(48)) + "M /dev/urandom > large");
  std::vector<std::future<http_reply>> asked;
  for (auto how : {"/checkin", "/discard", "/checkin", "/discard"})
    asked.push_back(std::async(std::launch::async, [this, how, session] {
      return send("POST", session + how, json::object());
    }));
  for (auto& one : asked) {
    auto reply = one.get();
    INFO(session << ": " << to_string(reply));
    CHECK(reply.status != 0);
    CHECK(reply.status != 500);
  }
  CHECK(eventually([&] {
    auto status = ask("GET", session).data()["status"];
    return status == "ended" || status == "terminated";
  }));
}

// All that a session can reach stands still when it is ended.
void hostile_tenant::stopped_runner() {
  auto session = begin();
  ask("POST", session + "/exec", {{"command", "trap '' TERM; sleep 1000"}});
  run(session, "kill -STOP -1; kill -STOP $$");
  end(session);
}

} // namespace greenroom::test
