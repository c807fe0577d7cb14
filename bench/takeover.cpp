// How long until another node goes on with the sessions of one that was killed?
//
// Each has a file that is not committed, saved in a checkpoint. From the kill
// until every session is another node's and reachable there, and until a
// command in one of them, and in each, has found its file. Against the lease,
// cluster.timeout, which nobody may shorten, and five seconds.
#include "bench/support/clock.hpp"
#include "bench/support/cluster.hpp"
#include "bench/support/report.hpp"

#include <nlohmann/json.hpp>
#include <poll.h>

#include <filesystem>
#include <future>
#include <iterator>
#include <stdexcept>
#include <string_view>

using namespace greenroom::bench;

namespace {

using nlohmann::json;

constexpr double lease = 10; // seconds
constexpr double most = lease + 5;
constexpr std::chrono::minutes longest{5};

class moving {
public:
  explicit moving(int sessions) {
    for (int i = 0; i < sessions; ++i) {
      all_.push_back(nodes_.owner().make_session());
      nodes_.owner().exec(all_.back(), "echo kept >kept.txt");
    }
    await("checkpoints", [&] { return checkpoints() == sessions; });
  }

  void measure(report& to) {
    comparison reachable{"all sessions reachable", "s", "<= 1", {most}, {}};
    comparison first{"a command in one of them", "s", "<= 1", {most}, {}};
    comparison last{"a command in each of them", "s", "", {most}, {}};
    auto begun = std::chrono::steady_clock::now();
    auto since = [&] {
      return std::chrono::duration<double>(std::chrono::steady_clock::now()
                                           - begun)
        .count();
    };
    nodes_.owner().kill();
    // Beside the commands, as other clients are.
    auto looker = std::async(std::launch::async, [&] {
      for (auto& one : all_)
        await("all sessions", [&] { return is_reachable(one); });
      return since();
    });
    auto& some = all_[all_.size() / 2];
    await("a session", [&] { return has_file(some); });
    first.subject.push_back(since());
    reachable.subject.push_back(looker.get());
    for (auto& one : all_)
      await("a session", [&] { return has_file(one); });
    last.subject.push_back(since());
    for (auto* row : {&reachable, &first, &last})
      to.rows.push_back(std::move(*row));
  }

private:
  template <class Condition>
  static void await(const char* what, Condition holds) {
    auto end = std::chrono::steady_clock::now() + longest;
    while (!holds()) {
      if (std::chrono::steady_clock::now() > end)
        throw std::runtime_error(std::string{"waited in vain for "} + what);
      ::poll(nullptr, 0, 100);
    }
  }

  std::ptrdiff_t checkpoints() const {
    std::error_code none;
    std::filesystem::directory_iterator all{
      nodes_.upstream() / "refs/greenroom/checkpoints", none};
    return std::distance(begin(all), end(all));
  }

  bool has_file(const made_session& in) {
    auto& by = nodes_.other();
    auto answer = connection{by.port()}.ask(by.request(
      "POST", in.path + "/exec",
      json{{"command", "grep -q kept kept.txt"}, {"wait", "30s"}}.dump()));
    return answer.status == 200
           && answer.body.find(R"("exit_code":0)") != std::string::npos;
  }

  bool is_reachable(const made_session& one) {
    auto& by = nodes_.other();
    auto answer = connection{by.port()}.ask(by.request("GET", one.path));
    return answer.status == 200
           && json::parse(answer.body)["data"]["reachable"] == true;
  }

  cluster nodes_{2, {"cluster.timeout=10s", "sessions.checkpoint_every=1s"}};
  std::vector<made_session> all_;
};

report measure(int sessions) {
  report result{
    "takeover",
    "how long until another node goes on with the sessions of a killed one?",
    "cluster.timeout of 10 s and five more",
    std::to_string(sessions) + " sessions whose node is killed",
    {},
    {"From the kill; both nodes, PostgreSQL and the upstream are on this "
     "machine."}};
  moving{sessions}.measure(result);
  return result;
}

} // namespace

int main(int argc, char** argv) {
  int sessions = 100;
  if (std::string_view last = argv[argc - 1];
      argc > 1 && !last.empty()
      && last.find_first_not_of("0123456789") == std::string_view::npos) {
    sessions = std::stoi(argv[argc - 1]);
    --argc;
  }
  return run(
    argc, argv, [&] { return measure(sessions); }, " [SESSIONS]");
}
