// What does it cost to make a session?
//
// POST of a session on a new branch: the upstream asked for what is new, the
// branch admitted, a repository of its own made, 1,500 files checked out, or
// 50,000, the session on disk. Against `git worktree add` in a clone that lies
// there.
#include "bench/support/clock.hpp"
#include "bench/support/node.hpp"
#include "bench/support/report.hpp"

#include <nlohmann/json.hpp>
#include <poll.h>

using namespace greenroom::bench;

namespace {

constexpr int rounds = 7;
constexpr int large_rounds = 3;

// For longer than this an answer of the upstream is not believed.
constexpr int fetch_cache_ms = 3'200;

/// A node, and beside it a clone of the same upstream.
class place {
public:
  place(const std::string& sandbox, unsigned files)
    : server_{options(sandbox, files)} {
    git(server_.dir(),
        {"clone", "-q", "--bare", server_.upstream(), "base.git"});
    create(); // the first one copies the upstream to the node
  }

  double add_worktree() {
    auto name = "tree-" + std::to_string(++made_);
    return milliseconds_of([&] {
      git(server_.dir() / "base.git",
          {"worktree", "add", "-q", "-b", name, (server_.dir() / name).string(),
           "main"});
    });
  }

  double create() {
    return milliseconds_of([&] { server_.make_session(); });
  }

private:
  static node_options options(const std::string& sandbox, unsigned files) {
    node_options result;
    result.sandbox = sandbox;
    result.upstream = {files, 1};
    return result;
  }

  node server_;
  int made_ = 0;
};

void measure_mode(const std::string& sandbox, report& to) {
  place there{sandbox, 1500};
  auto mode = sandbox == "none" ? "no sandbox" : "sandboxed";
  comparison asking{
    std::string{mode} + ", upstream asked", "ms", "<= 1.3", {}, {}};
  comparison cached{
    std::string{mode} + ", right after", "ms", "<= 1.3", {}, {}};
  for (int i = 0; i < rounds; ++i) {
    ::poll(nullptr, 0, fetch_cache_ms);
    asking.baseline.push_back(there.add_worktree());
    asking.subject.push_back(there.create());
    cached.baseline.push_back(there.add_worktree());
    cached.subject.push_back(there.create());
  }
  to.rows.push_back(std::move(asking));
  to.rows.push_back(std::move(cached));
}

void measure_large(report& to) {
  place there{"bubblewrap", 50'000};
  comparison row{"sandboxed, 50,000 files", "ms", "<= 0.5", {}, {}};
  for (int i = 0; i < large_rounds; ++i) {
    row.baseline.push_back(there.add_worktree());
    row.subject.push_back(there.create());
  }
  to.rows.push_back(std::move(row));
}

report measure() {
  report result{"create",
                "what does it cost to make a session?",
                "git worktree add of as many files, 1,500 if not said",
                "POST /projects/demo/sessions of the same",
                {},
                {"The first session, which copies the upstream to the node, is "
                 "not counted.",
                 "Right after: the upstream was asked less than 3 s before."}};
  measure_mode("none", result);
  measure_mode("bubblewrap", result);
  measure_large(result);
  return result;
}

} // namespace

int main(int argc, char** argv) {
  return run(argc, argv, measure);
}
