// What does the checkout of a large repository cost?
//
// POST of a session on a repository of 50,000 files, until the first command in
// it has seen them all. Against git's own time for the same: a clone that
// borrows the objects, its files written, and a look at its state. Nothing is
// kept ready meanwhile: that is `create`'s question.
#include "bench/support/clock.hpp"
#include "bench/support/node.hpp"
#include "bench/support/report.hpp"

#include <nlohmann/json.hpp>
#include <poll.h>

using namespace greenroom::bench;
namespace fs = std::filesystem;

namespace {

constexpr int rounds = 5;
constexpr unsigned files = 50'000;

// For longer than this an answer of the upstream is not believed; both are
// measured with it believed.
constexpr int settle_ms = 1'000;

void measure_mode(const std::string& sandbox, report& to) {
  node_options options;
  options.sandbox = sandbox;
  options.upstream = {files, 1};
  options.more = {"sessions.warm_checkouts=0"};
  node server{options};
  git(server.dir(), {"clone", "-q", "--bare", server.upstream(), "base.git"});
  auto made = 0;
  auto by_git = [&] {
    auto top = server.dir() / ("clone-" + std::to_string(++made));
    auto taken = milliseconds_of([&] {
      git(server.dir(), {"clone", "-q", "--shared", "base.git", top.string()});
      git(top, {"status", "--porcelain"});
    });
    fs::remove_all(top);
    return taken;
  };
  auto by_us = [&] {
    made_session session;
    auto taken = milliseconds_of([&] {
      session = server.make_session();
      server.exec(session, "git status --porcelain");
    });
    server.ask("DELETE", session.path, nullptr);
    return taken;
  };
  comparison row{
    sandbox == "none" ? "no sandbox" : "sandboxed", "ms", "<= 1.1", {}, {}};
  by_us();
  for (int i = 0; i < rounds; ++i) {
    row.baseline.push_back(by_git());
    ::poll(nullptr, 0, settle_ms);
    row.subject.push_back(by_us());
    ::poll(nullptr, 0, settle_ms);
  }
  to.rows.push_back(std::move(row));
}

report measure() {
  report result{"checkout",
                "what does the checkout of 50,000 files cost?",
                "git clone --shared and git status of the same",
                "a session on it, and git status as its first command",
                {},
                {"The first session, which copies the upstream to the node, is "
                 "not counted."}};
  measure_mode("none", result);
  measure_mode("bubblewrap", result);
  return result;
}

} // namespace

int main(int argc, char** argv) {
  return run(argc, argv, measure);
}
