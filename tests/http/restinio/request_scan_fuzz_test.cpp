// RESTinio's parser beside ours: whatever a client sends, both see the same
// requests in the same bytes, or ours refuses.
#include "http/restinio/request_scan.hpp"
#include "tests/support/fuzz_effort.hpp"
#include "tests/support/mutations.hpp"

#include <catch2/catch.hpp>
#include <http_parser.h>

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

using namespace greenroom::http;
using namespace greenroom::test;
using namespace std::string_view_literals;

namespace {

struct requests {
  std::vector<std::size_t> ends; // offsets behind each that is whole
  std::size_t refused = 0;       // at which offset; 0: not
  bool upgrades = false;         // what follows is no HTTP
};

/// As RESTinio has it: a new parser for each request, which stops behind it.
requests read_by_restinio(std::string_view bytes) {
  http_parser_settings settings;
  http_parser_settings_init(&settings);
  settings.on_message_complete = [](http_parser* parser) {
    http_parser_pause(parser, 1);
    *static_cast<bool*>(parser->data) = true;
    return 0;
  };
  requests result;
  for (std::size_t at = 0; at < bytes.size();) {
    http_parser parser;
    http_parser_init(&parser, HTTP_REQUEST);
    bool complete = false;
    parser.data = &complete;
    at += http_parser_execute(&parser, &settings, bytes.data() + at,
                              bytes.size() - at);
    if (auto error = HTTP_PARSER_ERRNO(&parser);
        error != HPE_OK && error != HPE_PAUSED)
      result.refused = at;
    else if (complete)
      result.ends.push_back(at);
    result.upgrades = complete && parser.upgrade != 0;
    if (!complete || result.refused != 0 || result.upgrades)
      break;
  }
  return result;
}

/// A byte at a time, so that each end is seen; `refused` is behind the byte
/// that settles it.
requests read_by_scan(std::string_view bytes, const head_rules& rules) {
  request_scan scan;
  requests result;
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    auto found = scan.add(bytes.substr(at, 1), rules);
    if (scan.whole() > result.ends.size())
      result.ends.push_back(at + 1);
    if (found.refused.status != 0) {
      result.refused = at + 1;
      break;
    }
  }
  return result;
}

std::string escaped(std::string_view bytes) {
  std::string result;
  for (unsigned char c : bytes)
    result += c == '\r'   ? "\\r"
              : c == '\n' ? "\\n"
              : c < 0x20 || c > 0x7e
                ? "\\x" + std::string{"0123456789abcdef"[c >> 4]}
                    + "0123456789abcdef"[c & 15]
                : std::string{static_cast<char>(c)};
  return result;
}

} // namespace

TEST_CASE("no bytes make two readers of requests differ") {
  fuzz_effort effort{20'000};
  std::mt19937 random{effort.seed()};
  const head_rules rules{[](std::string_view) { return true; }, 1000};
  const std::string key = "X-API-Key: k\r\n";
  const std::vector<std::string> seeds{
    "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
    "POST /x HTTP/1.1\r\n" + key + "Content-Length: 5\r\n\r\nhello",
    "POST /x HTTP/1.1\r\n" + key
      + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nA: b\r\n\r\n",
    "PUT /x HTTP/1.1\r\n" + key
      + "transfer-encoding: chunked\r\n\r\n5;a=\"b\"\r\nhello\r\n0\r\n\r\n",
    "DELETE /x HTTP/1.0\r\nConnection: keep-alive\r\n" + key
      + "Content-Length: 0\r\n\r\n",
    "GET /events HTTP/1.1\r\nConnection: upgrade, x\r\nUpgrade: y\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"};
  constexpr auto alphabet =
    "0123afx \t,;:=\"\r\n\r\n\0\1\x7f\xffHTGEP/1.Content"sv;
  while (effort.next()) {
    std::string bytes;
    for (auto parts = 1 + random() % 3; parts > 0; --parts)
      bytes += seeds[random() % seeds.size()];
    bytes = mutated(bytes, random, alphabet);
    auto ours = read_by_scan(bytes, rules);
    // The byte that settles it does not reach RESTinio.
    auto end = ours.refused != 0 ? ours.refused - 1 : bytes.size();
    auto theirs = read_by_restinio(std::string_view{bytes}.substr(0, end));
    CAPTURE(escaped(bytes), ours.ends, ours.refused, theirs.ends,
            theirs.refused, theirs.upgrades);
    // What upgrades is looked at by whoever serves it.
    if (theirs.upgrades)
      ours.ends.resize(std::min(ours.ends.size(), theirs.ends.size()));
    // RESTinio may close where it cannot read on, but reads nothing else.
    if (theirs.refused != 0 && ours.ends.size() > theirs.ends.size())
      ours.ends.resize(theirs.ends.size());
    REQUIRE(ours.ends == theirs.ends);
    // What RESTinio refuses we refuse too, with an answer, at the latest when
    // its line has come.
    if (ours.refused == 0 && theirs.refused != 0)
      REQUIRE(read_by_scan(bytes + "\r\n\r\n", rules).refused != 0);
  }
}
