// What leaves to receivers that others name: where to, and how long that may
// take.
#include "http/outgoing/sender.hpp"

#include "tests/support/eventually.hpp"
#include "tests/support/http_receiver.hpp"
#include "tests/support/sockets.hpp"

#include <catch2/catch.hpp>

#include <chrono>
#include <future>
#include <memory>
#include <string>

using namespace greenroom;
using namespace greenroom::http;
using namespace greenroom::test;
using Catch::Contains;

namespace {

outgoing_sender::options
loopback(std::chrono::milliseconds limit = std::chrono::seconds{20}) {
  outgoing_sender::options result;
  result.allowed.push_back(*parse_network("127.0.0.0/8"));
  result.timeout = limit;
  return result;
}

std::future<outgoing_result> begin(outgoing_sender& sender,
                                   const std::string& url,
                                   bool of_session = false) {
  auto result = std::make_shared<std::promise<outgoing_result>>();
  outgoing_request request;
  request.to = parse_webhook_url(url);
  request.of_session = of_session;
  request.headers = {{"webhook-id", "some"}};
  request.body = R"({"type":"webhook.test"})";
  sender.post(std::move(request),
              [result](outgoing_result r) { result->set_value(std::move(r)); });
  return result->get_future();
}

attempt_outcome outcome(outgoing_sender& sender, const std::string& url,
                        bool of_session = false) {
  auto result = begin(sender, url, of_session);
  REQUIRE(result.wait_for(greenroom::test::timeout)
          == std::future_status::ready);
  return result.get().outcome;
}

http_receiver::answering always(const std::string& answer) {
  return [answer](const received_request&) { return answer; };
}

} // namespace

TEST_CASE("a request arrives as it was made") {
  http_receiver receiver{always(http_receiver::answer(200))};
  outgoing_sender sender{loopback()};
  auto result = outcome(sender, receiver.url("/a?b=c"));
  CHECK(result.status == 200);
  CHECK(result.error.empty());
  auto got = receiver.requests();
  REQUIRE(got.size() == 1);
  CHECK(got[0].line == "POST /a?b=c HTTP/1.1");
  CHECK(got[0].headers["webhook-id"] == "some");
  CHECK(got[0].headers["content-type"] == "application/json");
  CHECK(got[0].headers["host"]
        == "127.0.0.1:" + std::to_string(receiver.port()));
  CHECK(got[0].body == R"({"type":"webhook.test"})");
}

TEST_CASE("a name is looked up, and its address is what counts") {
  http_receiver receiver{always(http_receiver::answer(204))};
  auto port = std::to_string(receiver.port());
  outgoing_sender open{loopback()};
  CHECK(outcome(open, "http://localhost:" + port + "/").status == 204);
  outgoing_sender strict{outgoing_sender::options{}};
  // Whatever way it is written.
  for (std::string host : {"localhost", "127.0.0.1", "127.1", "2130706433",
                           "0x7f.0.0.1", "[::ffff:127.0.0.1]", "0.0.0.0"}) {
    INFO(host);
    auto result = outcome(strict, "http://" + host + ":" + port + "/");
    CHECK(result.status == 0);
    CHECK_THAT(result.error,
               Contains("where webhooks may not lead; an administrator allows "
                        "it by webhooks.allow_networks"));
  }
  CHECK(receiver.connections() == 1);
}

TEST_CASE("what is allowed to receivers of projects is not to those of "
          "sessions") {
  http_receiver receiver{always(http_receiver::answer(200))};
  outgoing_sender of_projects{loopback()};
  CHECK(outcome(of_projects, receiver.url("/")).status == 200);
  auto refused = outcome(of_projects, receiver.url("/"), true);
  CHECK(refused.status == 0);
  CHECK_THAT(refused.error,
             Contains("where webhooks may not lead; an administrator allows it "
                      "by webhooks.allow_networks_of_sessions"));
  CHECK(receiver.connections() == 1);
  outgoing_sender::options options;
  options.allowed_of_sessions.push_back(*parse_network("127.0.0.0/8"));
  outgoing_sender of_sessions{std::move(options)};
  CHECK(outcome(of_sessions, receiver.url("/"), true).status == 200);
  CHECK(outcome(of_sessions, receiver.url("/")).status == 0);
  CHECK(receiver.connections() == 2);
}

TEST_CASE("of several addresses only those that are allowed are used") {
  const std::vector<ip_network> none;
  CHECK(allowed_addresses("h", {"10.0.0.1", "93.184.216.34", "::1"}, none)
        == std::vector<std::string>{"93.184.216.34"});
  CHECK_THROWS_WITH(allowed_addresses("h", {"10.0.0.1", "::1"}, none),
                    "h is 10.0.0.1, a private address, where webhooks may not "
                    "lead; an administrator allows it by "
                    "webhooks.allow_networks");
  CHECK_THROWS_WITH(allowed_addresses("h", {"fe80::1%eth0"}, none),
                    Contains("an address of one link"));
}

TEST_CASE("interim answers do not take the place of one") {
  std::string interim;
  for (int i = 0; i < 3; ++i)
    interim += "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
  outgoing_sender sender{loopback()};
  http_receiver some{always(interim + http_receiver::answer(200))};
  CHECK(outcome(sender, some.url()).status == 200);
  for (int i = 0; i < 6; ++i)
    interim += interim;
  http_receiver endless{always(interim)};
  auto result = outcome(sender, endless.url());
  CHECK(result.status == 0);
  CHECK_THAT(result.error, Contains("interim answers only"));
}

TEST_CASE("no redirect is followed") {
  http_receiver inner{always(http_receiver::answer(200))};
  http_receiver receiver{
    always(http_receiver::answer(302, "Location: " + inner.url() + "\r\n"))};
  outgoing_sender sender{loopback()};
  auto result = outcome(sender, receiver.url());
  CHECK(result.status == 302);
  CHECK(result.error
        == "the receiver answered 302, and redirects are not followed");
  CHECK(inner.connections() == 0);
}

TEST_CASE("what goes wrong is said") {
  outgoing_sender sender{loopback()};
  CHECK(
    outcome(sender, "http://127.0.0.1:" + std::to_string(unused_port()) + "/")
      .error
    == "Connection refused");
  CHECK_THAT(outcome(sender, "http://name.invalid/").error,
             Contains("the name name.invalid cannot be looked up"));
  http_receiver closing{always("")};
  CHECK(outcome(sender, closing.url()).error
        == "the receiver hung up without an answer");
  http_receiver babbling{always("SSH-2.0-nonsense\r\n\r\n")};
  CHECK_THAT(outcome(sender, babbling.url()).error,
             Contains("the receiver does not speak HTTP"));
  http_receiver busy{always(http_receiver::answer(429, "Retry-After: 17\r\n"))};
  auto later = outcome(sender, busy.url());
  CHECK(later.status == 429);
  CHECK(later.retry_after == 17'000);
}

TEST_CASE("an answer's head is enough, however much or little follows") {
  outgoing_sender sender{loopback()};
  http_receiver endless{
    always("HTTP/1.1 200 OK\r\n\r\n" + std::string(1 << 20, 'x'))};
  CHECK(outcome(sender, endless.url()).status == 200);
  http_receiver cut{always("HTTP/1.1 201 OK\r\nContent-Length: 100\r\n\r\nx")};
  CHECK(outcome(sender, cut.url()).status == 201);
}

TEST_CASE("one that does not answer holds up nobody, and has its time") {
  http_receiver silent{always(http_receiver::never)};
  http_receiver quick{always(http_receiver::answer(200))};
  outgoing_sender sender{loopback(std::chrono::seconds{5})};
  std::vector<std::future<outgoing_result>> waiting;
  for (int i = 0; i < 30; ++i)
    waiting.push_back(begin(sender, silent.url()));
  CHECK(outcome(sender, quick.url()).status == 200);
  for (auto& one : waiting) {
    REQUIRE(one.wait_for(greenroom::test::timeout)
            == std::future_status::ready);
    auto result = one.get();
    CHECK(result.outcome.error == "the receiver did not answer in time");
    CHECK(result.took >= 4'500);
  }
}

TEST_CASE("what is under way when the sender stops is dropped") {
  http_receiver silent{always(http_receiver::never)};
  auto sender = std::make_unique<outgoing_sender>(loopback());
  auto result = begin(*sender, silent.url());
  CHECK(eventually([&] { return silent.requests().size() == 1; }));
  sender->stop();
  CHECK_THROWS_AS(result.get(), std::future_error);
  auto late = begin(*sender, silent.url());
  CHECK_THROWS_AS(late.get(), std::future_error);
}

TEST_CASE("a look-up may outlast the sender that asked for it") {
  struct teller {
    std::promise<void> gone;
    ~teller() {
      gone.set_value();
    }
  };
  auto told = std::make_shared<teller>();
  auto gone = told->gone.get_future();
  std::promise<void> asked;
  std::promise<void> answer;
  auto options = loopback();
  options.resolver = [&asked, told,
                      until = answer.get_future().share()](const std::string&) {
    asked.set_value();
    until.wait();
    return name_lookups::found{{"127.0.0.1"}, {}};
  };
  told.reset();
  auto sender = std::make_unique<outgoing_sender>(std::move(options));
  auto result = begin(*sender, "http://slow.example/");
  REQUIRE(asked.get_future().wait_for(greenroom::test::timeout)
          == std::future_status::ready);
  sender.reset();
  CHECK_THROWS_AS(result.get(), std::future_error);
  answer.set_value();
  // The threads have let go of all that they had.
  CHECK(gone.wait_for(greenroom::test::timeout) == std::future_status::ready);
}
