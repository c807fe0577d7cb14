// Does a node with thousands of sessions serve one as fast as a node with ten?
//
// A command, a session made, a session read: on a node where 10,000 sessions
// live besides, against one with ten. Both run all the time and take turns.
#include "bench/support/clock.hpp"
#include "bench/support/crowd.hpp"
#include "bench/support/load.hpp"
#include "bench/support/report.hpp"

#include <nlohmann/json.hpp>

#include <stdexcept>

using namespace greenroom::bench;

namespace {

constexpr int rounds = 7;
constexpr int commands = 50;
constexpr int creates = 5;
constexpr std::size_t connections = 32;
constexpr std::chrono::milliseconds one_round{500};

class place {
public:
  explicit place(int live) {
    server_.ask("POST", "/projects/crowd/sessions", {{"new_branch", "first"}});
    server_.stop();
    add_crowd(server_, {live - 1, 0});
    server_.start();
    session_ = server_.make_session();
    server_.exec(session_, "true");
  }

  double command() {
    connection client{server_.port()};
    const auto request = server_.request(
      "POST", session_.path + "/exec",
      nlohmann::json{{"argv", {"true"}}, {"wait", "10s"}}.dump());
    std::vector<double> times;
    for (int i = 0; i < commands; ++i)
      times.push_back(milliseconds_of([&] {
        if (auto answer = client.ask(request); answer.status != 200)
          throw std::runtime_error("an exec of true: " + answer.body);
      }));
    return median(times);
  }

  double create() {
    std::vector<double> times;
    for (int i = 0; i < creates; ++i)
      times.push_back(milliseconds_of([&] { server_.make_session(); }));
    return median(times);
  }

  /// Milliseconds for each of many at once.
  double get() {
    http_load load{server_.port(), connections,
                   server_.request("GET", session_.path)};
    return 1e3 / load.run(one_round);
  }

private:
  node server_;
  made_session session_;
};

report measure() {
  report result{
    "growth",
    "does a node with thousands of sessions serve one as fast?",
    "a node with ten live sessions",
    "a node with 10,000",
    {},
    {"The 10,000 have no commands; those that are asked are made besides."}};
  place few{10};
  place many{10'000};
  comparison command{"exec of true", "ms", "<= 1.15", {}, {}};
  comparison create{"create", "ms", "<= 1.15", {}, {}};
  comparison get{"GET of a session", "ms", "<= 1.15", {}, {}};
  few.create();
  many.create();
  for (int i = 0; i < rounds; ++i) {
    command.baseline.push_back(few.command());
    command.subject.push_back(many.command());
    create.baseline.push_back(few.create());
    create.subject.push_back(many.create());
    get.baseline.push_back(few.get());
    get.subject.push_back(many.get());
  }
  result.rows = {std::move(command), std::move(create), std::move(get)};
  return result;
}

} // namespace

int main(int argc, char** argv) {
  return run(argc, argv, measure);
}
