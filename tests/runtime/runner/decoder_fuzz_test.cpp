// Random texts for everything that reads what another program wrote.
#include "runtime/runner/outer/listening_sockets.hpp"
#include "runtime/runner/protocol/exit_record.hpp"
#include "runtime/runner/protocol/json_fields.hpp"
#include "runtime/runner/protocol/protocol.hpp"
#include "runtime/runner/protocol/session_files.hpp"
#include "tests/support/fuzz_effort.hpp"

#include <catch2/catch.hpp>

#include <functional>
#include <random>
#include <vector>

using namespace greenroom;
using namespace greenroom::runner;

namespace {

class mutator {
public:
  explicit mutator(std::vector<std::string> seeds)
    : seeds_(std::move(seeds)), random_(effort_.seed()) {}

  bool goes_on() {
    return effort_.next();
  }

  // A seed with some bytes changed, doubled or cut out, or pieces of two.
  std::string next() {
    auto text = pick_seed();
    for (auto changes = pick(5); changes > 0 && !text.empty(); --changes) {
      auto at = pick(text.size());
      auto length = std::min(pick(16), text.size() - at);
      switch (pick(6)) {
        case 0:
          text[at] = static_cast<char>(pick(256));
          break;
        case 1:
          text.erase(at, length);
          break;
        case 2:
          text.insert(at, text.substr(at, length));
          break;
        case 3:
          text = text.substr(0, at) + pick_seed().substr(pick(8));
          break;
        case 4:
          text[at] = "{}[]\",:0-\\"[pick(10)];
          break;
        default:
          text.insert(at, std::to_string(random_() * 1'000'003ull));
          break;
      }
    }
    return text;
  }

private:
  std::size_t pick(std::size_t below) {
    return random_() % below;
  }

  const std::string& pick_seed() {
    return seeds_[pick(seeds_.size())];
  }

  std::vector<std::string> seeds_;
  test::fuzz_effort effort_{4'000};
  std::minstd_rand random_;
};

// Both kinds have to come up, or nothing is tested.
struct tally {
  int all = 0;
  int good = 0;

  void check() const {
    CHECK(good > all / 20);
    CHECK(good < all);
  }
};

// Every text is a message, which then reads back the same, or has a problem
// that can be told.
template <class Message>
void check(mutator texts, decoded<Message> (*decode)(std::string_view)) {
  tally seen;
  for (; texts.goes_on(); ++seen.all) {
    auto text = texts.next();
    INFO(text);
    auto [message, problem, unknown] = decode(text);
    REQUIRE(message.has_value() == problem.empty());
    REQUIRE((unknown.empty() || !message));
    if (!message)
      continue;
    ++seen.good;
    auto again = encode(*message);
    auto back = decode(again).message;
    REQUIRE(back);
    REQUIRE(back->index() == message->index());
    REQUIRE(encode(*back) == again);
  }
  seen.check();
}

} // namespace

TEST_CASE("no text confuses the reader of a node's messages") {
  check(mutator{{encode(node_message{hello{1, 2, "nonce"}}),
                 encode(node_message{spawn{"e-1"}}),
                 encode(node_message{send_signal{"e-1", 15}}),
                 encode(node_message{cancel{"e-1"}}),
                 encode(node_message{open_input{"e-1"}}),
                 encode(node_message{close_input{"e-1"}}),
                 encode(node_message{runner::connect{7, 8080}}),
                 encode(node_message{stop{}}), std::string(2'000, '[')}},
        decode_node_message);
}

TEST_CASE("no text confuses the reader of a runner's messages") {
  check(mutator{{encode(runner_message{hello_reply{1, 42, "n", {{"a", 7, 8}}}}),
                 encode(runner_message{started{"e", 1'700'000'000'000}}),
                 encode(runner_message{refused{"e", "no"}}),
                 encode(runner_message{output_available{"e", 3}}),
                 encode(runner_message{exited{
                   "e", {exit_status::timed_out, 0, 9, 5, 6, 7, true, 8}}}),
                 encode(runner_message{input{"e"}}),
                 encode(runner_message{no_input{"e", "no"}}),
                 encode(runner_message{runner::error{"no"}}),
                 encode(runner_message{connected{7}}),
                 encode(runner_message{not_connected{7, "no"}}),
                 encode(runner_message{
                   ports{{{80, "::1", "nginx", "e"}, {1, "::", "", ""}}}}),
                 encode(runner_message{unsupported{"x"}})}},
        decode_runner_message);
}

TEST_CASE("no text confuses the reader of the kernel's tables of sockets") {
  mutator texts{
    {"   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 "
     "00000000  1000        0 4711 1 0000000000000000 100 0 0 10 0",
     "   0: 00000000000000000000000001000000:0050 "
     "00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 "
     "00000000  1000        0 12 1 0000000000000000 100 0 0 10 0"}};
  tally seen;
  for (; texts.goes_on(); ++seen.all) {
    auto text = texts.next();
    INFO(text);
    if (auto socket = parse_listening(text)) {
      REQUIRE_FALSE(socket->address.empty());
      ++seen.good;
    }
  }
  seen.check();
}

TEST_CASE("no text confuses the readers of the session's files") {
  runner_config config{"s", "n", 5, "checkout", sandbox_plan{}};
  config.sandbox->argv = {"bwrap"};
  config.sandbox->rlimits = {{"nofile", 1}};
  command_spec spec{{"sh"}, "a", {{"K", "v"}}, 5, 6, true, 24, 80};
  mutator texts{{to_json(config), to_json(spec),
                 to_json(exit_record{exit_status::exited, 1, 0, 2, 3, 4})}};
  auto stands = [](auto parse, const std::string& text) {
    try {
      auto first = to_json(parse(text));
      REQUIRE(to_json(parse(first)) == first);
      return 1;
    } catch (const bad_field& problem) {
      REQUIRE(*problem.what() != '\0');
      return 0;
    }
  };
  tally seen;
  for (; texts.goes_on(); ++seen.all) {
    auto text = texts.next();
    INFO(text);
    seen.good += stands(parse_runner_config, text);
    seen.good += stands(parse_command_spec, text);
    if (auto record = parse_exit_record(text)) {
      REQUIRE(parse_exit_record(to_json(*record)) == record);
      ++seen.good;
    }
  }
  seen.check();
}
