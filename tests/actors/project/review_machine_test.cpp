#include "actors/project/review_machine.hpp"
#include "messages/errors.hpp"
#include "messages/ids.hpp"

#include <catch2/catch.hpp>

using namespace greenroom;
using review::action;

namespace {

constexpr unix_ms noon = 1'000'000;

project_record project_with(std::string command) {
  project_record project;
  project.id = "demo";
  project.review.command = std::move(command);
  return project;
}

queue_review request(bool auto_merge, bool skip = false) {
  queue_review what;
  what.session.id = "s1";
  what.session.branch = "work";
  what.session.commit = "c1";
  what.by.key_id = "ada";
  what.auto_merge = auto_merge;
  what.skip_review = skip;
  return what;
}

review::step opened(bool auto_merge, const std::string& command = "",
                    bool skip = false) {
  return review::open(request(auto_merge, skip), project_with(command),
                      {"main", "base", false}, noon);
}

decide_review decision(bool approve) {
  return {"r", {"bob", "Bob", ""}, approve, "well done"};
}

exec_outcome outcome(exec_status status, int code = 0) {
  exec_outcome result;
  result.status = status;
  result.exit_code = code;
  return result;
}

merge_result went(review_status status) {
  return {status, "m1",
          status == review_status::conflict ? std::vector<std::string>{"a.txt"}
                                            : std::vector<std::string>{}};
}

} // namespace

TEST_CASE("a review pins what is judged") {
  auto made = opened(true).next;
  CHECK(made.commit == "c1");
  CHECK(made.base == "base");
  CHECK(made.target == "main");
  CHECK(made.branch == "work");
  CHECK(made.created_by == "ada");
  CHECK(is_id(made.id));
}

TEST_CASE("a repeated check-in finds the same review") {
  CHECK(opened(true).next.id == opened(false).next.id);
  CHECK(review::id_of("s1") != review::id_of("s2"));
}

TEST_CASE("without a command a review waits for a person") {
  auto made = opened(true);
  CHECK(made.then == action::none);
  CHECK(made.next.status == review_status::queued);
  CHECK(review::is_open(made.next));

  SECTION("who approves it has it merged") {
    auto next = review::decided(made.next, decision(true), noon);
    CHECK(next.then == action::merge);
    CHECK(next.next.decided_by == "bob");
    CHECK(review::is_open(next.next));
  }
  SECTION("who rejects it ends it") {
    auto next = review::decided(made.next, decision(false), noon);
    CHECK(next.then == action::none);
    CHECK(next.next.status == review_status::rejected);
    CHECK(next.next.comment == "well done");
    CHECK_FALSE(review::is_open(next.next));
    CHECK_THROWS_AS(review::decided(next.next, decision(true), noon), refused);
  }
}

TEST_CASE("without auto_merge an approval is the end") {
  auto next = review::decided(opened(false).next, decision(true), noon);
  CHECK(next.then == action::none);
  CHECK(next.next.status == review_status::approved);
  CHECK(next.next.ended_at == noon);
}

TEST_CASE("what is approved can be merged later, or with the approval") {
  auto merge = decision(false);
  merge.merge = true;
  auto waiting = opened(false).next;
  CHECK_THROWS_WITH(review::decided(waiting, merge, noon),
                    Catch::Contains("not approved"));
  auto approved = review::decided(waiting, decision(true), noon).next;
  auto next = review::decided(approved, merge, noon);
  CHECK(next.then == action::merge);
  CHECK(review::is_open(next.next));
  CHECK(next.next.by_name == "Bob");
  CHECK(review::resume(next.next, project_with("")).then == action::merge);
  auto done = review::merged(next.next, went(review_status::merged), noon).next;
  CHECK(done.status == review_status::merged);
  CHECK_THROWS_WITH(review::decided(done, merge, noon),
                    "the review is over: it was merged into main");
  merge.repeat = true;
  CHECK(review::was_decided(done, merge));
  CHECK_FALSE(review::was_decided(approved, merge));

  auto both = decision(true);
  both.merge = true;
  auto at_once = review::decided(opened(false).next, both, noon);
  CHECK(at_once.then == action::merge);
  CHECK(at_once.next.auto_merge);
}

TEST_CASE("a merge that somebody else asks for is theirs, the decision stays") {
  auto approved =
    review::decided(opened(false).next, decision(true), noon).next;
  decide_review merge{"r", {"cleo", "Cleo", ""}, false, "", false, true};
  auto next = review::decided(approved, merge, noon).next;
  CHECK(next.decided_by == "bob");
  CHECK(next.by_name == "Bob");
  CHECK(next.by_author == "Cleo <cleo@greenroom.invalid>");
  merge.by.author = "Cleo C <c@example.org>";
  CHECK(review::decided(approved, merge, noon).next.by_author
        == "Cleo C <c@example.org>");
}

TEST_CASE("a review command decides by its exit code") {
  auto made = opened(true, "make check");
  CHECK(made.then == action::run);
  CHECK(made.next.status == review_status::running);
  CHECK_THROWS_AS(review::decided(made.next, decision(true), noon), refused);

  auto good = review::ran(made.next, outcome(exec_status::exited, 0), noon);
  CHECK(good.then == action::merge);
  CHECK(good.next.exit_code == 0);

  auto bad = review::ran(made.next, outcome(exec_status::exited, 2), noon);
  CHECK(bad.next.status == review_status::rejected);
  CHECK(bad.next.status_reason == "the review command ended with exit code 2");
  for (auto status : {exec_status::signaled, exec_status::timed_out})
    CHECK(review::ran(made.next, outcome(status), noon).next.status
          == review_status::rejected);
  // Nobody knows what it would have said.
  CHECK(review::ran(made.next, outcome(exec_status::lost), noon).next.status
        == review_status::failed);
}

TEST_CASE("skip_review with auto_merge merges at once") {
  CHECK(opened(true, "make check", true).then == action::merge);
}

TEST_CASE("a project that requires reviews takes no skip_review") {
  auto project = project_with("");
  project.review.required = true;
  CHECK_THROWS_AS(
    review::open(request(true, true), project, {"main", "base", false}, noon),
    refused);
  CHECK_NOTHROW(
    review::open(request(true), project, {"main", "base", false}, noon));
}

TEST_CASE("what the target has already needs no merge") {
  auto merged = review::open(request(true), project_with("make check"),
                             {"main", "base", true}, noon);
  CHECK(merged.then == action::none);
  CHECK(merged.next.status == review_status::merged);
  CHECK(merged.next.merge_commit == "base");
  auto approved = review::open(request(false), project_with(""),
                               {"main", "base", true}, noon);
  CHECK(approved.next.status == review_status::approved);
}

TEST_CASE("a merge ends a review") {
  auto waiting = review::decided(opened(true).next, decision(true), noon).next;
  auto done = review::merged(waiting, went(review_status::merged), noon);
  CHECK(done.next.status == review_status::merged);
  CHECK(done.next.merge_commit == "m1");
  CHECK_FALSE(review::is_open(done.next));
  auto conflict = review::merged(waiting, went(review_status::conflict), noon);
  CHECK(conflict.next.status == review_status::conflict);
  CHECK(conflict.next.files == std::vector<std::string>{"a.txt"});
}

TEST_CASE("what was judged against a target that moved is judged anew, once") {
  auto waiting = review::decided(opened(true).next, decision(true), noon).next;
  auto stale = review::merged(waiting, went(review_status::stale), noon);
  CHECK(stale.then == action::retarget);
  CHECK(review::is_open(stale.next));

  auto again = review::retargeted(stale.next, project_with(""),
                                  {"main", "base2", false}, noon);
  CHECK(again.then == action::none);
  CHECK(again.next.status == review_status::queued);
  CHECK(again.next.base == "base2");
  CHECK(again.next.decided_by.empty());

  auto twice =
    review::merged(review::decided(again.next, decision(true), noon).next,
                   went(review_status::stale), noon);
  CHECK(twice.then == action::none);
  CHECK(twice.next.status == review_status::stale);
}

TEST_CASE("a moved target has the command run again and a skipped one merged") {
  auto ran = review::ran(opened(true, "make check").next,
                         outcome(exec_status::exited, 0), noon);
  CHECK(review::retargeted(ran.next, project_with("make check"),
                           {"main", "base2", false}, noon)
          .then
        == action::run);
  CHECK(review::retargeted(opened(true, "", true).next, project_with(""),
                           {"main", "base2", false}, noon)
          .then
        == action::merge);
  CHECK(review::retargeted(ran.next, project_with("make check"),
                           {"main", "", false}, noon)
          .next.status
        == review_status::stale);
}

TEST_CASE(
  "a command judges anew while others are merged before, not for ever") {
  auto next = opened(true, "make check").next;
  int rounds = 0;
  for (;; ++rounds) {
    auto ran = review::ran(next, outcome(exec_status::exited, 0), noon);
    CHECK(ran.then == action::merge);
    auto stale = review::merged(ran.next, went(review_status::stale), noon);
    if (stale.then != action::retarget) {
      CHECK(stale.next.status == review_status::stale);
      break;
    }
    auto again = review::retargeted(
      stale.next, project_with("make check"),
      {"main", "base" + std::to_string(rounds), false}, noon);
    REQUIRE(again.then == action::run);
    next = again.next;
  }
  CHECK(rounds == 7);
}

TEST_CASE("a decision that is sent again is known") {
  auto again = decision(true);
  auto made = review::decided(opened(true).next, again, noon).next;
  CHECK(made.by_name == "Bob");
  CHECK_FALSE(review::was_decided(made, again));
  again.repeat = true;
  CHECK(review::was_decided(made, again));
  again.approve = false;
  CHECK_FALSE(review::was_decided(made, again));
  auto no = decision(false);
  no.repeat = true;
  CHECK(
    review::was_decided(review::decided(opened(true).next, no, noon).next, no));
  no.by.key_id = "eve";
  CHECK_FALSE(review::was_decided(
    review::decided(opened(true).next, decision(false), noon).next, no));
}

TEST_CASE("after a restart a review goes on where it was") {
  auto command = project_with("make check");
  CHECK(review::resume(opened(true).next, project_with("")).then
        == action::none);
  auto running = opened(true, "make check");
  CHECK(review::resume(running.next, command).then == action::run);
  auto ran =
    review::ran(running.next, outcome(exec_status::exited, 0), noon).next;
  CHECK(review::resume(ran, command).then == action::merge);
  CHECK(review::resume(opened(true, "", true).next, project_with("")).then
        == action::merge);
  auto there =
    review::open(request(false), command, {"main", "base", true}, noon);
  decide_review merge{"r", {"bob", "Bob", ""}, false, "", false, true};
  auto merging = review::decided(there.next, merge, noon);
  REQUIRE(merging.then == action::merge);
  CHECK(review::resume(merging.next, command).then == action::merge);
  merging.next.status_reason = "approved, to be merged when that is possible";
  CHECK(review::resume(merging.next, command).then == action::merge);
  auto orphan = review::resume(running.next, project_with(""));
  CHECK(orphan.then == action::none);
  CHECK(orphan.next.status == review_status::queued);
}
