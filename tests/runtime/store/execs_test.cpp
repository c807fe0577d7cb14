#include "runtime/store/execs.hpp"
#include "runtime/store/sessions.hpp"
#include "tests/runtime/store/fixture.hpp"

#include <catch2/catch.hpp>

using namespace greenroom;
using namespace greenroom::store;
using namespace greenroom::test;

namespace {

using exec_ids = std::vector<std::string>;

} // namespace

TEST_CASE_METHOD(store_fixture, "what is noted of execs is a session's, by "
                                "whoever has it") {
  auto session = insert(some_session("x"));
  auto other = insert(some_session("y"));
  auto note = [&](const session_record& of, const std::string& exec,
                  const std::string& json) {
    return store::note_exec(c, {of.id, of.epoch, exec, json});
  };
  note(session, "a", "{\"status\":\"running\"}");
  note(session, "b", "b");
  note(other, "a", "other");
  note(session, "a", "{\"status\":\"exited\"}");
  CHECK(noted_execs(c, session.id) == exec_ids{"{\"status\":\"exited\"}", "b"});
  note(session, "b", "");
  CHECK(noted_execs(c, session.id).size() == 1);
  // Of an actor that has not the session any more nothing is taken.
  auto taken = store::take_session(c, session.id, session.node).value();
  CHECK_FALSE(note(session, "c", "late"));
  CHECK_FALSE(note(session, "a", ""));
  CHECK(noted_execs(c, session.id).size() == 1);
  CHECK(note(taken, "c", "in time"));
  CHECK(noted_execs(c, session.id).size() == 2);

  taken.ended_at = 3'000;
  end(taken);
  store::drop_ended(c, now_ms(), 10);
  CHECK(noted_execs(c, session.id).empty());
  CHECK(note(taken, "c", "of one that is gone")); // nobody else has it
  CHECK(noted_execs(c, other.id) == exec_ids{"other"});
}
