// How long does a node take to start with many sessions?
//
// From the start of the program until `readyz` says 200, with 10,000 sessions
// that live and 100,000 that have ended in its store, against reading the same
// rows with sqlite3; and what the node then has in memory, against the size of
// the rows' file.
#include "bench/support/clock.hpp"
#include "bench/support/crowd.hpp"
#include "bench/support/report.hpp"
#include "tests/support/process_figures.hpp"

#include <nlohmann/json.hpp>

using namespace greenroom::bench;

namespace {

constexpr int rounds = 5;
constexpr crowd sessions{10'000, 100'000};

report measure() {
  report result{
    "start",
    "how long does a node take to start with many sessions?",
    "sqlite3, reading the same rows; or as the row says",
    "greenroom serve until readyz says 200",
    {},
    {"10,000 sessions live, 100,000 have ended, none has run a command.",
     "Memory: all that is resident, beside the size of the store's file."}};
  node server;
  server.ask("POST", "/projects/crowd/sessions", {{"new_branch", "first"}});
  server.stop();
  add_crowd(server, sessions);
  comparison time{"until it is ready", "ms", "<= 3", {}, {}};
  comparison memory{"memory", "MiB", "150 MiB", {}, {}};
  for (int i = 0; i < rounds; ++i) {
    time.baseline.push_back(milliseconds_of([&] { read_all_rows(server); }));
    time.subject.push_back(milliseconds_of([&] { server.start(); }));
    memory.baseline.push_back(static_cast<double>(std::filesystem::file_size(
                                server.data_dir() / "greenroom.db"))
                              / (1024 * 1024));
    memory.subject.push_back(
      static_cast<double>(greenroom::test::resident_kib(server.pid())) / 1024);
    server.stop();
  }
  server.start(); // so that it clears up
  result.rows = {std::move(time), std::move(memory)};
  return result;
}

} // namespace

int main(int argc, char** argv) {
  return run(argc, argv, measure);
}
