// What do sixteen commands at once cost?
//
// As `exec_true`, but sixteen requests that are under way together: all for one
// session, or each for a session of its own. Against a shell that starts as
// many in the background and waits for them.
#include "bench/support/clock.hpp"
#include "bench/support/node.hpp"
#include "bench/support/report.hpp"
#include "bench/support/spawn.hpp"

#include <nlohmann/json.hpp>

#include <memory>
#include <stdexcept>

using namespace greenroom::bench;

namespace {

constexpr int rounds = 9;
constexpr int turns = 5; // of each way, a round
constexpr std::size_t commands = 16;

/// Sixteen kept connections to a node, and the sessions that they ask.
class place {
public:
  place(const std::string& sandbox, std::size_t sessions)
    : server_{options(sandbox)} {
    const auto body =
      nlohmann::json{{"argv", {"true"}}, {"wait", "10s"}}.dump();
    std::vector<std::string> paths;
    for (std::size_t i = 0; i < sessions; ++i)
      paths.push_back(server_.make_session().path + "/exec");
    for (std::size_t i = 0; i < commands; ++i)
      requests_.push_back(
        server_.request("POST", paths[i % paths.size()], body));
  }

  void run() {
    if (clients_.empty()) // made late: the server closes idle ones
      for (std::size_t i = 0; i < commands; ++i)
        clients_.push_back(std::make_unique<connection>(server_.port()));
    for (std::size_t i = 0; i < commands; ++i)
      clients_[i]->send(requests_[i]);
    for (auto& client : clients_)
      if (auto answer = client->receive();
          answer.status != 200
          || answer.body.find(R"("exit_code":0)") == std::string::npos)
        throw std::runtime_error("an exec of true: " + answer.body);
  }

private:
  static node_options options(const std::string& sandbox) {
    node_options result;
    result.sandbox = sandbox;
    result.more = {"exec.max_concurrent=" + std::to_string(commands)};
    return result;
  }

  node server_;
  std::vector<std::string> requests_;
  std::vector<std::unique_ptr<connection>> clients_;
};

void by_shell() {
  static const auto script = "for i in $(seq " + std::to_string(commands)
                             + "); do " + installed("true") + " & done; wait";
  spawn({"sh", "-c", script});
}

void measure_place(const std::string& sandbox, std::size_t sessions,
                   report& to) {
  place there{sandbox, sessions};
  comparison row{
    sandbox == "none" ? "no sandbox, " : "sandboxed, ", "ms", "<= 1.5", {}, {}};
  row.what +=
    sessions == 1 ? "one session" : std::to_string(sessions) + " sessions";
  there.run(); // a session's first command starts its runner
  for (int round = 0; round < rounds; ++round) {
    std::vector<double> base;
    std::vector<double> ours;
    for (int turn = 0; turn < turns; ++turn) {
      base.push_back(milliseconds_of(by_shell));
      ours.push_back(milliseconds_of([&] { there.run(); }));
    }
    row.baseline.push_back(median(base));
    row.subject.push_back(median(ours));
  }
  to.rows.push_back(std::move(row));
}

report measure() {
  report result{"at_once",
                "what do sixteen commands at once cost?",
                "sh: sixteen times `true &`, then `wait`",
                "sixteen POST .../exec {\"argv\": [\"true\"], \"wait\": "
                "\"10s\"} together",
                {},
                {"From the first request to the last answer, over kept "
                 "connections."}};
  for (auto sandbox : {"none", "bubblewrap"})
    for (std::size_t sessions : {std::size_t{1}, commands})
      measure_place(sandbox, sessions, result);
  return result;
}

} // namespace

int main(int argc, char** argv) {
  return run(argc, argv, measure);
}
