// The runner's messages and files as text.
#include "runtime/runner/protocol/json_fields.hpp"
#include "runtime/runner/protocol/protocol.hpp"
#include "runtime/runner/protocol/session_files.hpp"

#include <catch2/catch.hpp>

using namespace greenroom;
using namespace greenroom::runner;

namespace {

std::string again(const node_message& message) {
  auto text = encode(message);
  auto [decoded, problem, unknown] = decode_node_message(text);
  INFO(problem);
  REQUIRE(decoded);
  REQUIRE(decoded->index() == message.index());
  REQUIRE(encode(*decoded) == text);
  return text;
}

std::string again(const runner_message& message) {
  auto text = encode(message);
  auto [decoded, problem, unknown] = decode_runner_message(text);
  INFO(problem);
  REQUIRE(decoded);
  REQUIRE(decoded->index() == message.index());
  REQUIRE(encode(*decoded) == text);
  return text;
}

std::string problem(const std::string& text) {
  auto result = decode_node_message(text);
  REQUIRE_FALSE(result.message);
  return result.problem;
}

} // namespace

TEST_CASE("every message of the node reads back as it was written") {
  CHECK(again(hello{1, 2, "abc"})
        == R"({"highest":2,"nonce":"abc","op":"hello","version":1})");
  CHECK(again(runner::connect{7, 8080})
        == R"({"ask":7,"op":"connect","port":8080})");
  CHECK(again(runner::spawn{"e-1"}) == R"({"exec":"e-1","op":"spawn"})");
  CHECK(again(send_signal{"e", 15})
        == R"({"exec":"e","op":"signal","signal":15})");
  CHECK(again(cancel{"e"}) == R"({"exec":"e","op":"cancel"})");
  CHECK(again(cancel{"e", "by Ada"})
        == R"({"exec":"e","op":"cancel","reason":"by Ada"})");
  CHECK(again(open_input{"e"}) == R"({"exec":"e","op":"open_input"})");
  CHECK(again(close_input{"e"}) == R"({"exec":"e","op":"close_input"})");
  CHECK(again(stop{}) == R"({"op":"stop"})");
  CHECK(again(rest{}) == R"({"op":"rest"})");
}

TEST_CASE("every message of the runner reads back as it was written") {
  CHECK(again(hello_reply{1, 42, "n", {{"a", 7, 8}}})
        == R"({"execs":[{"exec":"a","records":8,"time":7}],"nonce":"n",)"
           R"("op":"hello","pid":42,"version":1})");
  again(hello_reply{1, 42, "n", {}});
  again(started{"e", 1'700'000'000'000});
  again(refused{"e", "cwd \"x\" does not exist in the checkout"});
  again(output_available{"e", 3});
  again(exited{"e", {exit_status::timed_out, 0, 9, 5, 6, 7, true, 8}});
  CHECK(again(input{"e"}) == R"({"exec":"e","op":"input"})");
  again(no_input{"e", "exec e does not run"});
  again(runner::error{"no"});
  CHECK(again(connected{7}) == R"({"ask":7,"op":"connected"})");
  again(not_connected{7, "nothing listens"});
  CHECK(again(ports{{{80, "::1", "nginx", "e"}}})
        == R"({"op":"ports","ports":[{"address":"::1","exec":"e","port":80,)"
           R"("process":"nginx"}]})");
  again(ports{});
  again(unsupported{"dance"});
  CHECK(again(runner::idle{}) == R"({"op":"idle"})");
  CHECK(again(awake{}) == R"({"op":"awake"})");
}

TEST_CASE("a reason that is no UTF-8 can be told all the same") {
  again(refused{"e", "command not found: \xff\xfe"});
}

TEST_CASE("what is no message is refused with the reason") {
  CHECK(problem("") == "not a JSON object");
  CHECK(problem("[]") == "not a JSON object");
  CHECK(problem("{}") == "op is missing");
  CHECK(problem(R"({"op":1})") == "op is no string");
  CHECK(problem(R"({"op":"grown","exec":"e","records":1})")
        == "op is unknown: \"grown\"");
  CHECK(problem(R"({"op":"spawn"})") == "exec is missing");
  CHECK(problem(R"({"op":"spawn","exec":"../x"})") == "exec is no exec id");
  CHECK(problem(R"({"op":"spawn","exec":""})") == "exec is no exec id");
  CHECK(problem(R"({"op":"signal","exec":"e","signal":0})")
        == "signal is out of range");
  CHECK(problem(R"({"op":"signal","exec":"e","signal":1.5})")
        == "signal is no integer");
  CHECK(problem(R"({"op":"hello","version":-1,"nonce":"n"})")
        == "version is out of range");
  CHECK(problem(R"({"op":"hello","version":18446744073709551615,"nonce":""})")
        == "version is no integer");
}

TEST_CASE("an exit record reads back as it was written") {
  exit_record record{exit_status::signaled, 0, 11, 1, 2, 3, true, 4};
  CHECK(parse_exit_record(to_json(record)) == record);
  exit_record lost{exit_status::lost, 0, 0, 1, 2, 3, false, 4, "a reason"};
  CHECK(parse_exit_record(to_json(lost)) == lost);
  CHECK_FALSE(parse_exit_record(""));
  CHECK_FALSE(parse_exit_record(R"({"status":"running"})"));
  auto text = to_json(record);
  text.replace(text.find("signaled"), 8, "sleeping");
  CHECK_FALSE(parse_exit_record(text));
}

TEST_CASE("a command's spec reads back as it was written") {
  command_spec spec{
    {"sh", "-c", "echo \"ü\""}, "a/b", {{"K", "v=w"}}, 5, 6, true, 24, 80};
  auto back = parse_command_spec(to_json(spec));
  CHECK(back.argv == spec.argv);
  CHECK(back.cwd == spec.cwd);
  CHECK(back.env == spec.env);
  CHECK(back.timeout == 5);
  CHECK(back.max_output == 6);
  CHECK(back.stdin_open);
  CHECK(back.rows == 24);
  CHECK(back.cols == 80);
  CHECK_FALSE(back.first_input);
  for (auto ends : {false, true}) {
    spec.first_input = true;
    spec.input_ends = ends;
    back = parse_command_spec(to_json(spec));
    CHECK(back.first_input);
    CHECK(back.input_ends == ends);
  }
  spec.env = {{"A=B", "x"}};
  CHECK_THROWS_AS(parse_command_spec(to_json(spec)), bad_field);
  spec.env = {{"A", std::string{"x\0y", 3}}};
  CHECK_THROWS_AS(parse_command_spec(to_json(spec)), bad_field);
}

TEST_CASE("a runner's configuration reads back as it was written") {
  runner_config config{"s", "n", 7, "checkout"};
  CHECK_FALSE(parse_runner_config(to_json(config)).sandbox);
  config.sandbox = sandbox_plan{{"bwrap", "--proc", "/proc"},
                                "/seccomp",
                                "/run/greenroom-runner",
                                "/workspace",
                                true,
                                {"--enable-seccomp"},
                                {"/sys/fs/cgroup/a"},
                                {{"nofile", 1024}},
                                true};
  CHECK(parse_runner_config(to_json(config)).idle == 0);
  config.idle = 8;
  auto back = parse_runner_config(to_json(config));
  CHECK(back.kill_grace == 7);
  CHECK(back.sandbox->host_network);
  CHECK(back.idle == 8);
  REQUIRE(back.sandbox);
  CHECK(back.sandbox->argv == config.sandbox->argv);
  CHECK(back.sandbox->seccomp_file == "/seccomp");
  CHECK(back.sandbox->runner == "/run/greenroom-runner");
  CHECK(back.sandbox->checkout == "/workspace");
  CHECK(back.sandbox->nat);
  CHECK(back.sandbox->nat_options == config.sandbox->nat_options);
  CHECK(back.sandbox->cgroups == config.sandbox->cgroups);
  CHECK(back.sandbox->rlimits == config.sandbox->rlimits);
  config.sandbox->argv.clear();
  CHECK_THROWS_AS(parse_runner_config(to_json(config)), bad_field);
}
