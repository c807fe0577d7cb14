// How many events a second reach 500 watchers of one command?
//
// A command prints lines; each watcher of its session gets each of them over
// its own connection. Against a bare broadcaster that makes events of the same
// lines of the same command. At a low rate each line is an event of its own. At
// a higher one the server puts lines that have come meanwhile into one event,
// the broadcaster never does: so lines are counted too.
#include "bench/support/node.hpp"
#include "bench/support/report.hpp"
#include "bench/support/watchers.hpp"

#include <nlohmann/json.hpp>
#include <sys/resource.h>

#include <stdexcept>

using namespace greenroom::bench;

namespace {

constexpr int rounds = 3;
constexpr std::size_t watcher_count = 500;

struct load {
  const char* name;
  unsigned lines;
  unsigned rate; // lines a second, 0: as fast as it can
  const char* aim;
};

// A thousand lines a second offer 500,000 events: a server that keeps up comes
// close to the aim and cannot exceed it.
constexpr load loads[] = {{"1,000 lines/s", 1500, 1000, ""},
                          {"4,000 lines/s", 3000, 4000, ">= 0.8"},
                          {"flat out", 6000, 0, ""}};

struct outcome {
  delivery got;
  double cpu = 0; // of the server, in seconds
};

std::vector<std::string> printer(const load& what) {
  return {program("bench_printer"), std::to_string(what.lines),
          std::to_string(what.rate)};
}

void check(const load& what, const delivery& got) {
  if (got.lines != std::uint64_t{what.lines} * watcher_count)
    throw std::runtime_error(std::to_string(got.lines) + " lines came of "
                             + std::to_string(what.lines) + " times "
                             + std::to_string(watcher_count));
}

outcome broadcast(const load& what) {
  std::vector<std::string> argv{program("bench_broadcaster"),
                                std::to_string(watcher_count)};
  for (auto& argument : printer(what))
    argv.push_back(argument);
  child server{argv};
  watchers all{static_cast<std::uint16_t>(std::stoi(server.first_line())),
               watcher_count, request_text("GET", "/", {})};
  auto got = all.until_exit();
  check(what, got);
  return {got, cpu_seconds(server.pid())};
}

outcome watch(node& server, const std::string& session, const load& what) {
  watchers all{server.port(), watcher_count,
               server.request("GET", session + "/events")};
  auto before = cpu_seconds(server.pid());
  nlohmann::json body{{"argv", printer(what)}};
  auto answer = connection{server.port()}.ask(
    server.request("POST", session + "/exec", body.dump()));
  if (answer.status != 202)
    throw std::runtime_error("an exec: " + answer.body);
  auto got = all.until_exit();
  check(what, got);
  return {got, cpu_seconds(server.pid()) - before};
}

void measure_load(node& server, const std::string& session, const load& what,
                  report& to) {
  auto name = std::string{what.name};
  comparison events{name + ": events", "/s", what.aim, {}, {}};
  comparison lines{name + ": lines", "/s", "", {}, {}};
  comparison bytes{name + ": bytes", "MB/s", "", {}, {}};
  comparison cpu{name + ": CPU, million lines", "s", "", {}, {}};
  auto add = [&](std::vector<double> comparison::*side, const outcome& from) {
    auto& got = from.got;
    auto count = static_cast<double>(got.lines);
    (events.*side).push_back(static_cast<double>(got.events) / got.seconds);
    (lines.*side).push_back(count / got.seconds);
    (bytes.*side).push_back(static_cast<double>(got.bytes) / got.seconds / 1e6);
    (cpu.*side).push_back(from.cpu / count * 1e6);
  };
  for (int i = 0; i < rounds; ++i) {
    add(&comparison::baseline, broadcast(what));
    add(&comparison::subject, watch(server, session, what));
  }
  for (auto row : {&events, &lines, &bytes, &cpu})
    to.rows.push_back(std::move(*row));
}

/// Each side has a descriptor for each watcher; children inherit the limit.
void allow_descriptors() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

report measure() {
  allow_descriptors();
  report result{
    "watch",
    "how many events a second reach 500 watchers of one command?",
    "a bare broadcaster, one thread: each line an event, nothing kept",
    "500 times GET .../events of a session that runs the same command",
    {},
    {"All watchers are one thread on the same machine, and each has got each "
     "event once.",
     "CPU is the server's own, without the command and the watchers."}};
  node server;
  auto session = server.make_session().path;
  for (auto& one : loads)
    measure_load(server, session, one, result);
  return result;
}

} // namespace

int main(int argc, char** argv) {
  return run(argc, argv, measure);
}
