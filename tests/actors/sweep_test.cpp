// What ended sessions still have on disk is saved later, and named.
#include "tests/actors/small_node.hpp"

#include "actors/session/kept_work.hpp"
#include "actors/supervisor.hpp"
#include "messages/left_work.hpp"

#include <caf/actor_cast.hpp>
#include <caf/send.hpp>
#include <catch2/catch.hpp>

#include <fstream>
#include <string>

using namespace greenroom;
using greenroom::test::eventually;
using greenroom::test::small_node;

namespace fs = std::filesystem;

namespace {

struct swept_node : small_node {
  session_record stored(const std::string& id) {
    return ask<session_record>(context()->reader, load_session{id});
  }
  /// As if some hours had gone by.
  void sweep() {
    later_ += day;
    caf::anon_send(caf::actor_cast<session_supervisor_full>(supervisor()),
                   clock_tick{now_ms() + later_});
  }

private:
  static constexpr millis day = 24 * 3600 * 1000;
  millis later_ = 0;
};

} // namespace

TEST_CASE_METHOD(swept_node, "work that could not be saved is saved later, and "
                             "its session says where") {
  create_session request;
  request.new_branch = "work";
  auto session = create(request);
  auto checkout = context()->session_dir(session.id) / "checkout";
  greenroom::test::await("its checkout", [&] { return fs::exists(checkout); });
  std::ofstream{checkout / "work"} << "mine";
  fs::rename(checkout / ".git", checkout / "away");
  auto handle = find(session);
  ask<terminate_reply>(handle, terminate_session{});
  auto ended = stored(session.id);
  CHECK(ended.status == session_status::terminated);
  CHECK(ended.rescue_refs.empty());
  auto place = "sessions/" + session.id + "/checkout";
  CHECK_THAT(ended.status_reason, Catch::Contains(place));
  caf::anon_send_exit(handle, caf::exit_reason::user_shutdown);

  fs::rename(checkout / "away", checkout / ".git");
  std::string saved = "refs/greenroom/rescue/" + session.id + "/tree";
  SECTION("in the upstream") {
    CHECK(eventually([&] {
      sweep();
      return !fs::exists(checkout);
    }));
    auto record = stored(session.id);
    REQUIRE(record.rescue_refs.size() == 1);
    CHECK(record.rescue_refs[0].ref == saved);
    CHECK(record.rescue_note.empty());
    CHECK(record.version == ended.version + 1);
    CHECK(record.status == session_status::terminated);
    CHECK_THAT(record.status_reason,
               !Catch::Contains(place) && Catch::Contains("was saved later"));
    CHECK(git({"-C", upstream().string(), "show", saved + ":work"}) == "mine");
  }
  SECTION("on this node, while the upstream is away") {
    auto away = upstream();
    away += ".away";
    fs::rename(upstream(), away);
    CHECK(eventually([&] {
      sweep();
      return !fs::exists(checkout);
    }));
    CHECK_FALSE(stored(session.id).rescue_note.empty());
    fs::rename(away, upstream());
    // Its project pushes it when it can.
    CHECK(eventually([&] { return stored(session.id).rescue_note.empty(); }));
    CHECK(git({"-C", upstream().string(), "show", saved + ":work"}) == "mine");
  }
}

TEST_CASE("while a part cannot be saved later either it says on where it is") {
  session_record known;
  known.id = "a";
  known.node = "n";
  known.status_reason = "terminated; " + kept_reason("it is full", "a", "n");
  auto record = rescued_later(
    known, {{{"r/tree", "2", "tree"}}, std::string{left_work_note} + "x"});
  CHECK(record.status_reason == known.status_reason);
  CHECK(record.rescue_refs.size() == 1);
}

TEST_CASE("what is saved later takes the place of what stood there") {
  session_record known;
  known.id = "a";
  known.node = "n";
  known.status_reason = "terminated; " + kept_reason("it is full", "a", "n");
  known.rescue_refs = {{"r/heads/x", "1", "x"}, {"r/tree", "2", "tree"}};
  auto record = rescued_later(
    known, {{{"r/heads/x/y", "3", "y"}, {"r/stash", "4", "s"}}, "a note"});
  CHECK(record.rescue_refs
        == std::vector<rescue_ref>{{"r/tree", "2", "tree"},
                                   {"r/heads/x/y", "3", "y"},
                                   {"r/stash", "4", "s"}});
  CHECK(record.rescue_note == "a note");
  CHECK(record.status_reason
        == "terminated; the work could not be saved (it is full), and was "
           "saved later");
}
