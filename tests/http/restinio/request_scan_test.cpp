#include "http/restinio/request_scan.hpp"

#include <catch2/catch.hpp>

#include <string>
#include <string_view>

using namespace greenroom::http;

namespace {

const head_rules rules{[](std::string_view secret) { return secret == "good"; },
                       1000};

const std::string get = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
const std::string post = "POST /x HTTP/1.1\r\nX-API-Key: good\r\n"
                         "Content-Length: 5\r\n\r\nhello";
const std::string chunked = "POST /x HTTP/1.1\r\nX-API-Key: good\r\n"
                            "Transfer-Encoding: chunked\r\n\r\n"
                            "5\r\nhello\r\n0\r\n\r\n";

struct seen {
  std::uint64_t whole = 0;
  std::size_t fine = 0; // from the beginning
  int status = 0;
  friend bool operator==(const seen&, const seen&) = default;
};

seen look(const std::string& text, std::size_t size) {
  request_scan scan;
  seen result;
  for (std::size_t at = 0; at < text.size(); at += size) {
    auto found = scan.add(std::string_view{text}.substr(at, size), rules);
    result.status = found.refused.status;
    // A request that began in an earlier piece ends no later than that.
    result.fine = at + found.fine;
    if (result.status != 0)
      break;
  }
  result.whole = scan.whole();
  return result;
}

/// However it is cut.
seen look(const std::string& text) {
  auto result = look(text, text.size());
  for (std::size_t size : {1, 2, 3, 7, 50}) {
    INFO(size);
    auto in_pieces = look(text, size);
    CHECK(in_pieces.whole == result.whole);
    CHECK(in_pieces.status == result.status);
  }
  return result;
}

} // namespace

TEST_CASE("requests of a connection are told from each other") {
  CHECK(look(get) == seen{1, get.size(), 0});
  auto several = get + post + "\r\n" + chunked + chunked + get + post;
  CHECK(look(several) == seen{6, several.size(), 0});
  CHECK(look(several + "GET / HT").whole == 6);
  // What a body says is no head.
  auto tricky = "POST /x HTTP/1.1\r\nX-API-Key: good\r\nContent-Length: "
                + std::to_string(get.size()) + "\r\n\r\n" + get;
  CHECK(look(tricky) == seen{1, tricky.size(), 0});
}

TEST_CASE("a later request is refused as the first is") {
  const std::string stranger = "POST /x HTTP/1.1\r\nContent-Length: 9\r\n\r\n";
  CHECK(look(stranger) == seen{0, 0, 401});
  for (auto& before : {get, post, chunked, get + chunked + get}) {
    INFO(before);
    auto whole = look(before).whole;
    CHECK(look(before + stranger) == seen{whole, before.size(), 401});
    CHECK(look(before + "BREW / HTTP/1.1\r\n")
          == seen{whole, before.size(), 501});
    CHECK(look(before + "GET /" + std::string(20'000, 'x') + " HTTP/1.1\r\n")
          == seen{whole, before.size(), 414});
    auto none = chunked.substr(0, chunked.find("5\r\n")) + "zz\r\n";
    CHECK(look(before + none) == seen{whole, before.size(), 400});
  }
}

TEST_CASE("who waits to be told to send a body is told once") {
  auto head = post.substr(0, post.size() - 5);
  head.insert(head.size() - 2, "expect: 100-CONTINUE\r\n");
  for (std::size_t cut : {1u, 20u, static_cast<unsigned>(head.size() - 3)}) {
    request_scan scan;
    scan.add(get + head.substr(0, cut), rules);
    CHECK_FALSE(scan.must_go_ahead());
    scan.add(head.substr(cut), rules);
    CHECK(scan.must_go_ahead());
    CHECK_FALSE(scan.must_go_ahead());
    scan.add("hello" + post, rules);
    CHECK_FALSE(scan.must_go_ahead());
    CHECK(scan.whole() == 3);
  }
  // Nor one who does not wait.
  request_scan scan;
  scan.add(head + "h", rules);
  CHECK_FALSE(scan.must_go_ahead());
}
