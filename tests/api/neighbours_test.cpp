// A session that takes all that the kernel gives its user does not take it from
// the others, nor from the node.
#include "tests/api/demo.hpp"

using namespace greenroom::test;

namespace {

// Takes inotify instances, pages of pipes and pending signals until the kernel
// has no more for its user.
constexpr const char* use_up = R"(exec python3 -c '
import ctypes, os, time
libc = ctypes.CDLL(None)
pipes = [os.pipe() for _ in range(2000)]
while libc.inotify_init() >= 0:
    pass
print("used up", flush=True)
time.sleep(1000)')";

constexpr const char* what_is_left = R"(exec python3 -c '
import ctypes, fcntl, os
print(ctypes.CDLL(None).inotify_init() >= 0, fcntl.fcntl(os.pipe()[0], 1032))
')";

bool has_users(const node_process& node) {
  auto ready = node.admin().get("/readyz").data();
  for (auto& warning : ready["warnings"])
    if (warning.get<std::string>().find("to the kernel") != std::string::npos)
      return false;
  return true;
}

} // namespace

TEST_CASE("a session uses up its user's share of the kernel, and only that") {
  node_process node;
  if (!has_users(node)) {
    WARN("not tested: there are no users for sessions here");
    return;
  }
  auto two = json{{"max_active_sessions", 2}};
  expect(200, node.admin().patch("/projects/demo", two));
  session_user greedy{node, json{{"new_branch", "greedy"}}};
  session_user other{node, json{{"new_branch", "other"}}};
  greedy.start("hog", use_up);
  await("all is used up",
        [&] { return greedy.exec("hog")["stdout_bytes"] == 8; });
  // It is felt at all, by the session itself.
  CHECK(greedy.run(what_is_left)["stdout"] == "False 8192\n");
  CHECK(other.run(what_is_left)["stdout"] == "True 65536\n");
  CHECK(other.run("git status --short && git fetch -q && echo fine")["stdout"]
        == "fine\n");
  expect(200, node.admin().get(other.path("/diff")));
  expect(200, other.checkin());
  expect(200, greedy.remove());
}
