// Questions to git that have to end for others.
#include "runtime/git/mirror/question_limits.hpp"

#include "messages/errors.hpp"

#include <catch2/catch.hpp>
#include <poll.h>

#include <chrono>

using greenroom::git::give_way;
using greenroom::git::question_key;
using greenroom::git::question_limits;

namespace {

bool is_over(const question_limits::descriptor& watched) {
  pollfd at{watched->get(), POLLIN, 0};
  return ::poll(&at, 1, 0) == 1;
}

} // namespace

TEST_CASE("a question to git ends once its time is over, and not where that is "
          "taken back") {
  using std::chrono::hours;
  question_limits limits;
  const auto now = std::chrono::steady_clock::now();
  const auto key = question_key("demo", "session");
  limits.end_by(key, now); // nobody has begun it
  CHECK(limits.watch(key)->get() == -1);
  limits.begin(key);
  const auto watched = limits.watch(key);
  CHECK_FALSE(is_over(watched));
  limits.end_by(key, now + hours{1});
  CHECK_FALSE(is_over(watched));
  limits.end_by(key, now - hours{1});
  CHECK(is_over(watched));
  limits.end_by(key, std::nullopt);
  CHECK_FALSE(is_over(watched));
  limits.end_by(question_key("other", "session"), now);
  CHECK_FALSE(is_over(watched));
  // The next one about the same has its own.
  limits.end_by(key, now);
  limits.end(key);
  limits.begin(key);
  CHECK(is_over(watched));
  CHECK_FALSE(is_over(limits.watch(key)));
}

TEST_CASE("who is told to give way to others can try again") {
  try {
    give_way();
  } catch (const greenroom::refused& what) {
    CHECK(what.code() == greenroom::errc::overloaded);
  }
}
