#include "http/wire/websocket_frames.hpp"

#include <catch2/catch.hpp>

#include <string>

using namespace greenroom::http::ws;

namespace {

/// A frame as a client sends it.
std::string masked(unsigned first_byte, std::string payload) {
  std::string frame{static_cast<char>(first_byte)};
  if (payload.size() <= 125) {
    frame.push_back(static_cast<char>(0x80 | payload.size()));
  } else {
    frame.push_back(static_cast<char>(0x80 | 126));
    frame.push_back(static_cast<char>(payload.size() >> 8));
    frame.push_back(static_cast<char>(payload.size()));
  }
  const std::string mask = "\x12\x34\x56\x78";
  frame += mask;
  for (std::size_t i = 0; i < payload.size(); ++i)
    payload[i] = static_cast<char>(payload[i] ^ mask[i % 4]);
  return frame + payload;
}

constexpr unsigned final_text = 0x81;
constexpr unsigned final_binary = 0x82;

} // namespace

TEST_CASE("messages are read whole, whatever pieces they come in") {
  std::string sent = masked(final_text, "hello") + masked(0x89, "ping")
                     + masked(final_binary, std::string(300, 'x'));
  for (std::size_t piece : {std::size_t{1}, std::size_t{7}, sent.size()}) {
    CAPTURE(piece);
    frame_reader reader{1000};
    std::vector<message> got;
    for (std::size_t at = 0; at < sent.size(); at += piece) {
      reader.add(std::string_view{sent}.substr(at, piece));
      while (auto one = reader.next())
        got.push_back(std::move(*one));
    }
    REQUIRE(got.size() == 3);
    CHECK(got[0].kind == opcode::text);
    CHECK(got[0].payload == "hello");
    CHECK(got[1].kind == opcode::ping);
    CHECK(got[1].payload == "ping");
    CHECK(got[2].kind == opcode::binary);
    CHECK(got[2].payload == std::string(300, 'x'));
  }
}

TEST_CASE("a message in several frames is put together") {
  frame_reader reader{100};
  reader.add(masked(0x02, "ab") + masked(0x00, "cd") + masked(0x89, "?")
             + masked(0x80, "ef"));
  CHECK(reader.next()->kind == opcode::ping);
  auto whole = reader.next();
  REQUIRE(whole);
  CHECK(whole->kind == opcode::binary);
  CHECK(whole->payload == "abcdef");
}

TEST_CASE("what is too long is refused before it is read") {
  frame_reader reader{100};
  // 2^62 bytes are announced, and none of them comes.
  reader.add(std::string("\x82\xff\x40\0\0\0\0\0\0\0\1\2\3\4", 14));
  CHECK_FALSE(reader.next());
  CHECK(reader.fault() == close_code::too_big);

  frame_reader pieces{100};
  pieces.add(masked(0x02, std::string(60, 'a'))
             + masked(0x80, std::string(60, 'a')));
  CHECK_FALSE(pieces.next());
  CHECK(pieces.fault() == close_code::too_big);
}

TEST_CASE("what is no frame of a client is a fault") {
  for (auto& bad :
       {std::string("\x82\x01x", 3),            // not masked
        masked(0xc2, "x"),                      // a reserved bit
        masked(0x83, "x"),                      // no such kind
        masked(0x09, "x"),                      // a ping in pieces
        masked(0x89, std::string(126, 'x')),    // a ping that is too long
        masked(0x80, "x"),                      // goes on with nothing
        masked(0x02, "x") + masked(0x82, "x")}) // begins twice
  {
    frame_reader reader{1000};
    reader.add(bad);
    CHECK_FALSE(reader.next());
    CHECK(reader.fault() == close_code::protocol_error);
  }
}

TEST_CASE("frames of the server say their length in the shortest form") {
  CHECK(frame_head(opcode::binary, 5) == std::string("\x82\x05", 2));
  CHECK(frame_head(opcode::text, 126) == std::string("\x81\x7e\x00\x7e", 4));
  CHECK(frame_head(opcode::binary, 65536)
        == std::string("\x82\x7f\0\0\0\0\0\1\0\0", 10));
  CHECK(close_payload(close_code::normal, "bye")
        == std::string("\x03\xe8"
                       "bye"));
  CHECK(close_payload(close_code::policy, std::string(500, 'x')).size() == 125);
}

TEST_CASE("the handshake's answer is the one of the standard") {
  CHECK(accept_key("dGhlIHNhbXBsZSBub25jZQ==")
        == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  CHECK(is_key("dGhlIHNhbXBsZSBub25jZQ=="));
  CHECK_FALSE(is_key(""));
  CHECK_FALSE(is_key("dGhlIHNhbXBsZSBub25jZQ"));
  CHECK_FALSE(is_key("dGhlIHNhbXBsZSBub25j\r\n=="));
}
