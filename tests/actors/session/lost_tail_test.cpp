// A timeline whose end a power cut has taken away is completed from the
// store's outbox.
#include "tests/actors/session/requests.hpp"
#include "tests/actors/small_node.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <filesystem>
#include <string>

using namespace greenroom;
using greenroom::test::events_of;
using greenroom::test::json_of;
using greenroom::test::on_branch;
using greenroom::test::shell;
using greenroom::test::small_node;

namespace {

namespace fs = std::filesystem;

nlohmann::json all_events(small_node& node, const session_actor& session) {
  return nlohmann::json::parse(
    node.ask<timeline_page>(session, read_timeline{}).json.view());
}

// What somebody gets to know who watches from the end.
watch_state standing(small_node& node, const session_actor& session) {
  caf::scoped_actor self{node.system()};
  return node
    .ask<watch_reply>(
      session,
      watch_session{caf::actor_cast<watcher_actor>(caf::actor{self}), 0, true})
    .state;
}

} // namespace

TEST_CASE("an ended session whose timeline lost its end has it again, so that "
          "its streams end") {
  small_node node;
  auto session = node.create(on_branch("work"));
  auto handle = node.find(session);
  node.ask<exec_view>(handle, shell("echo new > new.txt"));
  checkin_session request;
  request.by = {"key", "Ada"};
  request.skip_review = true;
  node.ask<checkin_reply>(handle, request);
  auto before = all_events(node, handle);
  REQUIRE(before.back()["type"] == "session.ended");
  handle = session_actor{};
  auto file = node.context()->session_dir(session.id) / "timeline";
  auto size = fs::file_size(file);
  SECTION("of its last event, which came with another one") {
    fs::resize_file(file, size - 7);
  }
  SECTION("of all that came after the check-in began") {
    fs::resize_file(file, size / 2);
  }
  node.restart();
  handle = node.find(session);
  CHECK(standing(node, handle) == watch_state::over);
  auto after = all_events(node, handle);
  for (auto kind : {"checkin.finished", "session.ended"}) {
    INFO(kind);
    auto is_kind = [&](const nlohmann::json& event) {
      return event["type"] == kind;
    };
    CHECK(std::ranges::count_if(after, is_kind) == 1);
    auto old = *std::ranges::find_if(before, is_kind);
    auto now = *std::ranges::find_if(after, is_kind);
    CHECK(now["data"] == old["data"]);
  }
  CHECK(after.back()["type"] == "session.ended");
  // Once is enough.
  node.restart();
  CHECK(all_events(node, node.find(session)) == after);
}
