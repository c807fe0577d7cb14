// How much of bare RESTinio's rate is left when a session is read?
//
// GET of a session with a key: the key is looked up, the session's actor asked,
// the answer wrapped, the request logged. Against a handler that answers with a
// constant. The same client for both, one after the other, on the machine that
// they share with it.
#include "bench/support/load.hpp"
#include "bench/support/node.hpp"
#include "bench/support/report.hpp"

using namespace greenroom::bench;

namespace {

constexpr int rounds = 7;
constexpr std::size_t connections = 64;
constexpr std::chrono::milliseconds warm_up{300};
constexpr std::chrono::milliseconds one_round{500};

struct loaded_node {
  explicit loaded_node(const node_options& options)
    : server(options), load(server.port(), connections,
                            server.request("GET", server.make_session().path)) {
  }
  node server;
  http_load load;
};

void measure_threads(unsigned threads, report& to) {
  child hello{{program("bench_hello"), std::to_string(threads)}};
  http_load bare{static_cast<std::uint16_t>(std::stoi(hello.first_line())),
                 connections, request_text("GET", "/", {})};
  loaded_node logging{{"info", threads}};
  loaded_node silent{{"warn", threads}};
  auto name =
    std::to_string(threads) + (threads == 1 ? " HTTP thread" : " HTTP threads");
  const auto* aim = threads == 1 ? ">= 0.85" : ">= 0.95";
  comparison with_log{name + ", log at info", "/s", aim, {}, {}};
  comparison without{name + ", log at warn", "/s", "", {}, {}};
  for (auto load : {&bare, &logging.load, &silent.load})
    load->run(warm_up);
  for (int i = 0; i < rounds; ++i) {
    auto base = bare.run(one_round);
    with_log.baseline.push_back(base);
    with_log.subject.push_back(logging.load.run(one_round));
    without.baseline.push_back(base);
    without.subject.push_back(silent.load.run(one_round));
  }
  to.rows.push_back(std::move(with_log));
  to.rows.push_back(std::move(without));
}

report measure() {
  report result{
    "get_session",
    "how much of bare RESTinio's rate is left when a session is read?",
    "a handler that answers \"Hello, World!\", with as many threads",
    "GET /projects/{id}/sessions/{sid} with a key",
    {},
    {"64 connections from one thread, each with one request in flight; at info "
     "the server logs a line for each."}};
  measure_threads(1, result);
  measure_threads(2, result);
  return result;
}

} // namespace

int main(int argc, char** argv) {
  return run(argc, argv, measure);
}
