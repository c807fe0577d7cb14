// The client's list of the types of events is the server's.
#include "http/client/event_types.hpp"

#include "messages/events.hpp"

#include <catch2/catch.hpp>

#include <algorithm>

TEST_CASE("the client names each type of event") {
  using greenroom::http::client::event_types;
  CHECK(event_types.size() == greenroom::event_kind_count);
  for (std::size_t i = 0; i < greenroom::event_kind_count; ++i) {
    const auto name = to_string(static_cast<greenroom::event_kind>(i));
    INFO(name);
    CHECK(std::ranges::count(event_types, name) == 1);
  }
}
