// Lists of a project whose owner is another node, which is away.
#include "http/edge/peers.hpp"
#include "messages/left_on_disk.hpp"
#include "messages/left_work.hpp"
#include "messages/webhooks.hpp"
#include "tests/http/asking.hpp"

#include <caf/actor_cast.hpp>
#include <caf/event_based_actor.hpp>
#include <catch2/catch.hpp>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

using namespace greenroom;
using namespace greenroom::test;

namespace {

const std::string away_path = "/projects/away";
const std::string away_session(20, 'w');
const std::string kept_session_id(20, 'k');
const std::string dropped_session_id(20, 'x');
const std::string away_review(20, 'v');
const std::string away_webhook(20, 'h');

using ask_count = std::shared_ptr<std::atomic<int>>;

/// How the owner of the project "away" does not answer.
enum class absence : std::uint8_t { refuses, never_found, silent, disks_only };

// Says nothing of its sessions, and counts how often it is asked for them.
caf::behavior mute_project(caf::event_based_actor* self, ask_count asked) {
  return {
    [self, asked](const list_sessions&) -> caf::result<session_page> {
      ++*asked;
      return self->make_response_promise<session_page>();
    },
    [](const list_kept&) { return kept_sessions{}; },
  };
}

// Of all projects but that one and "over", `all` knows the owners.
caf::behavior partly_away(caf::event_based_actor* self, directory_actor all,
                          absence how, ask_count asked) {
  auto mute = caf::actor_cast<project_actor>(self->spawn(mute_project, asked));
  return {
    [=](const find_project& x) -> caf::result<project_actor> {
      if (x.project_id != "away" && x.project_id != "over")
        return self->delegate(all, x);
      if (how == absence::never_found)
        return self->make_response_promise<project_actor>();
      if (how == absence::refuses || how == absence::disks_only)
        return make_error(errc::unavailable,
                          "node b cannot be reached: a test");
      return mute;
    },
    [](const find_session&) -> caf::result<session_actor> {
      return make_error(errc::conflict, "a session's: it lies elsewhere");
    },
    [how](const measure_left_work& x) -> caf::result<kept_files_list> {
      if (how != absence::disks_only)
        return make_error(errc::unavailable, "no such disk");
      kept_files_list found;
      for (auto& id : x.session_ids)
        if (id != dropped_session_id)
          found.sessions.push_back({id, 4096});
      return found;
    },
    [how](const drop_left_work& x) -> caf::result<done> {
      if (how != absence::disks_only)
        return make_error(errc::unavailable,
                          "node " + x.node + " cannot be reached: a test");
      return x.by.key_id == "admin"
               ? caf::result<done>{done{}}
               : caf::result<done>{make_error(errc::internal, "by nobody")};
    },
    [=](list_projects x) { return self->delegate(all, x); },
  };
}

session_record stored_session() {
  session_record row;
  row.id = away_session;
  row.project_id = "away";
  row.status = session_status::active;
  row.branch = "topic";
  row.created_at = 5;
  return row;
}

// Of project "over": its work is on its node's disk alone, or not there at all.
session_record ended_session(const std::string& id, bool leaves_work,
                             const std::string& node = "b") {
  session_record row;
  row.id = id;
  row.project_id = "over";
  row.node = node;
  row.status = session_status::terminated;
  row.status_reason =
    "terminated" + (leaves_work ? place_of_work(id, node) : std::string{});
  return row;
}

std::string session_left_on(const std::string& node) {
  return node == "b" ? kept_session_id : std::string(20, node.front());
}

review_record stored_review() {
  review_record row;
  row.id = away_review;
  row.project_id = "away";
  return row;
}

// The store that the nodes share.
caf::behavior shared_rows(caf::event_based_actor*, int) {
  return {
    [](const query_sessions& x) {
      session_rows rows;
      if (x.project_id == "away") {
        rows.sessions.push_back(stored_session());
        rows.next_cursor = x.query.limit == 1 ? "5-" + away_session : "";
      }
      if (x.project_id == "over")
        for (auto& id :
             {kept_session_id, std::string(20, 'o'), dropped_session_id})
          rows.sessions.push_back(
            ended_session(id, id != std::string(20, 'o')));
      return rows;
    },
    [](const query_reviews&) {
      return review_page{{stored_review()}, {}};
    },
    [](const load_session& x) -> caf::result<session_record> {
      for (auto* node : {"b", "down", "unknown"})
        if (x.session_id == session_left_on(node))
          return ended_session(x.session_id, true, node);
      return make_error(errc::not_found, "session not found");
    },
    [](const load_review& x) -> caf::result<review_record> {
      if (x.review_id != away_review)
        return make_error(errc::not_found, "review not found");
      return stored_review();
    },
  };
}

// This node's deliverer of webhooks, which reads the same store.
caf::behavior stored_webhooks(caf::event_based_actor*, int) {
  return {
    [](const list_webhooks& x) {
      webhook_record row;
      row.id = away_webhook;
      row.project_id = x.project_id;
      row.url = "https://example.org/";
      return webhook_list{{row}};
    },
    [](const list_deliveries& x) {
      delivery_record row;
      row.webhook_id = x.webhook_id;
      row.project_id = x.project_id;
      return delivery_page{{row}, {}};
    },
  };
}

// Node b is there, node down is not.
caf::behavior two_listed_nodes(caf::event_based_actor*, int) {
  return {[](list_nodes) {
    node_list all;
    for (const auto* name : {"b", "down"}) {
      auto& node = all.nodes.emplace_back();
      node.name = name;
      if (node.name == "down")
        node.state = node_state::down;
    }
    return all;
  }};
}

// The owner of all is another node.
caf::behavior member_of_b(caf::event_based_actor*, int) {
  return {[](const find_owner& x) {
    return owner_record{x.project_id, "b", "", 2};
  }};
}

class away_fixture : public fixture {
public:
  explicit away_fixture(absence how, bool has_store = true,
                        ask_count asked = std::make_shared<std::atomic<int>>(0))
    : fixture(
      [=](http::options& options) {
        using namespace std::chrono_literals;
        // What is not awaited here has time enough on a busy machine.
        options.look_up = 120s;
        options.ordinary = 120s;
        options.owner = how == absence::silent        ? 200ms
                        : how == absence::never_found ? 5s
                                                      : 120s;
      },
      [=](http::server_parts& parts) {
        parts.directory = caf::actor_cast<directory_actor>(
          parts.system.spawn(partly_away, parts.directory, how, asked));
        parts.webhooks = caf::actor_cast<webhooks_actor>(
          parts.system.spawn(stored_webhooks, 0));
        parts.nodes = caf::actor_cast<node_lister_actor>(
          parts.system.spawn(two_listed_nodes, 0));
        auto others = std::make_shared<http::peers>();
        others->node = "a";
        others->member = caf::actor_cast<cluster_member_actor>(
          parts.system.spawn(member_of_b, 0));
        others->open = [](const std::string&, const std::string&,
                          const http::peers::opened& then) {
          then({}, "node b cannot be reached: a test");
        };
        if (has_store)
          others->reader = caf::actor_cast<store_reader_actor>(
            parts.system.spawn(shared_rows, 0));
        parts.others = others;
      }) {
    std::lock_guard lock{script->guard};
    script->projects["away"].id = "away";
    script->projects["away"].repo = "/away.git";
    // Of it no project's actor is known: as one that was just deleted.
    script->projects.erase("other");
  }
};

} // namespace

TEST_CASE("a list over all projects has what the store knows of one whose "
          "node is away") {
  auto how = GENERATE(absence::refuses, absence::never_found);
  away_fixture f{how};
  auto answer = get(f, "/sessions");
  REQUIRE(answer.status == 200);
  auto sessions = data_of(answer)["sessions"];
  REQUIRE(sessions.size() == 3);            // two of demo's
  CHECK(sessions[0]["id"] == away_session); // the newest
  CHECK(sessions[0]["reachable"] == false);
  CHECK(sessions[0]["status"] == "active");
  CHECK(sessions[1]["reachable"] == true);
}

TEST_CASE("a page over all projects goes on where it ended, also of one whose "
          "node is away") {
  away_fixture f{absence::refuses};
  auto page = data_of(get(f, "/sessions?limit=1"));
  REQUIRE(page["sessions"].size() == 1);
  CHECK(page["sessions"][0]["reachable"] == false);
  CHECK(page["next_cursor"] == "5-" + away_session);
}

TEST_CASE("a project that was deleted since the list was begun is left out") {
  away_fixture f{absence::refuses};
  {
    std::lock_guard lock{f.script->guard};
    f.script->projects["other"].id = "other"; // nobody finds its actor
  }
  auto answer = get(f, "/sessions");
  CHECK(answer.status == 200);
  CHECK(data_of(answer)["sessions"].size() == 3);
}

TEST_CASE("the lists of a project are answered from the store while its node "
          "is away") {
  away_fixture f{absence::refuses};
  auto sessions = data_of(get(f, away_path + "/sessions"))["sessions"];
  REQUIRE(sessions.size() == 1);
  CHECK(sessions[0]["reachable"] == false);
  auto reviews = data_of(get(f, away_path + "/reviews"))["reviews"];
  REQUIRE(reviews.size() == 1);
  CHECK(reviews[0]["id"] == away_review);
  CHECK(data_of(get(f, away_path + "/reviews/" + away_review)) == reviews[0]);
  CHECK(get(f, away_path + "/reviews/" + std::string(20, 'x')).status == 404);
}

TEST_CASE("an owner that is found and says nothing is not waited for long") {
  away_fixture f{absence::silent};
  const auto begin = std::chrono::steady_clock::now();
  auto answer = get(f, away_path + "/sessions");
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds{30});
  REQUIRE(answer.status == 200);
  CHECK(data_of(answer)["sessions"][0]["reachable"] == false);
}

TEST_CASE("an owner that has said nothing is not asked again at once") {
  auto asked = std::make_shared<std::atomic<int>>(0);
  away_fixture f{absence::silent, true, asked};
  // It is known from now on: to look it up may take longer on a busy machine
  // than an owner has.
  REQUIRE(get(f, away_path + "/kept").status == 200);
  constexpr int lists = 4;
  for (int i = 0; i < lists; ++i) {
    auto answer = get(f, away_path + "/sessions");
    REQUIRE(answer.status == 200);
    CHECK(data_of(answer)["sessions"][0]["reachable"] == false);
  }
  fixture::wait_until([&] { return asked->load() > 0; });
  CHECK(asked->load() < lists);
}

TEST_CASE("webhooks and their deliveries are read by any node while the owner "
          "is away") {
  away_fixture f{absence::refuses};
  const auto webhooks = away_path + "/webhooks";
  auto all = data_of(get(f, webhooks))["webhooks"];
  REQUIRE(all.size() == 1);
  CHECK(all[0]["id"] == away_webhook);
  const auto one = webhooks + "/" + away_webhook;
  CHECK(data_of(get(f, one)) == all[0]);
  CHECK(get(f, webhooks + "/" + std::string(20, 'x')).status == 404);
  auto sent = data_of(get(f, one + "/deliveries"))["deliveries"];
  REQUIRE(sent.size() == 1);
  CHECK(sent[0]["webhook_id"] == away_webhook);
}

TEST_CASE("what is kept on a disk is listed from the store while that is "
          "away") {
  away_fixture f{absence::refuses};
  auto answer = get(f, "/projects/over/kept");
  REQUIRE(answer.status == 200);
  auto kept = data_of(answer)["kept"];
  REQUIRE(kept.size() == 2);
  CHECK(kept[0]["session_id"] == kept_session_id);
  CHECK(kept[0]["node"] == "b");
  CHECK_FALSE(kept[0].contains("bytes"));
  CHECK(kept[1]["session_id"] == dropped_session_id);
}

TEST_CASE("what is kept on another node's disk is listed as that node says") {
  away_fixture f{absence::disks_only};
  auto kept = data_of(get(f, "/projects/over/kept"))["kept"];
  REQUIRE(kept.size() == 1);
  CHECK(kept[0]["session_id"] == kept_session_id);
  CHECK(kept[0]["bytes"] == 4096);
  CHECK(get(f, "/projects/over/kept?cursor=none").status == 400);
}

TEST_CASE("what is kept on another node's disk is removed by that node, or it "
          "is said what to do") {
  auto drop = [](const fixture& f, const std::string& project,
                 const std::string& node) {
    return call(f.port(), "DELETE",
                "/projects/" + project + "/sessions/" + session_left_on(node)
                  + "/kept",
                admin_secret);
  };
  {
    away_fixture f{absence::disks_only};
    auto done = drop(f, "over", "b");
    CHECK(done.status == 200);
    CHECK(data_of(done)["session_id"] == kept_session_id);
    // By its project only.
    CHECK(drop(f, "demo", "b").status == 404);
    auto down = drop(f, "over", "down");
    CHECK(down.status == 503);
    CHECK(down.headers.contains("retry-after"));
    CHECK_THAT(message_of(down),
               Catch::Contains("of node down, which is down"));
    // The owner may know it by another name, and says so where it does not.
    auto unknown = drop(f, "over", "unknown");
    CHECK(unknown.status == 409);
    CHECK(message_of(unknown) == "a session's: it lies elsewhere");
  }
  away_fixture f{absence::refuses};
  auto away = drop(f, "over", "b");
  CHECK(away.status == 503);
  CHECK(away.headers.contains("retry-after"));
  CHECK_THAT(message_of(away), Catch::Contains("node b cannot be reached"));
}

TEST_CASE("without a store that nodes share an owner that is away is said to "
          "be") {
  away_fixture f{absence::refuses, false};
  for (const auto& path : {std::string{"/sessions"}, away_path + "/sessions",
                           away_path + "/reviews"}) {
    auto answer = get(f, path);
    CHECK(answer.status == 503);
    CHECK(answer.headers.contains("retry-after"));
    CHECK_THAT(answer.body, Catch::Contains("node b cannot be reached"));
  }
}
