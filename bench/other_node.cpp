// What does it cost to ask a node that does not own the session?
//
// Two nodes of one cluster: a command, its events to 500 watchers, its output
// of 256 MiB, by the node that does not own the session against the one that
// does. Both take turns with one session. All of it shares one machine: what
// the node in between takes of its processors the owner lacks, which two
// machines would not show.
#include "bench/support/clock.hpp"
#include "bench/support/cluster.hpp"
#include "bench/support/download.hpp"
#include "bench/support/report.hpp"
#include "bench/support/watchers.hpp"

#include <nlohmann/json.hpp>
#include <sys/resource.h>

#include <stdexcept>

using namespace greenroom::bench;

namespace {

constexpr int rounds = 7;
constexpr int turns = 5;           // of each node, a round
constexpr int commands = 20;       // a turn
constexpr double most_added = 0.4; // milliseconds, the aim

constexpr int watch_rounds = 3;
constexpr std::size_t watcher_count = 500;

constexpr int output_rounds = 5;
constexpr std::uint64_t output_size = std::uint64_t{256} * 1024 * 1024;

/// A session, asked by one of the nodes.
class way {
public:
  way(node& by, const made_session& session) : by_(by), path_(session.path) {}

  /// Over one connection for as long as `client` is kept.
  void exec_true(connection& client) const {
    auto answer = client.ask(exec_);
    if (answer.status != 200
        || answer.body.find(R"("exit_code":0)") == std::string::npos)
      throw std::runtime_error("an exec of true: " + answer.body);
  }

  void exec_true(std::vector<double>& times) const {
    connection client{by_.port()};
    exec_true(client); // the connection's first
    for (int i = 0; i < commands; ++i)
      times.push_back(milliseconds_of([&] { exec_true(client); }));
  }

  /// Events a second.
  double watch(unsigned lines, unsigned rate) const {
    watchers all{by_.port(), watcher_count,
                 by_.request("GET", path_ + "/events")};
    by_.ask("POST", path_ + "/exec",
            {{"argv",
              {program("bench_printer"), std::to_string(lines),
               std::to_string(rate)}}});
    auto got = all.until_exit();
    if (got.lines != std::uint64_t{lines} * watcher_count)
      throw std::runtime_error(std::to_string(got.lines) + " lines came of "
                               + std::to_string(lines) + " times "
                               + std::to_string(watcher_count));
    return static_cast<double>(got.events) / got.seconds;
  }

  std::string start_output() const {
    nlohmann::json command{
      {"argv", {"head", "-c", std::to_string(output_size), "/dev/zero"}}};
    return by_.ask("POST", path_ + "/exec", command)["exec_id"];
  }

  /// MB a second, from the request to the last byte.
  double get(const std::string& exec_id, const std::string& query) const {
    std::uint64_t bytes = 0;
    auto seconds = seconds_of([&] {
      bytes = download(by_.port(),
                       by_.request("GET", path_ + "/execs/" + exec_id
                                            + "/output?stream=stdout" + query));
    });
    if (bytes != output_size)
      throw std::runtime_error(std::to_string(bytes) + " bytes came of "
                               + std::to_string(output_size));
    return static_cast<double>(output_size) / seconds / 1e6;
  }

private:
  node& by_;
  const std::string path_;
  const std::string exec_ =
    by_.request("POST", path_ + "/exec",
                nlohmann::json{{"argv", {"true"}}, {"wait", "10s"}}.dump());
};

void measure_exec(const way& near, const way& far, report& to) {
  comparison whole{"exec of true", "ms", "", {}, {}};
  comparison added{"exec of true, what is added", "ms", "<= 1", {}, {}};
  for (int round = 0; round < rounds; ++round) {
    std::vector<double> by_owner;
    std::vector<double> by_other;
    for (int turn = 0; turn < turns; ++turn) {
      near.exec_true(by_owner);
      far.exec_true(by_other);
    }
    whole.baseline.push_back(median(by_owner));
    whole.subject.push_back(median(by_other));
    added.baseline.push_back(most_added);
    added.subject.push_back(median(by_other) - median(by_owner));
  }
  to.rows.push_back(std::move(whole));
  to.rows.push_back(std::move(added));
}

void measure_events(const way& near, const way& far, report& to) {
  struct load {
    const char* name;
    unsigned lines;
    unsigned rate;
  };
  for (auto& one : {load{"events, 1,000 lines/s", 1500, 1000},
                    load{"events, 4,000 lines/s", 3000, 4000}}) {
    comparison row{one.name, "/s", ">= 0.8", {}, {}};
    for (int i = 0; i < watch_rounds; ++i) {
      row.baseline.push_back(near.watch(one.lines, one.rate));
      row.subject.push_back(far.watch(one.lines, one.rate));
    }
    to.rows.push_back(std::move(row));
  }
}

void measure_output(const way& near, const way& far, report& to) {
  comparison followed{"output, followed", "MB/s", ">= 0.8", {}, {}};
  comparison after{"output, after the end", "MB/s", ">= 0.8", {}, {}};
  for (int i = 0; i < output_rounds; ++i) {
    auto exec_id = near.start_output();
    followed.baseline.push_back(near.get(exec_id, "&follow=true"));
    after.baseline.push_back(near.get(exec_id, ""));
    after.subject.push_back(far.get(exec_id, ""));
    exec_id = near.start_output();
    followed.subject.push_back(far.get(exec_id, "&follow=true"));
  }
  to.rows.push_back(std::move(followed));
  to.rows.push_back(std::move(after));
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
    "other_node",
    "what does it cost to ask a node that does not own the session?",
    "the node that owns it, asked for the same",
    "another node of the cluster on this machine",
    {},
    {"\"What is added\" is the difference of the two, against the aim: 0.4 "
     "ms."}};
  cluster both{2};
  auto session = both.owner().make_session();
  way near{both.owner(), session};
  way far{both.other(), session};
  measure_exec(near, far, result);
  measure_events(near, far, result);
  measure_output(near, far, result);
  return result;
}

} // namespace

int main(int argc, char** argv) {
  return run(argc, argv, measure);
}
