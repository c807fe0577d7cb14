// What sessions have left on the disk of a node that had their project before.
#include "tests/actors/small_node.hpp"

#include "messages/ids.hpp"
#include "messages/left_on_disk.hpp"
#include "messages/left_work.hpp"
#include "messages/project.hpp"
#include "runtime/store/sessions.hpp"

#include <caf/actor_cast.hpp>
#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>
#include <string>

using namespace greenroom;
using namespace greenroom::test;

namespace {

// A session that has ended on another node, where its work is, or nothing.
session_record ended_elsewhere(store::connection& db, bool leaves_work) {
  session_record row;
  row.id = make_id();
  row.project_id = "demo";
  row.node = "other";
  row.branch = row.id;
  row.status = session_status::terminated;
  row.status_reason = "terminated";
  if (leaves_work)
    row.status_reason += place_of_work(row.id, row.node);
  row.created_at = row.ended_at = now_ms();
  row.epoch = row.version = 1;
  REQUIRE(store::insert_session(db, row, 100) == store::insert_result::ok);
  return row;
}

} // namespace

TEST_CASE("what lies on another node's disk is named, and not said to be "
          "removed") {
  small_node node{{}, true};
  store::connection db{"sqlite3://greenroom.db", node.context()->data_dir,
                       sync_mode::normal};
  auto left = ended_elsewhere(db, true);
  auto nothing = ended_elsewhere(db, false);
  auto kept = node.ask<kept_sessions>(node.project(), list_kept{}).sessions;
  REQUIRE(kept.size() == 1);
  CHECK(kept[0].session.id == left.id);
  CHECK(kept[0].bytes == 0);
  auto why = node.refused_by<done>(node.find(left), drop_kept{});
  CHECK(why.code == errc::conflict);
  CHECK_THAT(why.message,
             Catch::Contains("of node other") && Catch::Contains("by hand"));
  node.ask<done>(node.find(nothing), drop_kept{});
}

TEST_CASE("what lies here of a session that ended on another node is removed") {
  small_node node{{}, true};
  store::connection db{"sqlite3://greenroom.db", node.context()->data_dir,
                       sync_mode::normal};
  auto left = ended_elsewhere(db, true);
  const auto checkout =
    node.context()->data_dir / "sessions" / left.id / "checkout";
  std::filesystem::create_directories(checkout);
  std::ofstream{checkout / "file"} << "kept";
  node.ask<done>(node.find(left), drop_kept{});
  CHECK_FALSE(std::filesystem::exists(checkout));
}

TEST_CASE("a node that is alone lists what is on its disk, and no more") {
  small_node node;
  store::connection db{"sqlite3://greenroom.db", node.context()->data_dir,
                       sync_mode::normal};
  auto left = ended_elsewhere(db, true);
  CHECK(node.ask<kept_sessions>(node.project(), list_kept{}).sessions.empty());
  node.ask<done>(node.find(left), drop_kept{});
}

TEST_CASE("what lies here goes when another node asks for that, but for what a "
          "live session has") {
  small_node node{{}, true};
  store::connection db{"sqlite3://greenroom.db", node.context()->data_dir,
                       sync_mode::normal};
  auto disk = caf::actor_cast<left_work_actor>(node.directory());
  auto left = ended_elsewhere(db, true);
  create_session request;
  request.new_branch = "live";
  auto live = node.create(request);
  auto checkout_of = [&](const session_record& one) {
    return node.context()->data_dir / "sessions" / one.id / "checkout";
  };
  for (auto& one : {left, live})
    std::filesystem::create_directories(checkout_of(one));
  const measure_left_work both{"other", {left.id, live.id, make_id()}};
  CHECK(node.ask<kept_files_list>(disk, both).sessions.size() == 2);
  CHECK(node.refused_by<done>(disk, drop_left_work{"other", live.id}).code
        == errc::conflict);
  CHECK(std::filesystem::exists(checkout_of(live)));
  node.ask<done>(disk, drop_left_work{"other", left.id});
  CHECK_FALSE(std::filesystem::exists(checkout_of(left)));
  CHECK(node.ask<kept_files_list>(disk, both).sessions.size() == 1);
  // There need be nothing.
  node.ask<done>(disk, drop_left_work{"other", left.id});
}
