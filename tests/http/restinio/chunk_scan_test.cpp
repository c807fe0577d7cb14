#include "http/restinio/chunk_scan.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

using greenroom::http::chunk_scan;

namespace {

std::string look_in_pieces(const std::vector<std::string_view>& pieces) {
  chunk_scan scan;
  for (auto piece : pieces) {
    if (scan.over())
      break;
    if (!scan.add(piece))
      return "bad";
  }
  return scan.over() ? "over" : "open";
}

std::vector<std::string_view> pieces_of(std::string_view body,
                                        std::size_t size) {
  std::vector<std::string_view> result;
  for (std::size_t at = 0; at < body.size(); at += size)
    result.push_back(body.substr(at, size));
  return result;
}

// As a whole, and however it is cut, which must not differ.
std::string look(std::string_view body) {
  auto result = look_in_pieces({body});
  for (std::size_t size : {1, 2, 3, 5})
    CHECK(look_in_pieces(pieces_of(body, size)) == result);
  for (std::size_t cut = 0; cut <= std::min<std::size_t>(body.size(), 100);
       ++cut)
    CHECK(look_in_pieces({body.substr(0, cut), body.substr(cut)}) == result);
  return result;
}

std::string in_chunks(std::size_t count, const std::string& chunk) {
  std::string result;
  for (std::size_t i = 0; i < count; ++i)
    result += chunk;
  return result;
}

} // namespace

TEST_CASE("bodies in chunks are known from what is none") {
  for (auto whole : {"0\r\n\r\n", "5\r\nhello\r\n0\r\n\r\n",
                     "5;x=\"y\"\r\nhello\r\n0\r\n\r\n",
                     "00A\r\n0123456789\r\n0\r\nX: y\r\nZ: 1\r\n\r\n",
                     "1\r\nx\r\n1\r\ny\r\n0\r\n\r\nGET / HTTP/1.1\r\n"}) {
    INFO(whole);
    CHECK(look(whole) == "over");
  }
  for (auto part :
       {"5", "5\r\nhel", "5\r\nhello\r\n", "0\r\n", "0\r\nX: y\r\n"}) {
    INFO(part);
    CHECK(look(part) == "open");
  }
  for (auto none :
       {"zz\r\nhello", "\r\n", "-1\r\n", "5x\r\n", "5\r\nhelloworld",
        "ffffffffffffffffff\r\n", "0x5\r\nhello\r\n"}) {
    INFO(none);
    CHECK(look(none) == "bad");
  }
  CHECK(look("1;" + std::string(20'000, 'x')) == "bad");
}

TEST_CASE("a body of very many chunks is one") {
  for (auto chunk : {"1\r\nx\r\n", "1;a=b\r\nx\r\n", "2\r\n\r\n\r\n"}) {
    INFO(chunk);
    auto body = in_chunks(50'000, chunk);
    CHECK(look(body) == "open");
    CHECK(look(body + "0\r\nX: y\r\n\r\n") == "over");
  }
}
