// Who of a project's sessions may ask its upstream for contents.
#include "http/git/upstream_turns.hpp"

#include "messages/errors.hpp"

#include <boost/asio/co_spawn.hpp>
#include <catch2/catch.hpp>

#include <chrono>
#include <exception>
#include <list>
#include <memory>
#include <optional>
#include <string>

using namespace greenroom;
namespace asio = boost::asio;
using http::git_http::upstream_turns;

namespace {

struct turn_asker {
  std::unique_ptr<upstream_turns::turn> turn;
  std::optional<errc> refused;
};

asio::awaitable<void> ask_for_turn(upstream_turns& turns,
                                   asio::io_context& loop, std::string project,
                                   std::string session, turn_asker& who) {
  try {
    who.turn =
      co_await turns.wait(loop, std::move(project), std::move(session));
  } catch (const refused& why) {
    who.refused = why.code();
  }
}

// What has come so far has been dealt with when a call returns.
struct busy_upstream {
  explicit busy_upstream(
    std::chrono::milliseconds timeout = std::chrono::hours{1})
    : turns(3, timeout) {}
  ~busy_upstream() {
    turns.close();
    run();
    all.clear();
  }

  void run() {
    loop.restart();
    loop.poll();
  }
  turn_asker& asks(const std::string& session,
                   const std::string& project = "demo") {
    auto& who = all.emplace_back();
    asio::co_spawn(loop, ask_for_turn(turns, loop, project, session, who),
                   [](const std::exception_ptr&) {});
    run();
    return who;
  }
  void ends(turn_asker& who) {
    who.turn.reset();
    run();
  }

  asio::io_context loop;
  upstream_turns turns;
  std::list<turn_asker> all;
};

} // namespace

TEST_CASE("transfers of one session leave a turn to its project's others") {
  busy_upstream u;
  auto& first = u.asks("greedy");
  auto& second = u.asks("greedy");
  auto& third = u.asks("greedy");
  CHECK(first.turn);
  CHECK(second.turn);
  CHECK_FALSE(third.turn);
  auto& other = u.asks("other");
  CHECK(other.turn);
  CHECK(u.asks("greedy", "another project").turn);
  u.ends(other);
  CHECK_FALSE(third.turn);
  u.ends(first);
  CHECK(third.turn);
}

TEST_CASE("a session with fewer transfers has the next turn, then who has "
          "waited for longer") {
  busy_upstream u;
  auto& first = u.asks("greedy");
  u.asks("greedy");
  auto& busy = u.asks("busy");
  auto& more = u.asks("greedy");
  auto& late = u.asks("late");
  auto& later = u.asks("later");
  u.ends(first);
  CHECK(late.turn);
  CHECK_FALSE(more.turn);
  u.ends(busy);
  CHECK(later.turn);
  u.ends(late);
  CHECK_FALSE(more.turn); // the last is for one that has none
  u.ends(later);
  CHECK(more.turn);
}

TEST_CASE("who waits for a turn in vain is told to try again, and keeps nobody "
          "waiting") {
  busy_upstream u{std::chrono::milliseconds{0}};
  auto& first = u.asks("one");
  auto& second = u.asks("two");
  u.asks("three");
  auto& fourth = u.asks("four");
  while (!fourth.refused)
    u.loop.run_one();
  CHECK(fourth.refused == errc::overloaded);
  u.ends(first);
  u.ends(second);
  CHECK(u.asks("one").turn);
  u.turns.close();
  CHECK(u.asks("two").refused == errc::unavailable);
}
