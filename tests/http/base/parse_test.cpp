#include "http/base/parse.hpp"
#include "messages/errors.hpp"

#include <catch2/catch.hpp>

using namespace greenroom;
using namespace greenroom::http;

TEST_CASE("percent encoding is undone, and malformed encoding is noticed") {
  CHECK(percent_decode("a%2Fb%20c") == "a/b c");
  CHECK(percent_decode("%e2%82%AC") == "\xe2\x82\xac");
  CHECK(percent_decode("a+b") == "a+b");
  CHECK(percent_decode("a+b", true) == "a b");
  CHECK(percent_decode("") == "");
  CHECK(percent_decode("%00") == std::string(1, '\0'));
  CHECK_FALSE(percent_decode("%"));
  CHECK_FALSE(percent_decode("%2"));
  CHECK_FALSE(percent_decode("a%zz"));
}

TEST_CASE("a path is cut at its slashes") {
  auto cut = split_path("/projects/demo");
  REQUIRE(cut.count == 2);
  CHECK(cut.items[0] == "projects");
  CHECK(cut.items[1] == "demo");
  CHECK(split_path("/").count == 1);
  CHECK(split_path("/a/").count == 2);
  CHECK(split_path("/a/").items[1].empty());
  CHECK(split_path("").count == 0);
  CHECK(split_path("*").count == 0);
  CHECK(split_path("/1/2/3/4/5/6/7/8").count == 8);
  CHECK(split_path("/1/2/3/4/5/6/7/8/9").count == 0);
}

TEST_CASE("query parameters are found by name, the first of two counts") {
  query_params query{"types=a%2Cb&limit=20&&types=c&flag&x=1=2"};
  CHECK(query.get("types") == "a,b");
  CHECK(query.get("flag") == "");
  CHECK(query.get("x") == "1=2");
  CHECK_FALSE(query.get("none"));
  CHECK(query.limit() == 20);
  CHECK(query_params{""}.limit() == 0);
}

TEST_CASE("a query that cannot be read is refused") {
  for (auto bad : {"a=%", "a=%zz", "a=%00", "a=%ff", "%ff=1"})
    CHECK_THROWS_AS(query_params{bad}, refused);
  for (auto bad : {"limit=0", "limit=201", "limit=", "limit=x", "limit=-1",
                   "limit=1.5", "limit=99999999999"})
    CHECK_THROWS_AS(query_params{bad}.limit(), refused);
}

TEST_CASE("a secret is found in either header") {
  CHECK(secret_of("Bearer abc", "") == "abc");
  CHECK(secret_of("bearer  abc ", "") == "abc");
  CHECK(secret_of("", "abc") == "abc");
  CHECK(secret_of("Basic abc", "") == "");
  CHECK(secret_of("Bearer", "") == "");
  CHECK(secret_of("", "") == "");
}

TEST_CASE("only JSON is JSON, whatever its parameters") {
  CHECK(is_json_type("application/json"));
  CHECK(is_json_type("Application/JSON; charset=utf-8"));
  CHECK_FALSE(is_json_type(""));
  CHECK_FALSE(is_json_type("text/plain"));
  CHECK_FALSE(is_json_type("application/jsonx"));
}

TEST_CASE("request ids are taken when they are short and visible") {
  CHECK(is_sane_request_id("abc-123"));
  CHECK(is_sane_request_id(std::string(128, 'a')));
  CHECK_FALSE(is_sane_request_id(std::string(129, 'a')));
  CHECK_FALSE(is_sane_request_id(""));
  CHECK_FALSE(is_sane_request_id("a b"));
  CHECK_FALSE(is_sane_request_id("a\xc3\xa4"));
}

TEST_CASE("a range of bytes is read, and what is none is ignored") {
  auto range = [](std::string_view text, std::uint64_t total = 10) {
    auto read = parse_range(text, total);
    return read ? std::to_string(read->begin) + "-" + std::to_string(read->end)
                : std::string{"ignored"};
  };
  CHECK(range("bytes=0-0") == "0-1");
  CHECK(range("Bytes=2-") == "2-10");
  CHECK(range("bytes=-3") == "7-10");
  CHECK(range("bytes=-30") == "0-10");
  CHECK(range("bytes=9-18446744073709551615") == "9-10");
  CHECK(range("bytes=10-") == "0-0");
  CHECK(range("bytes=0-", 0) == "0-0");
  CHECK(range("bytes=-5", 0) == "0-0");
  for (auto bad : {"", "bytes", "bytes=", "bytes=-", "bytes=5", "bytes=5-4",
                   "bytes=a-b", "bytes=0-1,2-3", "items=0-1", "bytes=+1-2",
                   "bytes=99999999999999999999-"})
    CHECK(range(bad) == "ignored");
}

TEST_CASE("flags are true or false") {
  query_params query{"a=1&b=true&c=0&d=false&e=yes&f"};
  CHECK(query.flag("a"));
  CHECK(query.flag("b"));
  CHECK_FALSE(query.flag("c"));
  CHECK_FALSE(query.flag("d"));
  CHECK_FALSE(query.flag("none"));
  CHECK_THROWS_AS(query.flag("e"), refused);
  CHECK_THROWS_AS(query.flag("f"), refused);
}

TEST_CASE("a browser's secret is one of its subprotocols") {
  CHECK(secret_of_protocols("greenroom, bearer.abc") == "abc");
  CHECK(secret_of_protocols("bearer.abc") == "abc");
  CHECK(secret_of_protocols("greenroom") == "");
  CHECK(secret_of_protocols("") == "");
  CHECK(offers("a, greenroom", "greenroom"));
  CHECK_FALSE(offers("agreenroom", "greenroom"));
}

TEST_CASE("origins are the same by scheme, host and port") {
  CHECK(is_same_origin("http://a", "HTTP://A:80"));
  CHECK(is_same_origin("https://a:443", "https://a"));
  CHECK_FALSE(is_same_origin("http://a", "https://a"));
  CHECK_FALSE(is_same_origin("http://a:8080", "http://a"));
  CHECK_FALSE(is_same_origin("http://a:443", "http://a"));
  CHECK_FALSE(is_same_origin("null", "http://a"));
}
