#include "runtime/peer/frame.hpp"

#include <catch2/catch.hpp>

#include <stdexcept>

namespace greenroom::peer {

TEST_CASE("a frame's head comes back as it was sent") {
  frame_head head{0x01020304, frame_kind::beat, 0x1112131415161718};
  auto bytes = encode(head);
  CHECK(decode_head(bytes) == head);
  CHECK(bytes[0] == 1);
  CHECK(bytes[15] == 0x18);
  head = {0xffffffff, frame_kind::end, ~std::uint64_t{0}};
  CHECK(decode_head(encode(head)) == head);
}

TEST_CASE("no more is under way than the peer has room for") {
  account own{100, 40};
  CHECK(own.room() == 40);
  CHECK(own.send(30) == 0);
  CHECK(own.send(10) == 30);
  CHECK(own.room() == 0);
  CHECK(own.unacknowledged() == 40);
  own.acknowledged(25);
  CHECK(own.room() == 25);
  CHECK_THROWS_WITH(own.acknowledged(41), Catch::Contains("was not sent"));
  CHECK_THROWS(own.acknowledged(24));
}

TEST_CASE("a gap, a repetition and too much are noticed") {
  account own{100, 100};
  own.received(0, 60);
  CHECK_THROWS_WITH(own.received(61, 1), Catch::Contains("there is a gap"));
  CHECK_THROWS_WITH(own.received(0, 60), Catch::Contains("there is a gap"));
  CHECK_THROWS_WITH(own.received(60, 41), Catch::Contains("more than it may"));
  account other{100, 100};
  other.received(0, 60);
  other.handed_on(60);
  CHECK(other.is_beat_due());
  CHECK(other.acknowledge() == 60);
  CHECK_FALSE(other.is_beat_due());
  other.received(60, 100);
  other.handed_on(100);
  CHECK_THROWS_WITH(other.received_end(150), Catch::Contains("there is a gap"));
}

TEST_CASE("a connection is complete when both sides know both ends") {
  account own{100, 100};
  own.send(5);
  CHECK(own.send_end() == 5);
  own.acknowledged(5);
  own.received(0, 7);
  own.received_end(7);
  CHECK(own.has_ended());
  own.handed_on(7);
  CHECK_FALSE(own.is_complete());
  own.handed_on_end();
  CHECK(own.is_beat_due());
  CHECK(own.acknowledge() == 8);
  CHECK_FALSE(own.is_beat_due());
  CHECK_FALSE(own.is_complete());
  own.acknowledged(6);
  CHECK(own.is_complete());
}

} // namespace greenroom::peer
