// What does it cost to make a session?
//
// POST of a session on a new branch: the upstream asked for what is new, the
// branch admitted, a repository of its own made, 1,500 files checked out, the
// session on disk. Against `git worktree add` in a clone that lies there.
#include "bench/support/clock.hpp"
#include "bench/support/node.hpp"
#include "bench/support/report.hpp"

#include <nlohmann/json.hpp>
#include <poll.h>

using namespace greenroom::bench;

namespace {

constexpr int rounds = 7;

// For longer than this an answer of the upstream is not believed.
constexpr int fetch_cache_ms = 3'200;

void measure_mode(const std::string& sandbox, report& to) {
  node_options options;
  options.sandbox = sandbox;
  options.upstream = {1500, 1};
  node server{options};
  git(server.dir(), {"clone", "-q", "--bare", server.upstream(), "base.git"});
  auto base = server.dir() / "base.git";
  int made = 0;
  auto add_worktree = [&] {
    auto name = "tree-" + std::to_string(++made);
    return milliseconds_of([&] {
      git(base, {"worktree", "add", "-q", "-b", name,
                 (server.dir() / name).string(), "main"});
    });
  };
  auto create = [&] { return milliseconds_of([&] { server.make_session(); }); };
  auto mode = sandbox == "none" ? "no sandbox" : "sandboxed";
  comparison asking{
    std::string{mode} + ", upstream asked", "ms", "<= 1.3", {}, {}};
  comparison cached{
    std::string{mode} + ", right after", "ms", "<= 1.3", {}, {}};
  create();
  for (int i = 0; i < rounds; ++i) {
    ::poll(nullptr, 0, fetch_cache_ms);
    asking.baseline.push_back(add_worktree());
    asking.subject.push_back(create());
    cached.baseline.push_back(add_worktree());
    cached.subject.push_back(create());
  }
  to.rows.push_back(std::move(asking));
  to.rows.push_back(std::move(cached));
}

report measure() {
  report result{"create",
                "what does it cost to make a session?",
                "git worktree add of 1,500 files",
                "POST /projects/demo/sessions of the same",
                {},
                {"The first session, which copies the upstream to the node, is "
                 "not counted.",
                 "Right after: the upstream was asked less than 3 s before."}};
  measure_mode("none", result);
  measure_mode("bubblewrap", result);
  return result;
}

} // namespace

int main(int argc, char** argv) {
  return run(argc, argv, measure);
}
