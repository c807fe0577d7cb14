// What does it cost to make a session?
//
// POST of a session on a new branch: the upstream asked for what is new, the
// branch admitted, a repository of its own made, 1,500 files checked out, or
// 50,000, the session on disk. Against `git worktree add` in a clone that lies
// there. Of 50,000 files with nothing that was kept ready, with a checkout that
// is, and with one from before a push.
#include "bench/support/clock.hpp"
#include "bench/support/node.hpp"
#include "bench/support/report.hpp"

#include <nlohmann/json.hpp>
#include <poll.h>

#include <filesystem>
#include <fstream>
#include <stdexcept>

using namespace greenroom::bench;
namespace fs = std::filesystem;

namespace {

constexpr int rounds = 7;
constexpr int large_rounds = 3;

// For longer than this an answer of the upstream is not believed.
constexpr int fetch_cache_ms = 3'200;

/// A node, and beside it a clone of the same upstream.
class place {
public:
  place(const std::string& sandbox, unsigned files, bool keeps_ready = true)
    : server_{options(sandbox, files, keeps_ready)} {
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

  /// Returns when a checkout is ready for the next session.
  void await_ready() {
    constexpr int pause_ms = 50;
    constexpr int settle_ms = 500;
    for (int i = 0; i < 1'000; ++i) {
      for (const auto& entry :
           fs::directory_iterator{server_.data_dir() / "sessions"})
        if (fs::exists(entry.path() / "index")
            && !fs::exists(entry.path() / "tree/.git")) {
          ::poll(nullptr, 0, settle_ms);
          return;
        }
      ::poll(nullptr, 0, pause_ms);
    }
    throw std::runtime_error("no checkout is kept ready");
  }

  /// Changes a file upstream, on main.
  void push() {
    auto work = server_.dir() / "work";
    if (!fs::exists(work))
      git(server_.dir(), {"clone", "-q", "--no-checkout",
                          server_.upstream().string(), work.string()});
    std::ofstream{work / "pushed"} << ++made_ << '\n';
    git(work, {"reset", "-q"});
    git(work, {"add", "pushed"});
    git(work, {"-c", "user.name=A", "-c", "user.email=a@example.org", "commit",
               "-qm", "A change"});
    git(work, {"push", "-q", "origin", "HEAD:main"});
    ::poll(nullptr, 0, fetch_cache_ms);
  }

private:
  static node_options options(const std::string& sandbox, unsigned files,
                              bool keeps_ready) {
    node_options result;
    result.sandbox = sandbox;
    result.upstream = {files, 1};
    if (!keeps_ready)
      result.more = {"sessions.warm_checkouts=0"};
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

void measure_large(const std::string& sandbox, report& to) {
  const auto what = std::string{sandbox == "none" ? "no sandbox" : "sandboxed"}
                    + ", 50,000 files";
  auto row = [&](const std::string& how, const char* aim) {
    return comparison{what + ", " + how, "ms", aim, {}, {}};
  };
  auto none = row("none ready", "<= 1.3");
  {
    place there{sandbox, 50'000, false};
    for (int i = 0; i < large_rounds; ++i) {
      none.baseline.push_back(there.add_worktree());
      none.subject.push_back(there.create());
    }
  }
  auto ready = row("one ready", "<= 0.5");
  auto near = row("ready before a push", "<= 0.5");
  place there{sandbox, 50'000};
  for (int i = 0; i < large_rounds; ++i) {
    there.await_ready();
    ready.baseline.push_back(there.add_worktree());
    ready.subject.push_back(there.create());
    there.await_ready();
    near.baseline.push_back(there.add_worktree());
    there.push();
    near.subject.push_back(there.create());
  }
  for (auto* one : {&none, &ready, &near})
    to.rows.push_back(std::move(*one));
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
  measure_large("none", result);
  measure_large("bubblewrap", result);
  return result;
}

} // namespace

int main(int argc, char** argv) {
  return run(argc, argv, measure);
}
