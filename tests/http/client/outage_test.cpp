// A server that was there and is away: how long it is waited for, and what is
// said in the end.
#include "http/client/api_client.hpp"
#include "tests/support/http_receiver.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <catch2/catch.hpp>

#include <exception>
#include <string>

using namespace greenroom::http::client;
using greenroom::test::http_receiver;
using greenroom::test::received_request;
namespace asio = boost::asio;

namespace {

std::string message_of(const unreachable_server& e) {
  return std::string{e.what()} + "; " + e.remediation();
}

// Asks once where the server is there and then until it is given up.
asio::awaitable<void> ask_twice(api_client& api, std::string& problem) {
  std::string target = "/here";
  co_await api.get(std::move(target));
  api.wait_for_long("`greenroom attach` goes on", std::chrono::seconds{0});
  try {
    target = "/away";
    co_await api.get(std::move(target));
  } catch (const unreachable_server& e) {
    problem = message_of(e);
  }
}

std::string problem_of(const std::string& answer_when_away) {
  const http_receiver server{[&](const received_request& request) {
    if (request.line.find("/away") != std::string::npos)
      return answer_when_away;
    return std::string{"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n"
                       "{\"data\": {}}"};
  }};
  asio::io_context io;
  server_choice choice;
  choice.at = parse_endpoint(server.url(""));
  api_client api{io, choice};
  std::string problem;
  std::exception_ptr failure;
  asio::co_spawn(io, ask_twice(api, problem),
                 [&](const std::exception_ptr& why) {
                   failure = why;
                   io.stop();
                 });
  io.run();
  if (failure)
    std::rethrow_exception(failure);
  return problem;
}

} // namespace

TEST_CASE("who has waited for a server in vain is told the way back") {
  CHECK_THAT(problem_of(""),
             Catch::Contains("gave no answer")
               && Catch::EndsWith("`greenroom attach` goes on"));
  CHECK_THAT(problem_of("HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n"),
             Catch::Contains("answers 503")
               && Catch::EndsWith("`greenroom attach` goes on"));
}
