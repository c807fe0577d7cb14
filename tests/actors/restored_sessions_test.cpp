// Sessions that another node has had: they answer at once, and their checkouts
// are restored behind that, or when somebody needs one.
#include "tests/actors/session/requests.hpp"
#include "tests/actors/small_node.hpp"

#include "actors/directory.hpp"
#include "messages/moving.hpp"
#include "runtime/store/sessions.hpp"

#include <caf/actor_cast.hpp>
#include <caf/send.hpp>
#include <catch2/catch.hpp>

#include <filesystem>
#include <string>

using namespace greenroom;
using namespace greenroom::test;

namespace fs = std::filesystem;

namespace {

struct next_node : small_node {
  next_node() : small_node({}, true) {
    ask<exec_view>(find(session), shell("echo kept > kept.txt"));
    save();
  }

  session_supervisor_full whole() {
    return caf::actor_cast<session_supervisor_full>(supervisor());
  }
  std::string checkpoint() const {
    return git({"-C", upstream(), "for-each-ref", "--format=%(objectname)",
                "refs/greenroom/checkpoints/" + session.id});
  }
  bool is_packed() {
    return ask<project_sessions>(whole(),
                                 pack_project{"demo", false, "drained"})
      .sessions.empty();
  }
  void save() {
    await("a checkpoint", [&] { return is_packed(); });
    caf::anon_send(whole(), unpack_project{"demo"});
  }
  // It was on another node, and comes from there.
  void move() {
    auto left = find(session);
    caf::anon_send(whole(), release_project{"demo"});
    caf::scoped_actor self{system()};
    self->wait_for(left);
    store::take_session(db, session.id, "other");
    come_back();
  }
  void come_back() {
    store::take_session(db, session.id, context()->node);
    caf::anon_send(whole(), adopt_project{rules()});
    await("the session", [&] {
      auto live = ask<supervisor_load>(supervisor(), get_load{});
      return live.actors == 1;
    });
  }
  void hide_upstream() {
    fs::rename(upstream(), hidden);
  }
  void show_upstream() {
    fs::rename(hidden, upstream());
  }
  nlohmann::json view() {
    return nlohmann::json::parse(
      ask<session_view>(find(session), get_session{}).json.view());
  }
  std::string restoring() {
    return view().value("restoring", "");
  }
  void await_failure() {
    await("a try", [&] {
      return restoring().find("the last try failed") != std::string::npos;
    });
  }
  bool has_work() {
    auto exec = json_of(ask<exec_view>(find(session), shell("cat kept.txt")));
    return exec.value("stdout", "") == "kept\n";
  }
  nlohmann::json moves() {
    return events_of(*this, find(session), event_kind::session_moved);
  }

  session_record session = create(on_branch("work"));
  store::connection db{"sqlite3://greenroom.db", context()->data_dir,
                       sync_mode::normal};
  fs::path hidden = upstream().parent_path() / "hidden.git";
};

} // namespace

TEST_CASE_METHOD(next_node, "a session that moved goes on with its work, and "
                            "says so at once and when it is restored") {
  move();
  CHECK(has_work());
  CHECK(restoring().empty());
  auto all = moves();
  REQUIRE(all.size() == 2);
  CHECK(all[0]["data"]["restoring"] == true);
  CHECK_FALSE(all[0]["data"].contains("checkpoint"));
  CHECK(all[1]["data"]["restoring"] == false);
  CHECK(
    checkpoint().starts_with(all[1]["data"]["checkpoint"].get<std::string>()));
  // Its next actor says it no more.
  crash(*this, session);
  CHECK(has_work());
  CHECK(moves().size() == 2);
}

TEST_CASE_METHOD(next_node, "a session whose upstream is away answers all that "
                            "needs no checkout") {
  hide_upstream();
  move();
  await_failure();
  CHECK(restoring().find("cannot be reached") != std::string::npos);
  CHECK(moves().size() == 1);
  ask<session_view>(find(session), extend_session{3'600'000});
  auto why = refused_by<exec_view>(find(session), shell("true", 1));
  CHECK(why.code == errc::unavailable);
  CHECK(why.message.find("not restored yet") != std::string::npos);
  CHECK(why.message.find("cannot be reached") != std::string::npos);
  SECTION("an actor that takes it up again does not tell of it twice") {
    crash(*this, session);
    CHECK_FALSE(restoring().empty());
    CHECK(moves().size() == 1);
  }
  show_upstream();
  CHECK(has_work());
  CHECK(moves().size() == 2);
}

TEST_CASE_METHOD(next_node, "a session that was never restored ends, and says "
                            "where its work is") {
  auto before = checkpoint();
  SECTION("with its upstream away") {
    hide_upstream();
    move();
    await_failure();
    auto ended = ask<terminate_reply>(find(session), terminate_session{});
    CHECK(ended.rescue_note.find("refs/greenroom/checkpoints/" + session.id)
          != std::string::npos);
    show_upstream();
    CHECK(checkpoint() == before);
  }
  SECTION("with its checkpoint as rescue refs") {
    move();
    auto ended = ask<terminate_reply>(find(session), terminate_session{});
    CHECK(ended.rescue_note.empty());
    CHECK(git({"-C", upstream(), "show",
               "refs/greenroom/rescue/" + session.id + "/tree:kept.txt"})
            .starts_with("kept"));
    await("the end of its checkpoint", [&] { return checkpoint().empty(); });
  }
}

TEST_CASE_METHOD(next_node, "a session that was never restored goes on to yet "
                            "another node with its checkpoint") {
  auto before = checkpoint();
  hide_upstream();
  move();
  await_failure();
  auto looked = ask<project_sessions>(whole(), look_at_sessions{"demo"});
  REQUIRE(looked.sessions.size() == 1);
  CHECK(looked.sessions[0].waits_for.empty());
  await("it to be packed", [&] { return is_packed(); });
  CHECK(refused_by<exec_view>(find(session), shell("true")).code
        == errc::unavailable);
  SECTION("or stays") {
    caf::anon_send(whole(), unpack_project{"demo"});
  }
  SECTION("or is lost there too") {
    move();
  }
  show_upstream();
  CHECK(checkpoint() == before);
  CHECK(has_work());
}
