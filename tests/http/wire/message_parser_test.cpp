// HTTP messages, taken apart: no sockets here.
#include "http/wire/message_parser.hpp"
#include "tests/support/fuzz_effort.hpp"
#include "tests/support/mutations.hpp"

#include <catch2/catch.hpp>

#include <random>

using namespace greenroom;
using namespace greenroom::http::wire;
using namespace greenroom::test;

namespace {

struct parsed {
  message_head head;
  header_list trailers;
  std::string body;
  std::string rest; // of the connection
  bool ended = false;
};

/// Reads one message that comes in pieces of `step` bytes.
parsed parse(const std::string& text, std::size_t step,
             message_kind kind = message_kind::request,
             bool answers_head = false) {
  message_parser parser{kind};
  parser.reset(answers_head);
  parsed result;
  std::string pending;
  std::size_t at = 0;
  while (parser.at() != message_parser::place::end) {
    auto before = parser.at();
    auto fed = parser.feed(pending);
    result.body += fed.body;
    pending.erase(0, fed.taken);
    if (fed.taken != 0 || parser.at() != before)
      continue;
    if (at == text.size()) {
      result.ended = parser.feed_end();
      break;
    }
    pending += text.substr(at, step);
    at = std::min(text.size(), at + step);
  }
  result.head = parser.head();
  result.trailers = parser.trailers();
  result.ended = parser.at() == message_parser::place::end;
  result.rest = pending + text.substr(at);
  return result;
}

int status_of_fault(const std::string& text) {
  try {
    parse(text, 7);
  } catch (const bad_message& e) {
    return e.status();
  }
  return 0;
}

const std::string start = "POST /git/x HTTP/1.1\r\nHost: h\r\n";

} // namespace

TEST_CASE("requests are read however they are cut") {
  const std::string plain = "POST /git/x HTTP/1.1\r\nHost: h\r\n"
                            "AUTHORIZATION: Basic abc\r\nGit-Protocol: v\r\n"
                            "Content-Type: text/x\r\nExpect: 100-Continue\r\n"
                            "Content-Length: 11\r\n\r\nhello world";
  const std::string chunked = "POST /git/x HTTP/1.1\r\nHost: h\r\n"
                              "Authorization: Basic abc\r\nGit-Protocol: v\r\n"
                              "Content-Type: text/x\r\nExpect: 100-continue\r\n"
                              "Transfer-Encoding: chunked\r\n\r\n"
                              "1\r\nh\r\n6;x=y\r\nello w\r\n4\r\norld\r\n"
                              "0\r\nTrailer: t\r\nAuthorization: z\r\n\r\n";
  for (auto& text : {plain, chunked})
    for (std::size_t step = 1; step <= text.size(); ++step) {
      auto got = parse(text + "GET / HTTP/1.1", step);
      REQUIRE(got.ended);
      REQUIRE(got.head.method == "POST");
      REQUIRE(got.head.target == "/git/x");
      REQUIRE(got.head.headers.get("authorization") == "Basic abc");
      REQUIRE(got.head.headers.get("content-type") == "text/x");
      REQUIRE(got.head.headers.get("git-protocol") == "v");
      REQUIRE(got.head.expects_continue());
      REQUIRE(got.body == "hello world");
      REQUIRE(got.rest == "GET / HTTP/1.1");
      REQUIRE(got.head.chunked == (text == chunked));
      REQUIRE(got.trailers.get("trailer") == (text == chunked ? "t" : ""));
    }
}

TEST_CASE("a request without a body ends with its head") {
  auto got = parse("GET /git/x HTTP/1.0\r\n\r\nnext", 1000);
  CHECK(got.ended);
  CHECK(got.head.old);
  CHECK_FALSE(got.head.keep_alive);
  CHECK(got.body.empty());
  CHECK(got.rest == "next");
}

TEST_CASE("a response ends as its framing says") {
  const auto response = message_kind::response;
  const std::string ok = "HTTP/1.1 200 OK\r\n";
  for (std::size_t step = 1; step < 40; ++step) {
    auto sized = parse(ok + "Content-Length: 2\r\n\r\nabc", step, response);
    REQUIRE(sized.body == "ab");
    REQUIRE(sized.rest == "c");
    auto endless = parse(ok + "\r\nabc", step, response);
    REQUIRE(endless.body == "abc");
    REQUIRE(endless.ended);
    REQUIRE_FALSE(endless.head.keep_alive);
    auto cut = parse(ok + "Content-Length: 4\r\n\r\nabc", step, response);
    REQUIRE_FALSE(cut.ended);
    auto head =
      parse(ok + "Content-Length: 9\r\n\r\nHTTP", step, response, true);
    REQUIRE(head.ended);
    REQUIRE(head.head.content_length == 9u);
    REQUIRE(head.rest == "HTTP");
    auto interim =
      parse("HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + ok, step, response);
    REQUIRE(interim.head.status == 103);
    REQUIRE(interim.rest == ok);
  }
}

TEST_CASE("ambiguous and broken requests are refused") {
  CHECK(status_of_fault(start
                        + "Content-Length: 5\r\nTransfer-Encoding: chunked"
                          "\r\n\r\n0\r\n\r\n")
        == 400);
  CHECK(status_of_fault(start
                        + "Transfer-Encoding: chunked\r\nContent-Length: 5"
                          "\r\n\r\n0\r\n\r\n")
        == 400);
  CHECK(status_of_fault(start
                        + "Content-Length: 5\r\nContent-Length: 6\r\n\r\n12345")
        == 400);
  CHECK(status_of_fault(start + "Content-Length: -1\r\n\r\n") == 400);
  CHECK(status_of_fault(start + "Content-Length : 5\r\n\r\n12345") == 400);
  CHECK(status_of_fault(start + "Transfer-Encoding: gzip\r\n\r\n") == 501);
  CHECK(status_of_fault(start + "Transfer-Encoding: gzip, chunked\r\n\r\n")
        == 501);
  CHECK(
    status_of_fault(start + "Transfer-Encoding: chunked\r\n\r\nxyz\r\nhello")
    == 400);
  CHECK(status_of_fault(start + "Host: other\r\n\r\n") == 400);
  CHECK(status_of_fault("GET / HTTP/1.1\r\n\r\n") == 400);
  CHECK(status_of_fault("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n")
        == 400);
  CHECK(status_of_fault(start + "Expect: magic\r\n\r\n") == 417);
  CHECK(status_of_fault("\x16\x03\x01 no HTTP at all") == 400);
  CHECK(status_of_fault(start + "X: " + std::string(2 * max_head, 'x')) == 431);
  CHECK(status_of_fault("GET /" + std::string(2 * max_head, 'x')) == 414);
}

TEST_CASE(
  "a chunked body ends that comes byte by byte, whatever it begins with") {
  for (std::string body : {"0\r\n\r\n", "00\r\n\r\n", "0\r\nA: b\r\n\r\n",
                           "1\r\n0\r\n0\r\n\r\n", "01\r\n0\r\n0\r\n\r\n"}) {
    INFO(body);
    auto whole =
      parse(start + "Transfer-Encoding: chunked\r\n\r\n" + body + "rest", 1);
    CHECK(whole.ended);
    CHECK(whole.body == (body.find('1') == body.npos ? "" : "0"));
  }
}

TEST_CASE("no bytes make the parser of HTTP do more than refuse") {
  fuzz_effort effort{5'000};
  std::mt19937 random{effort.seed()};
  const std::vector<std::string> seeds{
    start + "Content-Length: 11\r\n\r\nhello world",
    start + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n",
    start + "Transfer-Encoding: chunked\r\n\r\n5;a=\"b\"\r\nhello\r\n0\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade, x\r\nUpgrade: y\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: "
    "chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "HTTP/1.0 204 \r\n\r\n",
    std::string(100, '\0')};
  const std::string alphabet =
    "0123afx \t,;:=\"\r\n\r\n\0\1\x7f\xffHTGE/1.Content";
  while (effort.next()) {
    auto bytes = mutated(seeds[random() % seeds.size()], random, alphabet);
    auto kind =
      random() % 2 == 0 ? message_kind::request : message_kind::response;
    try {
      auto step = 1 + random() % 40;
      auto got = parse(bytes, step, kind);
      REQUIRE(got.body.size() + got.rest.size() <= bytes.size());
      // The same whatever the pieces.
      auto whole = parse(bytes, bytes.size(), kind);
      REQUIRE(whole.ended == got.ended);
      REQUIRE(whole.body == got.body);
      if (whole.ended)
        REQUIRE(whole.head.target == got.head.target);
    } catch (const bad_message& e) {
      REQUIRE(e.status() >= 400);
    }
  }
}
