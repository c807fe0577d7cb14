// What does a check-in of one changed file cost?
//
// POST of a check-in: what runs is stopped, the change committed, its objects
// taken into the mirror, the branch moved and pushed to the upstream, the
// session ended on disk. Against `git push` of a commit of one file to the same
// kind of upstream; what the check-in costs beyond that is a row of its own.
#include "bench/support/clock.hpp"
#include "bench/support/node.hpp"
#include "bench/support/report.hpp"

#include <nlohmann/json.hpp>

#include <fstream>
#include <stdexcept>

using namespace greenroom::bench;
namespace fs = std::filesystem;

namespace {

constexpr int rounds = 9;
// More than the push, in milliseconds.
constexpr double aim = 15;
constexpr double aim_sandboxed = 20;

/// Pushes a new branch with a commit of one changed file, and times the push.
double push(const fs::path& work, int round) {
  std::ofstream{work / "src/1/1.txt", std::ios::app} << round << '\n';
  git(work, {"commit", "-qam", "Change"});
  auto to = "HEAD:refs/heads/change-" + std::to_string(round);
  return milliseconds_of([&] { git(work, {"push", "-q", "origin", to}); });
}

double check_in(node& server) {
  auto session = server.make_session();
  server.exec(session, "echo changed >> src/1/1.txt");
  return milliseconds_of([&] {
    auto data =
      server.ask("POST", session.path + "/checkin", {{"skip_review", true}});
    if (data["status"] != "ended")
      throw std::runtime_error("a check-in: " + data.dump());
  });
}

void measure_mode(const std::string& sandbox, report& to) {
  node_options options;
  options.sandbox = sandbox;
  options.upstream = {1500, 1};
  node server{options};
  git(server.dir(), {"clone", "-q", "--bare", server.upstream(), "bare.git"});
  git(server.dir(), {"clone", "-q", "bare.git", "work"});
  std::string mode = sandbox == "none" ? "no sandbox" : "sandboxed";
  comparison all{mode, "ms", "", {}, {}};
  const auto most = sandbox == "none" ? aim : aim_sandboxed;
  comparison rest{mode + ", less the push", "ms", "<= 1", {}, {}};
  check_in(server);
  for (int i = 0; i < rounds; ++i) {
    auto pushed = push(server.dir() / "work", i);
    auto checked_in = check_in(server);
    all.baseline.push_back(pushed);
    all.subject.push_back(checked_in);
    rest.baseline.push_back(most);
    rest.subject.push_back(checked_in - pushed);
  }
  to.rows.push_back(std::move(all));
  to.rows.push_back(std::move(rest));
}

report measure() {
  report result{"checkin",
                "what does a check-in of one changed file cost?",
                "git push of a commit to the same kind of bare repository",
                "POST .../checkin of a session of 1,500 files",
                {},
                {"\"Less the push\" is the difference of the two, against the "
                 "aim: 15 ms, sandboxed 20."}};
  measure_mode("none", result);
  measure_mode("bubblewrap", result);
  return result;
}

} // namespace

int main(int argc, char** argv) {
  return run(argc, argv, measure);
}
