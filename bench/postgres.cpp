// What does a node with PostgreSQL cost against one with SQLite?
//
// POST of a session, an exec of `true`, a key made: what writes into the store
// before it answers. Both stores are durable, on the same disk.
#include "bench/support/clock.hpp"
#include "bench/support/node.hpp"
#include "bench/support/report.hpp"
#include "tests/support/postgres_server.hpp"

#include <nlohmann/json.hpp>

using namespace greenroom::bench;

namespace {

constexpr int rounds = 7;
constexpr int creates = 5; // a round
constexpr int keys = 20;
constexpr int commands = 20;

template <class Action>
double median_of(int times, Action action) {
  std::vector<double> all;
  for (int i = 0; i < times; ++i)
    all.push_back(milliseconds_of(action));
  return median(all);
}

class place {
public:
  explicit place(const std::vector<std::string>& settings)
    : server_{options(settings)}, session_(server_.make_session()) {}

  double create() {
    return median_of(creates, [&] { server_.make_session(); });
  }
  double make_key() {
    return median_of(keys, [&] {
      server_.ask("POST", "/keys",
                  {{"name", "bench"}, {"scopes", {"sessions:read"}}});
    });
  }
  double exec() {
    return median_of(commands, [&] { server_.exec(session_, "true"); });
  }

private:
  static node_options options(const std::vector<std::string>& settings) {
    node_options result;
    result.upstream = {1500, 1};
    result.more = settings;
    return result;
  }

  node server_;
  made_session session_;
};

report measure() {
  report result{"postgres",
                "what does PostgreSQL cost a node that is alone?",
                "a node with SQLite",
                "the same with PostgreSQL on this machine",
                {},
                {"Both stores write to disk before they answer."}};
  greenroom::test::postgres_server database{true};
  place embedded{{}};
  place shared{{"storage.url=" + database.make_database()}};
  comparison create{"create, 1,500 files", "ms", "<= 1.3", {}, {}};
  comparison key{"a key made", "ms", "", {}, {}};
  comparison exec{"exec of true", "ms", "", {}, {}};
  for (int i = 0; i < rounds; ++i) {
    create.baseline.push_back(embedded.create());
    create.subject.push_back(shared.create());
    key.baseline.push_back(embedded.make_key());
    key.subject.push_back(shared.make_key());
    exec.baseline.push_back(embedded.exec());
    exec.subject.push_back(shared.exec());
  }
  for (auto* row : {&create, &key, &exec})
    result.rows.push_back(std::move(*row));
  return result;
}

} // namespace

int main(int argc, char** argv) {
  return run(argc, argv, measure);
}
