// What does a session cost that nobody uses?
//
// A hundred sessions that have each run a command and are left alone: how much
// more the node itself has in memory for each, and how much all processes have
// that were started for them. Against a shell that waits for input, which is
// the least that keeps a place to work in. Then of ten that rest, and what the
// first command costs in one of these.
#include "bench/support/child.hpp"
#include "bench/support/clock.hpp"
#include "bench/support/node.hpp"
#include "bench/support/report.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/process_figures.hpp"

#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <set>

using namespace greenroom::bench;

namespace {

namespace fs = std::filesystem;

constexpr int rounds = 3;
constexpr int sessions = 100;
constexpr int rested = 10;

/// The memory of a process, what it shares with others divided among them, in
/// KiB; nothing where it is gone.
double proportional_kib(pid_t pid) {
  std::ifstream file{"/proc/" + std::to_string(pid) + "/smaps_rollup"};
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("Pss:"))
      return std::stod(line.substr(4));
  return 0;
}

std::set<pid_t> processes() {
  std::set<pid_t> result;
  for (auto& entry : fs::directory_iterator{"/proc"}) {
    auto name = entry.path().filename().string();
    pid_t pid = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), pid).ptr
        == name.data() + name.size())
      result.insert(pid);
  }
  return result;
}

/// Of all that were started since, but for the node.
double helpers_kib(const node& of, const std::set<pid_t>& before) {
  double result = 0;
  for (auto pid : processes())
    if (!before.contains(pid) && pid != of.pid() && pid != ::getpid())
      result += proportional_kib(pid);
  return result;
}

/// A shell that stands still.
double shell_kib() {
  child shell{{installed("sh"), "-c", "echo ready; kill -STOP $$"}};
  shell.first_line();
  return proportional_kib(shell.pid());
}

/// What is left of them once nothing has run in them for sandbox.idle, and what
/// the first command after that takes, against the one after it.
void measure_rest(const std::string& sandbox, const std::string& mode,
                  report& to) {
  node_options options;
  options.sandbox = sandbox;
  options.more = {"sandbox.idle=1s"};
  comparison helpers{mode + ", processes at rest", "KiB", "0", {}, {}};
  comparison wake{mode + ", the first command after", "ms", "+ 10 ms", {}, {}};
  for (int round = 0; round < rounds; ++round) {
    node server{options};
    const auto before = processes();
    std::vector<made_session> made;
    for (int i = 0; i < rested; ++i)
      server.exec(made.emplace_back(server.make_session()), "true");
    greenroom::test::eventually(
      [&] { return helpers_kib(server, before) == 0; });
    helpers.baseline.push_back(shell_kib());
    helpers.subject.push_back(helpers_kib(server, before) / rested);
    std::vector<double> first;
    std::vector<double> second;
    for (const auto& one : made) {
      first.push_back(milliseconds_of([&] { server.exec(one, "true"); }));
      second.push_back(milliseconds_of([&] { server.exec(one, "true"); }));
    }
    wake.baseline.push_back(median(second));
    wake.subject.push_back(median(first));
  }
  to.rows.push_back(std::move(helpers));
  to.rows.push_back(std::move(wake));
}

void measure_mode(const std::string& sandbox, report& to) {
  node_options options;
  options.sandbox = sandbox;
  const std::string mode = sandbox == "none" ? "no sandbox" : "sandboxed";
  comparison own{mode + ", the node", "KiB", "16 KiB", {}, {}};
  comparison helpers{mode + ", processes", "KiB", "0", {}, {}};
  for (int round = 0; round < rounds; ++round) {
    node server{options};
    server.exec(server.make_session(), "true"); // what is there once
    const auto before = processes();
    const auto at_first = greenroom::test::resident_kib(server.pid());
    for (int i = 0; i < sessions; ++i)
      server.exec(server.make_session(), "true");
    const auto shell = shell_kib();
    own.baseline.push_back(shell);
    own.subject.push_back(
      static_cast<double>(greenroom::test::resident_kib(server.pid()))
        / sessions
      - static_cast<double>(at_first) / sessions);
    helpers.baseline.push_back(shell);
    helpers.subject.push_back(helpers_kib(server, before) / sessions);
  }
  to.rows.push_back(std::move(own));
  to.rows.push_back(std::move(helpers));
  measure_rest(sandbox, mode, to);
}

report measure() {
  report result{
    "idle",
    "what does a session cost that nobody uses?",
    "a shell that waits for input",
    "each of a hundred sessions that have run a command",
    {},
    {"The node: how much its resident memory has grown for each. Processes: "
     "all that were started meanwhile, what they share divided among them; "
     "nothing else may be started on the machine."}};
  measure_mode("none", result);
  measure_mode("bubblewrap", result);
  return result;
}

} // namespace

int main(int argc, char** argv) {
  return run(argc, argv, measure);
}
