// Questions to git that have to end for others.
#include "runtime/git/mirror/question_limits.hpp"

#include <catch2/catch.hpp>
#include <poll.h>

#include <chrono>

using greenroom::git::question_key;
using greenroom::git::question_limits;

namespace {

bool can_be_read(const question_limits::descriptor& watched, int timeout_ms) {
  pollfd at{watched->get(), POLLIN, 0};
  return ::poll(&at, 1, timeout_ms) == 1;
}

// A timer whose time is over already goes off a moment later.
bool ends(const question_limits::descriptor& watched) {
  return can_be_read(watched, 10'000);
}

bool is_over(const question_limits::descriptor& watched) {
  return can_be_read(watched, 0);
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
  limits.end_by(key, now);
  CHECK(ends(watched));
  limits.end_by(key, std::nullopt);
  CHECK_FALSE(is_over(watched));
  limits.end_by(question_key("other", "session"), now);
  CHECK_FALSE(is_over(watched));
  // The next one about the same has its own.
  limits.end_by(key, now);
  limits.end(key);
  limits.begin(key);
  CHECK(ends(watched));
  CHECK_FALSE(is_over(limits.watch(key)));
}
