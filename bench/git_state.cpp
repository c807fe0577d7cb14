// What does a look at the state of a session's checkout cost?
//
// GET of …/git: the upstream as it was a moment ago, git in the session's
// sandbox, its words as JSON. Against `git status` in a clone of the same 1,500
// files, one of which is changed; what the answer costs beyond that is a row of
// its own.
#include "bench/support/clock.hpp"
#include "bench/support/node.hpp"
#include "bench/support/report.hpp"

#include <nlohmann/json.hpp>

#include <fstream>
#include <stdexcept>

using namespace greenroom::bench;

namespace {

constexpr int rounds = 21;
constexpr double aim_ms = 20;

void measure_mode(const std::string& sandbox, report& to) {
  node_options options;
  options.sandbox = sandbox;
  options.upstream = {1500, 1};
  node server{options};
  git(server.dir(), {"clone", "-q", server.upstream(), "work"});
  auto work = server.dir() / "work";
  std::ofstream{work / "src/1/1.txt", std::ios::app} << "changed\n";
  auto session = server.make_session();
  server.exec(session, "echo changed >> src/1/1.txt");
  auto look = [&] {
    return milliseconds_of([&] {
      auto data = server.ask("GET", session.path + "/git", nullptr);
      if (data["dirty_files"] != 1)
        throw std::runtime_error("a look: " + data.dump());
    });
  };
  std::string mode = sandbox == "none" ? "no sandbox" : "sandboxed";
  comparison all{mode, "ms", "", {}, {}};
  comparison rest{mode + ", less git; of 20 ms", "ms", "<= 1", {}, {}};
  look();
  for (int i = 0; i < rounds; ++i) {
    auto by_git = milliseconds_of([&] {
      git(work, {"status", "--porcelain"});
    });
    auto looked = look();
    all.baseline.push_back(by_git);
    all.subject.push_back(looked);
    rest.baseline.push_back(aim_ms);
    rest.subject.push_back(looked - by_git);
  }
  to.rows.push_back(std::move(all));
  to.rows.push_back(std::move(rest));
}

report measure() {
  report result{"git_state",
                "what does a look at the state of a checkout cost?",
                "git status of the same 1,500 files",
                "GET .../git of a session with a change",
                {},
                {"\"Less git\" is the difference of the two, against 20 ms: "
                 "git runs several times, inside the sandbox."}};
  measure_mode("none", result);
  measure_mode("bubblewrap", result);
  return result;
}

} // namespace

int main(int argc, char** argv) {
  return run(argc, argv, measure);
}
