#include "runtime/git/mirror/question_limits.hpp"

#include "messages/errors.hpp"

#include <sys/timerfd.h>

namespace greenroom::git {

namespace {

// steady_clock is CLOCK_MONOTONIC. All zero: never; a time that is over counts.
itimerspec timer_at(std::optional<question_limits::time_point> when) {
  using namespace std::chrono;
  itimerspec result{};
  if (!when)
    return result;
  const auto since = when->time_since_epoch();
  const auto whole = duration_cast<seconds>(since);
  result.it_value.tv_sec = whole.count();
  result.it_value.tv_nsec = duration_cast<nanoseconds>(since - whole).count();
  return result;
}

} // namespace

void question_limits::begin(const std::string& key) {
  auto timer = std::make_shared<const unique_fd>(
    ::timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
  std::lock_guard guard{mutex_};
  under_way_.insert_or_assign(key, std::move(timer));
}

void question_limits::end(const std::string& key) {
  std::lock_guard guard{mutex_};
  under_way_.erase(key);
}

void question_limits::end_by(const std::string& key,
                             std::optional<time_point> when) {
  std::lock_guard guard{mutex_};
  auto found = under_way_.find(key);
  if (found == under_way_.end() || !*found->second)
    return;
  const auto time = timer_at(when);
  ::timerfd_settime(found->second->get(), TFD_TIMER_ABSTIME, &time, nullptr);
}

question_limits::descriptor question_limits::watch(const std::string& key) {
  std::lock_guard guard{mutex_};
  auto found = under_way_.find(key);
  return found == under_way_.end() ? std::make_shared<const unique_fd>()
                                   : found->second;
}

void give_way() {
  throw refused{errc::overloaded,
                "git took longer for this than it may while other projects "
                "wait to ask it, try again"};
}

} // namespace greenroom::git
