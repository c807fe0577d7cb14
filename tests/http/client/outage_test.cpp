// A server that was there and is away: how long it is waited for, and what is
// said in the end.
#include "http/client/api_client.hpp"
#include "http/client/errors.hpp"
#include "runtime/base/fd.hpp"
#include "tests/support/http_receiver.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include <catch2/catch.hpp>

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <functional>
#include <string>
#include <utility>
#include <vector>

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

constexpr const char* busy = "HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n";

// Does it beside a server that is there, but for /away.
void beside_server(
  const std::string& answer_when_away,
  const std::function<asio::awaitable<void>(api_client&)>& what) {
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
  std::exception_ptr failure;
  asio::co_spawn(io, what(api), [&](const std::exception_ptr& why) {
    failure = why;
    io.stop();
  });
  io.run();
  if (failure)
    std::rethrow_exception(failure);
}

std::string problem_of(const std::string& answer_when_away) {
  std::string problem;
  beside_server(answer_when_away,
                [&](api_client& api) { return ask_twice(api, problem); });
  return problem;
}

/// Keeps what is said on standard error while it lives.
class kept_words {
public:
  kept_words() {
    ::dup2(file_.get(), STDERR_FILENO);
  }
  kept_words(const kept_words&) = delete;
  kept_words& operator=(const kept_words&) = delete;
  ~kept_words() {
    ::dup2(before_.get(), STDERR_FILENO);
  }

  int lines() const {
    char text[4096];
    const auto size = ::pread(file_.get(), text, sizeof text, 0);
    return static_cast<int>(std::count(text, text + size, '\n'));
  }

private:
  greenroom::unique_fd file_{::memfd_create("stderr", MFD_CLOEXEC)};
  greenroom::unique_fd before_{::dup(STDERR_FILENO)};
};

// How many lines are said by who is refused between two looks at how long it
// has waited, and by who is answered then and looks a third time.
asio::awaitable<void> look_again(api_client& api, std::vector<int>& lines) {
  const auto long_ago =
    std::chrono::steady_clock::now() - std::chrono::seconds{10};
  const kept_words said;
  api.wait_for_long({});
  auto look = [&] {
    api.may_wait(long_ago);
    lines.push_back(said.lines());
  };
  look();
  try {
    request away;
    away.target = "/away";
    co_await api.open(std::move(away));
  } catch (const api_error&) {
    look();
  }
  std::string target = "/here";
  co_await api.get(std::move(target));
  look();
}

} // namespace

TEST_CASE("who has waited for a server in vain is told the way back") {
  CHECK_THAT(problem_of(""),
             Catch::Contains("gave no answer")
               && Catch::EndsWith("`greenroom attach` goes on"));
  CHECK_THAT(problem_of(busy),
             Catch::Contains("answers 503")
               && Catch::EndsWith("`greenroom attach` goes on"));
}

TEST_CASE(
  "that a server is waited for is said once, whatever a proxy answers") {
  std::vector<int> lines;
  beside_server(busy, [&](api_client& api) { return look_again(api, lines); });
  CHECK(lines == std::vector<int>{1, 1, 2});
}

TEST_CASE("a proxy that has waited in vain has a server that is away") {
  const std::string late{"HTTP/1.1 504 X\r\nContent-Length: 0\r\n\r\n"};
  CHECK_THAT(problem_of(late), Catch::Contains("answers 504"));
}
