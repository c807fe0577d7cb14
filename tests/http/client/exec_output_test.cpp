// An exec's bytes from events: each once, whatever is repeated or missing.
#include "http/client/exec_output.hpp"

#include "http/client/follow_exec.hpp"

#include <catch2/catch.hpp>

#include <csignal>
#include <stdexcept>

using namespace greenroom::http::client;
using nlohmann::json;

namespace {

json printed(std::uint64_t offset, const std::string& data,
             const std::string& stream = "stdout") {
  return {{"stream", stream}, {"offset", offset}, {"data", data}};
}

} // namespace

TEST_CASE("an exec's output is shown once where events are repeated") {
  exec_output output;
  CHECK(output.take(printed(0, "abc")).bytes == "abc");
  CHECK(output.take(printed(0, "abc")).bytes.empty());
  CHECK(output.take(printed(1, "bcd")).bytes == "d");
  CHECK(output.take(printed(0, "err", "stderr")).bytes == "err");
  CHECK(output.seen("stdout") == 4);
  CHECK(output.seen("stderr") == 3);
}

TEST_CASE("output that no event shows is fetched first") {
  exec_output output;
  auto part = output.take(printed(5, "fg"));
  CHECK(part.missing == 5);
  CHECK(part.bytes.empty());
  output.fetched("stdout", 5);
  CHECK(output.take(printed(5, "fg")).bytes == "fg");
}

TEST_CASE("output that is no text comes in base64") {
  auto event = printed(0, "AP8=");
  event["encoding"] = "base64";
  CHECK(output_bytes(event) == std::string("\0\xff", 2));
  event["data"] = "not base64!";
  CHECK_THROWS_AS(output_bytes(event), std::invalid_argument);
}

TEST_CASE("the exit code of an exec is the command's, and never made up") {
  CHECK(exit_code_of({{"status", "exited"}, {"exit_code", 7}}) == 7);
  CHECK(exit_code_of({{"status", "signaled"}, {"signal", "KILL"}}) == 137);
  CHECK(exit_code_of({{"status", "signaled"}, {"signal", 2}}) == 130);
  CHECK(exit_code_of({{"status", "canceled"}, {"signal", "SIGTERM"}}) == 143);
  auto by = [](const char* name) {
    return exit_code_of({{"status", "signaled"}, {"signal", name}});
  };
  CHECK(by("RTMIN") == 128 + SIGRTMIN);
  CHECK(by("RTMIN+3") == 128 + SIGRTMIN + 3);
  CHECK(by("32") == 160);
  for (auto unknown : {"RTMIN+", "RTMIN+99", "RTMINX", "65", "-1", "X", ""})
    CHECK(by(unknown) == 143);
  CHECK(exit_code_of({{"status", "timed_out"}}) == 124);
  CHECK(exit_code_of({{"status", "lost"}}) == 125);
  CHECK(exit_code_of({{"status", "exited"}}) == 125);
}
