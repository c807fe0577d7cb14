#include "actors/session/journal/keeper.hpp"

#include <utility>

namespace greenroom::journal {

void channel::on_results(std::function<void()> notify) {
  std::function<void()> now;
  {
    std::lock_guard guard{mutex_};
    notify_ = std::move(notify);
    if (!results_.empty())
      now = notify_;
  }
  if (now)
    now();
}

std::vector<any_result> channel::take() {
  std::lock_guard guard{mutex_};
  return std::exchange(results_, {});
}

void channel::put(any_result result) {
  std::function<void()> notify;
  {
    std::lock_guard guard{mutex_};
    if (results_.empty())
      notify = notify_;
    results_.push_back(std::move(result));
  }
  if (notify)
    notify();
}

} // namespace greenroom::journal
