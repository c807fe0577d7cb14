// Requests that wait for an answer, and those that wait for too long.
#include "actors/session/pending_requests.hpp"

#include <catch2/catch.hpp>

using namespace greenroom;
using std::chrono::minutes;

namespace {

constexpr auto must_not_wait = [](const pending::request&) { return false; };

} // namespace

TEST_CASE("a request is taken once, as what it is") {
  pending_requests requests;
  auto who = requests.add(pending::token{{}, "secret"}, {});
  CHECK(requests.add(pending::created{}, {}) != who);
  CHECK_FALSE(requests.take<pending::checkin>(who));
  CHECK(requests.find<pending::token>(who)->secret == "secret");
  CHECK(requests.take<pending::token>(who)->secret == "secret");
  CHECK_FALSE(requests.take<pending::token>(who));
  CHECK_FALSE(requests.contains(who));
  CHECK_FALSE(requests.empty());
}

TEST_CASE("tickets of a session's next actor are others") {
  pending_requests first;
  first.begin_after(std::uint64_t{1} << 32);
  auto who = first.add(pending::connection{}, {});
  pending_requests second;
  second.begin_after(std::uint64_t{2} << 32);
  CHECK(second.add(pending::connection{}, {}) > who);
  CHECK_FALSE(second.contains(who));
}

TEST_CASE("a request without an answer is reported once, and counted until it "
          "is answered") {
  overdue_requests counter;
  const pending_requests::clock::time_point then{};
  {
    pending_requests requests;
    requests.count_in(&counter);
    auto early = requests.add(pending::created{}, then + minutes{1});
    requests.add(pending::input{{}, "cat"}, then + minutes{1});
    requests.add(pending::checkin{}, then + minutes{9});
    CHECK(requests.newly_overdue(then + minutes{1}, must_not_wait).empty());
    CHECK(counter.warnings().empty());
    auto may_wait = [](const pending::request& what) {
      return std::holds_alternative<pending::input>(what);
    };
    auto late = requests.newly_overdue(then + minutes{2}, may_wait);
    CHECK(late == std::vector<std::string>{"create (60 s after its deadline)"});
    CHECK(counter.warnings()
          == std::vector<std::string>{
            "1 request to a session has not been answered in time; the log "
            "names each"});
    CHECK(requests.newly_overdue(then + minutes{3}, may_wait).empty());
    CHECK(requests.newly_overdue(then + minutes{3}, must_not_wait).size() == 1);
    CHECK(requests.take<pending::created>(early));
    CHECK(counter.warnings().size() == 1);
  }
  // With the session's actor, its requests are gone.
  CHECK(counter.warnings().empty());
}
