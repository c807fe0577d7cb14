#include "http/restinio/request_head.hpp"

#include <catch2/catch.hpp>
#include <malloc.h>

#include <string>
#include <string_view>

using namespace greenroom::http;

namespace {

const head_rules good_key{
  [](std::string_view secret) { return secret == "good"; }, 1000};

// The status for a head that comes in pieces of `size` bytes; 0: it is fine.
int status_of(const std::string& text, std::size_t size) {
  request_head head;
  for (std::size_t at = 0; at < text.size() && !head.done(); at += size)
    if (auto found =
          head.add(std::string_view{text}.substr(at, size), good_key);
        found.refused.status != 0)
      return found.refused.status;
  return head.done() ? 0 : -1;
}

int status_of(const std::string& text) {
  auto status = status_of(text, text.size());
  CHECK(status_of(text, 1) == status);
  CHECK(status_of(text, 7) == status);
  return status;
}

int with_fields(const std::string& fields) {
  return status_of("POST /x HTTP/1.1\r\nHost: x\r\n" + fields + "\r\n");
}

const std::string key = "Authorization: Bearer good\r\n";

} // namespace

TEST_CASE("a head that is in order passes") {
  CHECK(status_of("GET / HTTP/1.1\r\nHost: x\r\n\r\n") == 0);
  CHECK(status_of("\r\nGET / HTTP/1.0\n\n") == 0);
  CHECK(with_fields(key + "Content-Length: 5\r\n") == 0);
  CHECK(with_fields("X-API-Key: good\r\nTransfer-Encoding: chunked\r\n") == 0);
  CHECK(with_fields("Content-Length: 0\r\n") == 0);
  CHECK(status_of("GET / HTTP/1.1\r\n") == -1); // not yet known
}

TEST_CASE("what a long head in pieces needs is given back with it") {
  std::string text = "GET / HTTP/1.1\r\nHost: x\r\n";
  for (int i = 0; i < 4; ++i)
    text += "X: " + std::string(12'000, 'a') + "\r\n";
  text += "\r\n";
  constexpr std::size_t most_of_it = 40'000;
  request_head head;
  const auto before = ::mallinfo2().uordblks;
  head.add(std::string_view{text}.substr(0, text.size() - 2), good_key);
  const auto held = ::mallinfo2().uordblks;
  head.start();
  // A sanitizer's allocator says nothing.
  if (held >= before + most_of_it)
    CHECK(held >= ::mallinfo2().uordblks + most_of_it);
}

TEST_CASE("a body needs a key that is known") {
  for (auto body :
       {"Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"}) {
    CHECK(with_fields(body) == 401);
    CHECK(with_fields(body + std::string{"X-API-Key: bad\r\n"}) == 401);
    CHECK(with_fields(body + std::string{"Authorization: Basic good\r\n"})
          == 401);
    CHECK(with_fields(body + key) == 0);
    CHECK(with_fields(key + body) == 0);
  }
  CHECK(with_fields(key + "Content-Length: 1000\r\n") == 0);
  CHECK(with_fields(key + "Content-Length: 1001\r\n") == 413);
}

TEST_CASE("what RESTinio would close without a word has a status") {
  auto much = std::string(20'000, 'a');
  CHECK(status_of(much) == 400);
  CHECK(status_of("GET /" + much + " HTTP/1.1\r\n\r\n") == 414);
  CHECK(with_fields("X: " + much + "\r\n") == 431);
  std::string many;
  for (int i = 0; i < 97; ++i)
    many += "X: y\r\n";
  CHECK(with_fields(many) == 431);
  std::string large;
  for (int i = 0; i < 10; ++i)
    large += "X: " + std::string(10'000, 'y') + "\r\n";
  CHECK(with_fields(large) == 431);
  CHECK(status_of("BREW /pot HTTP/1.1\r\n\r\n") == 501);
  CHECK(status_of("\x16\x03\x01 tls\r\n\r\n") == 400);
  CHECK(with_fields("no colon\r\n") == 400);
  CHECK(with_fields("Blank : before\r\n") == 400);
  CHECK(with_fields("Content-Length: 5\r\nContent-Length: 6\r\n") == 400);
  CHECK(with_fields("Content-Length: -1\r\n") == 400);
  CHECK(with_fields(key + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n")
        == 400);
  CHECK(with_fields(key + "Transfer-Encoding: gzip, chunked\r\n") == 501);
  CHECK(with_fields(std::string(257, 'x') + ": y\r\n") == 431);
  // Before its line is whole, for RESTinio reads along.
  CHECK(status_of("GET / HTTP/1.1\r\n" + std::string(257, 'x')) == 431);
  CHECK(status_of("GET / HTTP/1.1\r\n" + std::string(256, 'x')) == -1);
  CHECK(status_of("GET / HTTP/1.1\r\nBlank :") == 400);
  CHECK(with_fields(std::string(300, 'x') + " y\r\n") == 431);
  CHECK(with_fields("a b" + std::string(300, 'x') + "\r\n") == 400);
  CHECK(status_of("GET / HTTP/1.1\r\nX: " + std::string(300, 'y')) == -1);
  CHECK(with_fields("Content-Length: 5\r\nContent-Length: 5\r\n") == 400);
  CHECK(with_fields(std::string{"X: a\0b\r\n", 8}) == 400);
  CHECK(with_fields("X: a\tb\r\n") == 0);
  CHECK(status_of("GET /a b HTTP/1.1\r\n\r\n") == 400);
  CHECK(status_of(std::string{"GET /a\0 HTTP/1.1\r\n\r\n", 20}) == 400);
}

TEST_CASE("a head says what of the bytes is its own, and what it expects") {
  request_head head;
  const std::string text = "POST /x HTTP/1.1\r\nEXPECT: 100-Continue\r\n"
                           "X-API-Key: good\r\nContent-Length: 5\r\n\r\n";
  for (std::size_t cut = 0; cut < text.size(); ++cut) {
    INFO(cut);
    head.start();
    CHECK(head.add(std::string_view{text}.substr(0, cut), good_key).taken
          == cut);
    CHECK(head.begun() == (cut > 0));
    CHECK_FALSE(head.done());
    auto rest = text.substr(cut) + "hello";
    CHECK(head.add(rest, good_key).taken == text.size() - cut);
    CHECK(head.done());
    CHECK(head.expects_continue());
    CHECK(head.length() == 5);
    CHECK(head.credential() == "good");
  }
  CHECK(with_fields("Expect: nothing\r\n") == 0);
  CHECK(
    status_of("CONNECT x:1 HTTP/1.1\r\n" + key + "Content-Length: 5\r\n\r\n")
    == 400);
}

TEST_CASE("a refusal is a whole answer") {
  auto text = refusal_text({401, "no \"key\""}, "id-1");
  CHECK(text.starts_with("HTTP/1.1 401 Unauthorized\r\n"));
  CHECK(text.find("X-Request-Id: id-1\r\n") != std::string::npos);
  CHECK(text.find("WWW-Authenticate: Bearer") != std::string::npos);
  CHECK(text.find(R"("code":"UNAUTHORIZED")") != std::string::npos);
  auto body = text.substr(text.find("\r\n\r\n") + 4);
  CHECK(text.find("Content-Length: " + std::to_string(body.size()) + "\r\n")
        != std::string::npos);
}
