// How long does it take from nothing to a command's output?
//
// A session is made, and a program that is not quite small (node, else python3)
// says its version in it. Against `git worktree add` and the same program
// there. One at a time, and a hundred at once.
#include "bench/support/clock.hpp"
#include "bench/support/node.hpp"
#include "bench/support/report.hpp"
#include "bench/support/spawn.hpp"

#include <nlohmann/json.hpp>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <stdexcept>

using namespace greenroom::bench;

namespace {

constexpr int rounds = 9;
constexpr int crowded_rounds = 3;
constexpr int crowd = 100;

std::vector<std::string> version_of_something() {
  try {
    return {installed("node"), "-v"};
  } catch (const std::runtime_error&) {
    return {installed("python3"), "-V"};
  }
}

/// A node, and beside it a clone of the same upstream.
class place {
public:
  explicit place(const std::string& sandbox) : server_{options(sandbox)} {
    git(server_.dir(),
        {"clone", "-q", "--bare", server_.upstream(), "base.git"});
  }

  /// Worktrees with the program's version, two at a time.
  void make_worktrees(int count) {
    std::string names;
    for (int i = 0; i < count; ++i)
      names += " tree-" + std::to_string(++made_);
    spawn({"sh", "-c",
           "cd " + base().string() + "; printf '%s\\n'" + names
             + " | xargs -P 2 -I NAME sh -c '"
             + "git worktree add -q -b NAME ../NAME main && cd ../NAME && "
             + command_[0] + ' ' + command_[1] + "'"});
  }

  /// A session, and the program's version in it.
  void make_session() {
    auto branch = "bench-" + std::to_string(++made_);
    connection client{server_.port()};
    auto made =
      ask(client, "/projects/demo/sessions", {{"new_branch", branch}});
    const auto path =
      "/projects/demo/sessions/" + made["id"].get<std::string>();
    auto ended =
      ask(client, path + "/exec", {{"argv", command_}, {"wait", "60s"}});
    auto output = client.ask(server_.request(
      "GET",
      path + "/execs/" + ended["exec_id"].get<std::string>() + "/output"));
    if (ended["exit_code"] != 0 || output.status != 200 || output.body.empty())
      throw std::runtime_error("an exec: " + ended.dump());
  }

  void make_sessions(int count) {
    std::vector<std::future<void>> all;
    for (int i = 0; i < count; ++i)
      all.push_back(std::async(std::launch::async, [this] { make_session(); }));
    for (auto& one : all)
      one.get();
  }

private:
  static node_options options(const std::string& sandbox) {
    node_options result;
    result.sandbox = sandbox;
    result.upstream = {20, 1};
    return result;
  }

  std::filesystem::path base() const {
    return server_.dir() / "base.git";
  }

  nlohmann::json ask(connection& client, const std::string& path,
                     const nlohmann::json& body) {
    auto answer = client.ask(server_.request("POST", path, body.dump()));
    if (answer.status < 200 || answer.status > 202)
      throw std::runtime_error("POST " + path + ": " + answer.body);
    return nlohmann::json::parse(answer.body)["data"];
  }

  node server_;
  const std::vector<std::string> command_ = version_of_something();
  std::atomic<int> made_{0};
};

void measure_mode(const std::string& sandbox, report& to) {
  place there{sandbox};
  const std::string mode = sandbox == "none" ? "no sandbox" : "sandboxed";
  comparison single{mode, "ms", "<= 1.3", {}, {}};
  there.make_session();
  for (int i = 0; i < rounds; ++i) {
    single.baseline.push_back(
      milliseconds_of([&] { there.make_worktrees(1); }));
    single.subject.push_back(milliseconds_of([&] { there.make_session(); }));
  }
  to.rows.push_back(std::move(single));
  comparison many{
    mode + ", " + std::to_string(crowd) + " at once", "ms", "<= 1.3", {}, {}};
  for (int i = 0; i < crowded_rounds; ++i) {
    many.baseline.push_back(
      milliseconds_of([&] { there.make_worktrees(crowd); }));
    many.subject.push_back(
      milliseconds_of([&] { there.make_sessions(crowd); }));
  }
  to.rows.push_back(std::move(many));
}

report measure() {
  report result{
    "first_output",
    "how long does it take from nothing to a command's output?",
    "git worktree add, then the program in it",
    "POST of a session, then of the program, then GET of its output",
    {},
    {"The program is `" + version_of_something()[0]
       + "`, which says its version; 20 files; the data directory below "
       + std::filesystem::temp_directory_path().string() + ".",
     "Of a hundred the baseline makes two at a time. Earlier rounds' sessions "
     "stay."}};
  measure_mode("none", result);
  measure_mode("bubblewrap", result);
  return result;
}

} // namespace

int main(int argc, char** argv) {
  // Files in memory: what git and the disk cost is `create`'s question.
  if (std::filesystem::is_directory("/dev/shm"))
    ::setenv("TMPDIR", "/dev/shm", 0);
  return run(argc, argv, measure);
}
