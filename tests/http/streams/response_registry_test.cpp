// How much streams may read ahead of their clients, all together.
#include "http/streams/response_registry.hpp"

#include "http/streams/file_readers.hpp"

#include <catch2/catch.hpp>

using namespace greenroom;

TEST_CASE("nothing is read ahead while clients hold much, and then again") {
  http::stream_shares shares{{10, 0, 1}};
  http::file_readers files{1};
  http::response_registry streams{shares, files};
  const auto all = streams.read_ahead();
  CHECK(all >= 1024 * 1024);
  streams.hold(0, all / 4);
  CHECK(streams.read_ahead() == all - all / 4);
  // A single event may be larger than what was asked for.
  streams.hold(all / 4, 3 * all);
  CHECK(streams.read_ahead() == 0);
  streams.hold(3 * all, 10);
  CHECK(streams.read_ahead() == all - 10);
  streams.hold(10, 0);
  CHECK(streams.read_ahead() == all);
}
