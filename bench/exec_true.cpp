// What does a command cost that does nothing?
//
// POST of an exec of `true` that waits for its end, over a kept connection:
// admitted, written down, spawned by the session's runner, logged, announced,
// recorded, answered. In a sandbox and without one, against posix_spawn of the
// same with pipes for its output, read to their end, and reaped; and against
// what people use instead: ssh over a kept connection, websocketd.
#include "bench/support/clock.hpp"
#include "bench/support/node.hpp"
#include "bench/support/report.hpp"
#include "bench/support/spawn.hpp"
#include "bench/support/ssh.hpp"
#include "bench/support/websocketd.hpp"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>

using namespace greenroom::bench;

namespace {

constexpr int rounds = 9;
constexpr int turns = 5;     // of each way, a round
constexpr int commands = 20; // a turn

/// A session of a node of its own, with a kept connection.
class place {
public:
  explicit place(const std::string& sandbox) : server_{options(sandbox)} {}

  void exec_true() {
    if (!client_)
      client_.emplace(server_.port());
    auto answer = client_->ask(request_);
    // The exit code is looked for in the text: parsing is not what is measured.
    if (answer.status != 200
        || answer.body.find(R"("exit_code":0)") == std::string::npos)
      throw std::runtime_error("an exec of true: " + answer.body);
  }

private:
  static node_options options(const std::string& sandbox) {
    node_options result;
    result.sandbox = sandbox;
    return result;
  }

  node server_;
  std::string request_ =
    server_.request("POST", server_.make_session().path + "/exec",
                    nlohmann::json{{"argv", {"true"}}, {"wait", "10s"}}.dump());
  std::optional<connection> client_; // made late: the server closes idle ones
};

/// The time that 95 of 100 do not exceed.
double slow(std::vector<double> times) {
  std::ranges::sort(times);
  return times[times.size() * 95 / 100];
}

struct way {
  std::function<void()> run;
  std::vector<double> usual{}; // milliseconds, one a round
  std::vector<double> slow{};
};

/// What all ways cost. They take turns, some commands each: often, so that all
/// see the same machine, and not command by command, for what one leaves to be
/// done must not be the next one's cost.
void measure_ways(const std::vector<way*>& ways) {
  for (auto one : ways)
    one->run(); // a session's first command starts its runner
  for (int round = 0; round < rounds; ++round) {
    std::vector<std::vector<double>> times(ways.size());
    for (int turn = 0; turn < turns; ++turn)
      for (std::size_t which = 0; which < ways.size(); ++which)
        for (int i = 0; i < commands; ++i)
          times[which].push_back(milliseconds_of(ways[which]->run));
    for (std::size_t which = 0; which < ways.size(); ++which) {
      ways[which]->usual.push_back(median(times[which]));
      ways[which]->slow.push_back(slow(times[which]));
    }
  }
}

report measure() {
  report result{
    "exec_true",
    "what does a command cost that does nothing?",
    "posix_spawn of true with pipes, read and reaped; or as the row says",
    "POST .../exec {\"argv\": [\"true\"], \"wait\": \"10s\"}",
    {},
    {"One command at a time, over one connection; the log at info; the data "
     "directory below "
     + std::filesystem::temp_directory_path().string() + "."}};
  place bare{"none"};
  place sandboxed{"bubblewrap"};
  way spawned{[] { spawn({"true"}); }};
  way outside{[&] { bare.exec_true(); }};
  way inside{[&] { sandboxed.exec_true(); }};
  way by_ssh;
  way by_websocketd;
  std::vector<way*> ways{&spawned, &outside, &inside};
  std::unique_ptr<ssh> shell;
  std::unique_ptr<websocketd> socket;
  try {
    shell = std::make_unique<ssh>();
    by_ssh.run = [&] { shell->run("true"); };
    ways.push_back(&by_ssh);
  } catch (const std::runtime_error& e) {
    result.notes.push_back(std::string{"Skipped, ssh: "} + e.what());
  }
  try {
    socket = std::make_unique<websocketd>(std::vector<std::string>{"true"});
    by_websocketd.run = [&] { socket->run(); };
    ways.push_back(&by_websocketd);
  } catch (const std::runtime_error& e) {
    result.notes.push_back(std::string{"Skipped, websocketd: "} + e.what());
  }
  measure_ways(ways);
  auto add = [&](const char* what, const char* aim, const way& base,
                 const way& subject) {
    result.rows.push_back({what, "ms", aim, base.usual, subject.usual});
  };
  add("no sandbox", "<= 1.5", spawned, outside);
  result.rows.push_back({"no sandbox: 95th percentile", "ms", "<= 1.8",
                         spawned.slow, outside.slow});
  add("sandboxed", "<= 1.5", spawned, inside);
  result.rows.push_back(
    {"sandboxed: 95th percentile", "ms", "<= 1.8", spawned.slow, inside.slow});
  if (shell)
    add("sandboxed, against ssh", "", by_ssh, inside);
  if (socket)
    add("sandboxed, against websocketd", "", by_websocketd, inside);
  return result;
}

} // namespace

int main(int argc, char** argv) {
  return run(argc, argv, measure);
}
