// Lists of a project whose owner is another node, which is away.
#include "http/edge/peers.hpp"
#include "tests/http/asking.hpp"

#include <caf/actor_cast.hpp>
#include <caf/event_based_actor.hpp>
#include <catch2/catch.hpp>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

using namespace greenroom;
using namespace greenroom::test;

namespace {

const std::string away_path = "/projects/away";
const std::string away_session(20, 'w');
const std::string away_review(20, 'v');

/// How the owner of the project "away" does not answer.
enum class absence : std::uint8_t { refuses, never_found, silent };

// Says nothing.
caf::behavior mute_project(caf::event_based_actor* self, int) {
  return {[self](const list_sessions&) -> caf::result<session_page> {
    return self->make_response_promise<session_page>();
  }};
}

// Of all projects but that one, `all` knows the owners.
caf::behavior partly_away(caf::event_based_actor* self, directory_actor all,
                          absence how) {
  auto mute = caf::actor_cast<project_actor>(self->spawn(mute_project, 0));
  return {
    [=](const find_project& x) -> caf::result<project_actor> {
      if (x.project_id != "away")
        return self->delegate(all, x);
      if (how == absence::never_found)
        return self->make_response_promise<project_actor>();
      if (how == absence::refuses)
        return make_error(errc::unavailable,
                          "node b cannot be reached: a test");
      return mute;
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
      return rows;
    },
    [](const query_reviews&) {
      return review_page{{stored_review()}, {}};
    },
    [](const load_review& x) -> caf::result<review_record> {
      if (x.review_id != away_review)
        return make_error(errc::not_found, "review not found");
      return stored_review();
    },
  };
}

class away_fixture : public fixture {
public:
  explicit away_fixture(absence how, bool has_store = true)
    : fixture(
      [=](http::options& options) {
        // What is not awaited here has time enough on a busy machine.
        options.look_up =
          std::chrono::seconds{how == absence::never_found ? 5 : 30};
        options.ordinary =
          std::chrono::seconds{how == absence::silent ? 6 : 30};
      },
      [=](http::server_parts& parts) {
        parts.directory = caf::actor_cast<directory_actor>(
          parts.system.spawn(partly_away, parts.directory, how));
        auto others = std::make_shared<http::peers>();
        others->node = "a";
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

TEST_CASE("an owner that is found and says nothing is not waited for to the "
          "end") {
  away_fixture f{absence::silent};
  auto answer = get(f, away_path + "/sessions");
  REQUIRE(answer.status == 200);
  CHECK(data_of(answer)["sessions"][0]["reachable"] == false);
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
