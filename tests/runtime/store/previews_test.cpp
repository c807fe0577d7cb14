#include "messages/errors.hpp"
#include "runtime/store/previews.hpp"
#include "runtime/store/sessions.hpp"
#include "tests/runtime/store/fixture.hpp"

#include <catch2/catch.hpp>

using namespace greenroom;
using namespace greenroom::store;
using namespace greenroom::test;

TEST_CASE_METHOD(store_fixture, "the settings of previews are kept by the node "
                                "that has the session, and go with it") {
  auto session = insert(some_session("x"));
  CHECK_FALSE(previews_of(c, session.id));
  keep_previews(c, session.id, "{\"ports\":[]}", session.node);
  keep_previews(c, session.id, "{\"ports\":[1]}", session.node);
  CHECK(previews_of(c, session.id) == "{\"ports\":[1]}");
  CHECK_THROWS_AS(keep_previews(c, session.id, "{}", "another"), refused);
  CHECK_THROWS_AS(keep_previews(c, "none", "{}", session.node), refused);
  CHECK(previews_of(c, session.id) == "{\"ports\":[1]}");

  session.ended_at = 3'000;
  end(session);
  store::drop_ended(c, now_ms(), 10);
  CHECK_FALSE(previews_of(c, session.id));
}
