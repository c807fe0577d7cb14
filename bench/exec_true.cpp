// What does a command cost that does nothing?
//
// POST of an exec of `true` that waits for its end, over a kept connection:
// admitted, written down, spawned by the session's runner, logged, announced,
// recorded, answered. Against posix_spawn of the same with pipes for its
// output, read to their end, and reaped.
#include "bench/support/node.hpp"
#include "bench/support/report.hpp"

#include <fcntl.h>
#include <nlohmann/json.hpp>
#include <spawn.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <stdexcept>
#include <system_error>

using namespace greenroom;
using namespace greenroom::bench;

namespace {

constexpr int rounds = 9;
constexpr int commands = 150; // of each kind a round
constexpr int warm_up = 50;

struct pipe_ends {
  unique_fd out;
  unique_fd in;
};

pipe_ends make_pipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0)
    throw std::system_error(errno, std::generic_category(), "pipe2");
  return {unique_fd{ends[0]}, unique_fd{ends[1]}};
}

void read_to_end(const unique_fd& from) {
  char buffer[4096];
  while (::read(from.get(), buffer, sizeof buffer) > 0) {
  }
}

void spawn_true() {
  auto out = make_pipe();
  auto err = make_pipe();
  ::posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, out.in.get(), 1);
  ::posix_spawn_file_actions_adddup2(&actions, err.in.get(), 2);
  char name[] = "true";
  char* argv[] = {name, nullptr};
  pid_t pid = -1;
  auto error = ::posix_spawnp(&pid, name, &actions, nullptr, argv, environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0)
    throw std::system_error(error, std::generic_category(), "posix_spawn");
  out.in.reset();
  err.in.reset();
  read_to_end(out.out);
  read_to_end(err.out);
  int status = -1;
  if (::waitpid(pid, &status, 0) != pid || status != 0)
    throw std::runtime_error("true has failed");
}

void exec_true(connection& to, const std::string& request) {
  auto answer = to.ask(request);
  // The exit code is looked for in the text: parsing is not what is measured.
  if (answer.status != 200
      || answer.body.find(R"("exit_code":0)") == std::string::npos)
    throw std::runtime_error("an exec of true: " + answer.body);
}

template <class F>
double milliseconds_of(F&& f) {
  auto start = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double, std::milli>(
           std::chrono::steady_clock::now() - start)
    .count();
}

/// The time that 95 of 100 do not exceed.
double slow(std::vector<double> times) {
  std::ranges::sort(times);
  return times[times.size() * 95 / 100];
}

report measure() {
  node server;
  auto session = server.make_session();
  auto request =
    server.request("POST", session + "/exec",
                   nlohmann::json{{"argv", {"true"}}, {"wait", "10s"}}.dump());
  connection client{server.port()};
  for (int i = 0; i < warm_up; ++i) {
    spawn_true();
    exec_true(client, request);
  }
  comparison usual{"median", "ms", "<= 2", {}, {}};
  comparison slower{"95th percentile", "ms", "", {}, {}};
  for (int round = 0; round < rounds; ++round) {
    std::vector<double> spawned;
    std::vector<double> executed;
    for (int i = 0; i < commands; ++i) {
      spawned.push_back(milliseconds_of(spawn_true));
      executed.push_back(milliseconds_of([&] { exec_true(client, request); }));
    }
    usual.baseline.push_back(median(spawned));
    usual.subject.push_back(median(executed));
    slower.baseline.push_back(slow(spawned));
    slower.subject.push_back(slow(executed));
  }
  return {"exec_true",
          "what does a command cost that does nothing?",
          "posix_spawn of true with pipes, read and reaped",
          "POST .../exec {\"argv\": [\"true\"], \"wait\": \"10s\"}",
          {usual, slower},
          {"One command at a time, over one connection; the log at info; the "
           "data directory below "
           + std::filesystem::temp_directory_path().string() + "."}};
}

} // namespace

int main(int argc, char** argv) {
  return run(argc, argv, measure);
}
